"""Faces by YuNet through OpenCV's `FaceDetectorYN`: `yunet:WEIGHTS`.

Source: Wu, Peng and Yu, YuNet: A Tiny Millisecond-level Face Detector (2023).
"""

import hashlib
import threading
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np

from veridact.errors import MissingModelError, UsageError
from veridact.locate.detectors.base import AUTO_SECONDS, Detection, Request, View, fit
from veridact.locate.detectors.onnx import EXTRA, SOURCES, given_path, session
from veridact.schema.manifest import Producer

LONG_SIDE_PX = 1280
OVERLAP = 0.3
MOST_BOXES = 5000
SCORE_COLUMN = 14
ANSWERS = frozenset(f"{what}_{stride}" for what in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32))
"""What the net gives; OpenCV asks for it by these names, and may crash when it reads another net."""


class YuNet:
    """One net a thread: OpenCV's detector keeps the size of the last picture."""

    labels = frozenset({"face"})
    pace_seconds = AUTO_SECONDS
    rest_seconds = 0.0

    def __init__(self, request: Request) -> None:
        self._path = given_path("yunet", request.weights)
        raw = self._path.read_bytes()
        if not {answer.name for answer in session(raw, "cpu").get_outputs()} >= ANSWERS:
            raise MissingModelError(f"{self._path.name} is no YuNet model; get {SOURCES['yunet']}")
        self._floor = request.floor
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
            settings={"floor_permille": round(request.floor * 1000)},
        )
        self._net()

    def _net(self) -> Any:
        if not hasattr(self._local, "net"):
            try:
                self._local.net = self._cv2.FaceDetectorYN.create(
                    str(self._path), "", (320, 320), self._floor, OVERLAP, MOST_BOXES
                )
            except self._cv2.error:
                raise MissingModelError(f"{self._path.name} is no YuNet model that OpenCV can read") from None
        return self._local.net

    def detect(self, view: View) -> list[Detection]:
        width, height = fit(view.width, view.height, min(LONG_SIDE_PX, max(view.width, view.height)))
        net = self._net()
        net.setInputSize((width, height))
        _, rows = net.detect(np.ascontiguousarray(view.rgb(width, height)[:, :, ::-1]))
        found = []
        for row in [] if rows is None else rows:
            x, y, w, h = (float(v) for v in row[:4] * (view.width / width))
            found.append(Detection("face", x, y, x + w, y + h, min(1.0, float(row[SCORE_COLUMN])), self.producer.id))
        return found


def load(request: Request) -> YuNet:
    """The back end `yunet`."""
    if request.class_map or request.device != "cpu":
        raise UsageError("the detector yunet finds faces, on the CPU: --detector yunet:WEIGHTS")
    return YuNet(request)
