"""The table of detectors by name, and loading of those that are needed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from veridact.errors import MissingModelError, UsageError
from veridact.locate.detectors.base import Detector, MultiModel, Releasable, Request
from veridact.schema.manifest import Producer

DETECTORS = {
    "centerface": "veridact.locate.detectors.centerface:load",
    "rapidocr": "veridact.locate.detectors.rapidocr:load",
    "onnx": "veridact.locate.detectors.yolov5_onnx:load",
    "yunet": "veridact.locate.detectors.yunet:load",
    "ultralytics": "veridact.locate.detectors.ultralytics:load",
    "rekognition": "veridact.locate.detectors.rekognition:load",
}
"""The loader of each detector; its module is imported only when it is needed."""

EMBEDDED = {"face": "centerface", "plate": "rapidocr", "text": "rapidocr"}
"""The detector for a label that no named detector has: those whose weights are inside installed packages."""


def load(specs: Sequence[str], request: Request) -> list[Detector]:
    """The detectors of the specs `NAME[:WEIGHTS[:CLASSMAP]]`, then embedded ones for the labels that those lack.

    Raises `UsageError` for an unknown name or a detector that has none of the labels wanted, and `MissingModelError`
    for a label that no detector has: it would be left uncovered without notice.
    """
    named = [_load(spec, replace(request, producer_id=f"p{n}")) for n, spec in enumerate(specs, 1)]
    left = request.labels - {label for d in named for label in d.labels}
    for label in sorted(left - EMBEDDED.keys()):
        raise MissingModelError(
            f"no embedded detector has the label {label}; name one that has it, such as --detector ultralytics:WEIGHTS "
            "for a YOLO model with that class, or leave it out of --labels"
        )
    for idle in (d for d in named if not d.labels & request.labels):
        has = ", ".join(sorted(idle.labels))
        raise UsageError(f"the detector {idle.producer.name} detects {has}: add to --labels which of it to cover")
    names = dict.fromkeys(EMBEDDED[label] for label in sorted(left))
    first = len(named) + 1
    embedded = replace(request, labels=left)
    return named + [_load(name, replace(embedded, producer_id=f"p{n}")) for n, name in enumerate(names, first)]


def producers(detectors: Sequence[Detector]) -> list[Producer]:
    """The manifest's records of the detectors, then of the models that they depend on."""
    auxiliary = [each for d in detectors if isinstance(d, MultiModel) for each in d.auxiliary_producers]
    return [*(d.producer for d in detectors), *auxiliary]


def release(detectors: Sequence[Detector]) -> None:
    """Frees the working memory that detectors retain for the largest picture so far."""
    for detector in detectors:
        if isinstance(detector, Releasable):
            detector.release()


def parse_spec(spec: str) -> tuple[str, str, str]:
    """`NAME[:WEIGHTS[:CLASSMAP]]` as name, weights and class map; the path of an existing file may contain colons."""
    name, _, rest = spec.partition(":")
    ends = [*(n for n, character in enumerate(rest) if character == ":"), len(rest)]
    end = next((n for n in ends if Path(rest[:n]).is_file()), ends[0])
    return name, rest[:end], rest[end + 1 :]


def _load(spec: str, request: Request) -> Detector:
    name, weights, class_map = parse_spec(spec)
    if name not in DETECTORS:
        raise UsageError(f"there is no detector {name!r}; choose from {', '.join(DETECTORS)}")
    module, attribute = DETECTORS[name].split(":")
    factory: Callable[[Request], Detector] = getattr(import_module(module), attribute)
    return factory(replace(request, weights=weights or None, class_map=class_map or None))
