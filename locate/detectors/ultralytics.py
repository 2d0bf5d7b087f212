"""Any YOLO weights, `.pt` or `.onnx`, through the package `ultralytics`: `ultralytics:WEIGHTS[:CLASSMAP]`.

CLASSMAP says which of the net's classes are which of our labels: `person=person,car=vehicle`. Without one, the classes
of COCO that show people, vehicles and screens are taken.
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
from veridact.locate.detectors.base import AUTO_SECONDS, Detection, Request, View
from veridact.locate.detectors.onnx import given_path, runtime_name
from veridact.schema.manifest import Producer, VideoLabel

COCO = {
    "person": "person",
    "bicycle": "vehicle", "car": "vehicle", "motorcycle": "vehicle", "bus": "vehicle", "truck": "vehicle",
    "tv": "screen", "laptop": "screen", "cell phone": "screen",
}  # fmt: skip
FORMATS = (".pt", ".onnx")
LONG_SIDE_PX = 640
BATCH = 4
"""So many pictures are looked at together; an `.onnx` net is commonly made for one."""

OFFLINE = {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false", "ULTRALYTICS_SAFE_LOAD": "1"}


def parse_class_map(text: str | None) -> dict[str, str]:
    """`car=vehicle,face=face` as class names and labels; raises `UsageError` for a label that is unknown."""
    if not text:
        return COCO
    labels = [label for label in get_args(VideoLabel) if label != "keep"]
    made: dict[str, str] = {}
    for name, _, label in (map(str.strip, part.rpartition("=")) for part in text.split(",")):
        if not name or label not in labels:
            raise UsageError(
                f"class map {text!r}: expected CLASS=LABEL with commas between, like car=vehicle; labels are "
                + ", ".join(labels)
            )
        if made.setdefault(name, label) != label:
            raise UsageError(f"class map {text!r}: {name} cannot be both {made[name]} and {label}; choose one")
    return made


class Yolo:
    """One net behind a lock: it keeps state between calls, and uses all cores, or the graphics card, by itself."""

    pace_seconds = AUTO_SECONDS
    rest_seconds = 0.0

    def __init__(self, request: Request) -> None:
        path = given_path("ultralytics", request.weights)
        self._net = _opened(path, request.device)
        self._lock = threading.Lock()
        by_torch = path.suffix.lower() == ".pt"
        self.batch = BATCH if by_torch else 1
        self._floor = request.floor
        self._device = request.device
        self._map = parse_class_map(request.class_map)
        names = set(self._net.names.values())
        if request.class_map and (unknown := sorted(self._map.keys() - names)):
            raise UsageError(f"{path.name} has no class {unknown[0]!r}; it has {', '.join(sorted(names))[:200]}")
        self.labels = frozenset(label for name, label in self._map.items() if name in names)
        if not self.labels:
            raise UsageError(
                f"{path.name} finds {', '.join(sorted(names))[:160]}; say what is what: {path.name}:CLASS=LABEL"
            )
        self.producer = Producer(
            id=request.producer_id,
            kind="model",
            name="ultralytics",
            version=version("ultralytics"),
            weights_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            runtime=f"{'' if by_torch else f'{runtime_name()} with '}torch {version('torch')} on {request.device}",
            settings={"floor_permille": round(request.floor * 1000)},
        )

    def detect(self, view: View) -> list[Detection]:
        return self.detect_all([view])[0]

    def detect_all(self, views: Sequence[View]) -> list[list[Detection]]:
        pixels = [np.ascontiguousarray(view.rgb(view.width, view.height)[:, :, ::-1]) for view in views]
        try:
            with self._lock:
                results = _looked(self._net, pixels, self._device, self._floor)
        except RuntimeError as e:  # of torch: a graphics card that has gone, or has no memory left
            raise MachineError(f"ultralytics failed: {_reason(e)}; run again, or on another --device") from None
        return [self._found(result) for result in results]

    def _found(self, result: Any) -> list[Detection]:
        rows = result.boxes.data.cpu().numpy().tolist()
        found = []
        for left, top, right, bottom, score, number in rows:
            label = self._map.get(result.names[int(number)])
            if label is not None:
                found.append(Detection(label, left, top, right, bottom, min(1.0, score), self.producer.id))
        return found


def package() -> Any:
    """The package `ultralytics`, kept from downloading anything.

    It takes torchvision to suppress doubles and for nothing else that is needed here. One that was built for another
    torch (from PyPI beside a torch for processors only) cannot be imported; ultralytics' own suppression then stands
    in for it.
    """
    os.environ.update(OFFLINE)
    library = import_module("ultralytics")
    try:
        import_module("torchvision")
    except (ImportError, RuntimeError):
        stand_in, ops = ModuleType("torchvision"), ModuleType("torchvision.ops")
        stand_in.__spec__, ops.__spec__ = ModuleSpec("torchvision", None), ModuleSpec("torchvision.ops", None)
        vars(ops).update(nms=lambda *given: import_module("ultralytics.utils.nms").TorchNMS.nms(*given))
        vars(stand_in).update(ops=ops, __version__="0")
        sys.modules.update({"torchvision": stand_in, "torchvision.ops": ops})
    return library


def _opened(path: Path, device: str) -> Any:
    """The net, once it has looked at a grey picture: what cannot look ends here, and not on the way."""
    if path.suffix.lower() not in FORMATS:
        raise MissingModelError(f"{path.name}: ultralytics takes weights whose names end in {' or '.join(FORMATS)}")
    try:
        library, torch = package(), import_module("torch")
    except ImportError:
        raise MissingModelError("this detector needs the extra: pip install 'veridact[ultralytics]'") from None
    if device == "cuda" and not torch.cuda.is_available():
        raise MissingModelError(
            "the installed torch has no cuda here; install a CUDA build of it, or leave out --device"
        )
    try:
        net = library.YOLO(str(path), task="detect")
        (seen,) = _looked(net, [np.full((LONG_SIDE_PX, LONG_SIDE_PX, 3), 128, np.uint8)], device, 1.0)
    except Exception as e:  # noqa: BLE001 - ultralytics and torch raise dozens of kinds for a file they cannot use
        raise MissingModelError(f"ultralytics cannot use {path.name}: {_reason(e)}") from None
    if seen.boxes is None:
        raise MissingModelError(f"{path.name} finds no upright boxes; take a net for detection")
    return net


def _looked(net: Any, pixels: Sequence[Any], device: str, floor: float) -> Any:
    return net.predict(list(pixels), conf=floor, imgsz=LONG_SIDE_PX, device=device, verbose=False, save=False)


def _reason(e: Exception) -> str:
    return f"{type(e).__name__}: {e}"[:200]


def load(request: Request) -> Yolo:
    """The back end `ultralytics`."""
    return Yolo(request)
