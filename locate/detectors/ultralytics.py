"""Detector `ultralytics:WEIGHTS[:CLASSMAP]`: any YOLO weights, `.pt` or `.onnx`, through the package `ultralytics`.

CLASSMAP maps the model's classes to labels: `person=person,car=vehicle`. Without one, the COCO classes of people,
vehicles and screens are mapped.
"""

import hashlib
import os
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import numpy as np

from veridact.errors import MachineError, MissingModelError, UsageError
from veridact.locate.detectors.base import DEFAULT_INTERVAL_SECONDS, Detection, Request, View
from veridact.locate.detectors.onnx import runtime_name, weights_path
from veridact.schema.manifest import Producer, VideoLabel

COCO = {
    "person": "person",
    "bicycle": "vehicle", "car": "vehicle", "motorcycle": "vehicle", "bus": "vehicle", "truck": "vehicle",
    "tv": "screen", "laptop": "screen", "cell phone": "screen",
}  # fmt: skip
FORMATS = (".pt", ".onnx")
LONG_SIDE_PX = 640
BATCH_SIZE = 4
"""The pictures in one call of a `.pt` model; an `.onnx` model is usually exported for one."""

OFFLINE = {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false", "ULTRALYTICS_SAFE_LOAD": "1"}


def parse_class_map(text: str | None) -> dict[str, str]:
    """`car=vehicle,face=face` as labels by class name; raises `UsageError` for an unknown label or a contradiction."""
    if not text:
        return COCO
    labels = [label for label in get_args(VideoLabel) if label != "keep"]
    mapped: dict[str, str] = {}
    for name, _, label in (map(str.strip, part.rpartition("=")) for part in text.split(",")):
        if not name or label not in labels:
            raise UsageError(
                f"class map {text!r}: expected CLASS=LABEL with commas between, like car=vehicle; labels are "
                + ", ".join(labels)
            )
        if mapped.setdefault(name, label) != label:
            raise UsageError(f"class map {text!r}: {name} cannot be both {mapped[name]} and {label}; choose one")
    return mapped


class Yolo:
    """One model behind a lock: it keeps state between calls, and uses all cores, or the GPU, by itself."""

    interval_seconds = DEFAULT_INTERVAL_SECONDS
    min_interval_seconds = 0.0

    def __init__(self, request: Request) -> None:
        path = weights_path("ultralytics", request.weights)
        self._model = _load_model(path, request.device)
        self._lock = threading.Lock()
        by_torch = path.suffix.lower() == ".pt"
        self.batch_size = BATCH_SIZE if by_torch else 1
        self._min_score = request.min_score
        self._device = request.device
        self._map = parse_class_map(request.class_map)
        names = set(self._model.names.values())
        if request.class_map and (unknown := sorted(self._map.keys() - names)):
            raise UsageError(f"{path.name} has no class {unknown[0]!r}; it has {', '.join(sorted(names))[:200]}")
        self.labels = frozenset(label for name, label in self._map.items() if name in names)
        if not self.labels:
            raise UsageError(
                f"{path.name} has the classes {', '.join(sorted(names))[:160]}; map them: {path.name}:CLASS=LABEL"
            )
        self.producer = Producer(
            id=request.producer_id,
            kind="model",
            name="ultralytics",
            version=version("ultralytics"),
            weights_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            runtime=f"{'' if by_torch else f'{runtime_name()} with '}torch {version('torch')} on {request.device}",
            settings={"floor_permille": round(request.min_score * 1000)},
        )

    def detect(self, view: View) -> list[Detection]:
        """The objects in a picture whose classes are mapped, in its displayed pixels."""
        return self.detect_batch([view])[0]

    def detect_batch(self, views: Sequence[View]) -> list[list[Detection]]:
        """The objects in each picture; raises `MachineError` where torch or onnxruntime fails."""
        pixels = [np.ascontiguousarray(view.rgb(view.width, view.height)[:, :, ::-1]) for view in views]
        try:
            with self._lock:
                results = _predict(self._model, pixels, self._device, self._min_score)
        except RuntimeError as e:  # of torch: a GPU that is lost, or out of memory
            raise MachineError(f"ultralytics failed: {_reason(e)}; run again, or on another --device") from None
        return [self._detections(result) for result in results]

    def _detections(self, result: Any) -> list[Detection]:
        rows = result.boxes.data.cpu().numpy().tolist()
        detections = []
        for left, top, right, bottom, score, number in rows:
            label = self._map.get(result.names[int(number)])
            if label is not None:
                detections.append(Detection(label, left, top, right, bottom, min(1.0, score), self.producer.id))
        return detections


def import_offline() -> Any:
    """Imports the package `ultralytics`, set to download nothing.

    It needs torchvision for non-maximum suppression, and for nothing else that is used here. A torchvision that was
    built for another torch (from PyPI beside a CPU-only torch) cannot be imported; a substitute module then provides
    the non-maximum suppression of ultralytics itself.
    """
    os.environ.update(OFFLINE)
    library = import_module("ultralytics")
    try:
        import_module("torchvision")
    except (ImportError, RuntimeError):
        substitute, ops = ModuleType("torchvision"), ModuleType("torchvision.ops")
        substitute.__spec__, ops.__spec__ = ModuleSpec("torchvision", None), ModuleSpec("torchvision.ops", None)
        vars(ops).update(nms=lambda *given: import_module("ultralytics.utils.nms").TorchNMS.nms(*given))
        vars(substitute).update(ops=ops, __version__="0")
        sys.modules.update({"torchvision": substitute, "torchvision.ops": ops})
    return library


def _load_model(path: Path, device: str) -> Any:
    """The model of a file, after a trial run on a grey picture: a file that does not work is refused before the search.

    Raises `MissingModelError` for a file of another kind, a missing package or device, and a model without boxes.
    """
    if path.suffix.lower() not in FORMATS:
        raise MissingModelError(f"{path.name}: ultralytics takes weights whose names end in {' or '.join(FORMATS)}")
    try:
        library, torch = import_offline(), import_module("torch")
    except ImportError:
        raise MissingModelError("this detector needs the extra: pip install 'veridact[ultralytics]'") from None
    if device == "cuda" and not torch.cuda.is_available():
        raise MissingModelError("torch finds no CUDA device; install a CUDA build of torch, or leave out --device")
    try:
        model = library.YOLO(str(path), task="detect")
        (result,) = _predict(model, [np.full((LONG_SIDE_PX, LONG_SIDE_PX, 3), 128, np.uint8)], device, 1.0)
    except Exception as e:  # noqa: BLE001 - ultralytics and torch raise dozens of exception types for a file they cannot use
        raise MissingModelError(f"ultralytics cannot use {path.name}: {_reason(e)}") from None
    if result.boxes is None:
        raise MissingModelError(f"{path.name} outputs no upright bounding boxes; use a YOLO model for detection")
    return model


def _predict(model: Any, pixels: Sequence[Any], device: str, min_score: float) -> Any:
    """The results for pictures as `(rows, columns, 3)` in the order blue, green, red."""
    return model.predict(list(pixels), conf=min_score, imgsz=LONG_SIDE_PX, device=device, verbose=False, save=False)


def _reason(e: Exception) -> str:
    return f"{type(e).__name__}: {e}"[:200]


def load(request: Request) -> Yolo:
    """The detector `ultralytics`; raises `MissingModelError` or `UsageError` where it cannot be used."""
    return Yolo(request)
