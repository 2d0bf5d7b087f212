"""The detectors by name, and those that a search asks for, loaded."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from veridact.errors import MissingModelError, UsageError
from veridact.locate.detectors.base import Detector, Helped, Releasable, Request
from veridact.schema.manifest import Producer

DETECTORS = {
    "centerface": "veridact.locate.detectors.centerface:load",
    "rapidocr": "veridact.locate.detectors.rapidocr:load",
    "onnx": "veridact.locate.detectors.yolov5_onnx:load",
    "yunet": "veridact.locate.detectors.yunet:load",
    "ultralytics": "veridact.locate.detectors.ultralytics:load",
    "rekognition": "veridact.locate.detectors.rekognition:load",
}
"""Back ends by name, loaded when they are asked for."""

EMBEDDED = {"face": "centerface", "plate": "rapidocr", "text": "rapidocr"}
"""Who finds a label that no named detector finds: models that arrive inside installed packages."""


def load(specs: Sequence[str], asked: Request) -> list[Detector]:
    """The detectors of the specs `NAME[:WEIGHTS[:CLASSMAP]]`, then the embedded ones for labels that those do not find.

    Raises `UsageError` for an unknown name or a detector that finds nothing of what is asked for, and
    `MissingModelError` for a label that nothing at hand finds: it would be left uncovered in silence.
    """
    named = [_load(spec, replace(asked, producer_id=f"p{n}")) for n, spec in enumerate(specs, 1)]
    left = asked.labels - {label for d in named for label in d.labels}
    for label in sorted(left - EMBEDDED.keys()):
        raise MissingModelError(
            f"no model at hand finds the label {label}; name one that does, such as --detector ultralytics:WEIGHTS "
            "for a YOLO net that knows it, or leave it out of --labels"
        )
    for idle in (d for d in named if not d.labels & asked.labels):
        finds = ", ".join(sorted(idle.labels))
        raise UsageError(f"the detector {idle.producer.name} finds {finds}: add to --labels which of it to cover")
    names = dict.fromkeys(EMBEDDED[label] for label in sorted(left))
    first = len(named) + 1
    embedded = replace(asked, labels=left)
    return named + [_load(name, replace(embedded, producer_id=f"p{n}")) for n, name in enumerate(names, first)]


def producers(detectors: Sequence[Detector]) -> list[Producer]:
    """Who had a part in what some detectors find, for the record."""
    helpers = [helper for d in detectors if isinstance(d, Helped) for helper in d.helpers]
    return [*(d.producer for d in detectors), *helpers]


def let_go(detectors: Sequence[Detector]) -> None:
    """Has detectors give back what only pictures as large as those they were shown need."""
    for detector in detectors:
        if isinstance(detector, Releasable):
            detector.let_go()


def parts(spec: str) -> tuple[str, str, str]:
    """The name, weights and class map of `NAME[:WEIGHTS[:CLASSMAP]]`; there may be colons in the path of a file."""
    name, _, rest = spec.partition(":")
    ends = [*(n for n, character in enumerate(rest) if character == ":"), len(rest)]
    end = next((n for n in ends if Path(rest[:n]).is_file()), ends[0])
    return name, rest[:end], rest[end + 1 :]


def _load(spec: str, request: Request) -> Detector:
    name, weights, class_map = parts(spec)
    if name not in DETECTORS:
        raise UsageError(f"there is no detector {name!r}; choose from {', '.join(DETECTORS)}")
    module, attribute = DETECTORS[name].split(":")
    factory: Callable[[Request], Detector] = getattr(import_module(module), attribute)
    return factory(replace(request, weights=weights or None, class_map=class_map or None))
