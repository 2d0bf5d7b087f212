"""Detector `yunet:WEIGHTS`: faces by YuNet through OpenCV's `FaceDetectorYN`.

Source: Wu, Peng and Yu, YuNet: A Tiny Millisecond-level Face Detector (2023).
"""

import hashlib
import threading
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np

from veridact.errors import MissingModelError, UsageError
from veridact.locate.detectors.base import DEFAULT_INTERVAL_SECONDS, Detection, Request, View, fit
from veridact.locate.detectors.onnx import EXTRA, SOURCES, session, weights_path
from veridact.schema.manifest import Producer

LONG_SIDE_PX = 1280
NMS_MAX_IOU = 0.3
MAX_BOXES = 5000
SCORE_COLUMN = 14
OUTPUTS = frozenset(f"{head}_{stride}" for head in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32))
"""The names of the model's outputs; OpenCV reads them by name, and may crash on another model."""


class YuNet:
    """One OpenCV detector per thread, because it keeps the size of the last picture."""

    labels = frozenset({"face"})
    interval_seconds = DEFAULT_INTERVAL_SECONDS
    min_interval_seconds = 0.0

    def __init__(self, request: Request) -> None:
        self._path = weights_path("yunet", request.weights)
        raw = self._path.read_bytes()
        if not {output.name for output in session(raw, "cpu").get_outputs()} >= OUTPUTS:
            raise MissingModelError(f"{self._path.name} is not a YuNet model; get {SOURCES['yunet']}")
        self._min_score = request.min_score
        self._local = threading.local()
        try:
            self._cv2: Any = import_module("cv2")
        except ImportError:
            raise MissingModelError(f"the detector yunet needs OpenCV: {EXTRA}") from None
        self.producer = Producer(
            id=request.producer_id,
            kind="model",
            name="yunet",
            version=version("opencv-python"),
            weights_sha256=hashlib.sha256(raw).hexdigest(),
            runtime=f"opencv {version('opencv-python')}",
            settings={"floor_permille": round(request.min_score * 1000)},
        )
        self._detector()

    def _detector(self) -> Any:
        """This thread's OpenCV detector; raises `MissingModelError` where OpenCV cannot read the weights."""
        if not hasattr(self._local, "detector"):
            try:
                self._local.detector = self._cv2.FaceDetectorYN.create(
                    str(self._path), "", (320, 320), self._min_score, NMS_MAX_IOU, MAX_BOXES
                )
            except self._cv2.error:
                raise MissingModelError(
                    f"{self._path.name} is not a YuNet model that OpenCV can read; get {SOURCES['yunet']}"
                ) from None
        return self._local.detector

    def detect(self, view: View) -> list[Detection]:
        """The faces in a picture, in its displayed pixels, in one pass of up to LONG_SIDE_PX."""
        width, height = fit(view.width, view.height, min(LONG_SIDE_PX, max(view.width, view.height)))
        detector = self._detector()
        detector.setInputSize((width, height))
        _, rows = detector.detect(np.ascontiguousarray(view.rgb(width, height)[:, :, ::-1]))
        detections = []
        for row in [] if rows is None else rows:
            x, y, w, h = (float(v) for v in row[:4] * (view.width / width))
            score = min(1.0, float(row[SCORE_COLUMN]))
            detections.append(Detection("face", x, y, x + w, y + h, score, self.producer.id))
        return detections


def load(request: Request) -> YuNet:
    """The detector `yunet`; raises `UsageError` for a class map or another device than the CPU."""
    if request.class_map or request.device != "cpu":
        raise UsageError("the detector yunet has no class map and runs on the CPU only: --detector yunet:WEIGHTS")
    return YuNet(request)
