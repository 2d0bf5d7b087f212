"""The interface behind which every visual model stands, and the table of those that exist.

A detector looks at one picture at a time, upright as displayed, and gives boxes in that picture's pixels. It may be
called from several threads at once and keeps nothing from one picture to the next.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from schema.errors import MissingModelError, UsageError
from schema.manifest import Producer

Pixels = NDArray[np.uint8]
"""Rows, columns, RGB."""


class View(Protocol):
    """One picture as displayed; `width` and `height` in pixels."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    @property
    def still(self) -> bool:
        """Whether no other frame will confirm what is found on this one: it is worth a longer look."""
        ...

    @property
    def smeared(self) -> bool:
        """Whether the camera moved so fast that things are smeared: they are found best when they are made small."""
        ...

    @property
    def part(self) -> bool:
        """Whether it is a piece cut out around one thing, at the size at which it is seen best: ask less of scores."""
        ...

    def rgb(self, width: int, height: int) -> Pixels:
        """The whole picture scaled to `width`×`height`."""
        ...


class Whole(View, Protocol):
    """A picture out of which pieces can be cut."""

    def region(self, left: int, top: int, right: int, bottom: int) -> Pixels:
        """What `rgb` shows within these edges when it does not scale."""
        ...


@dataclass(frozen=True, slots=True)
class Detection:
    """One thing found: edges in displayed pixels, also off the picture; `score` from 0 to 1; `by` a producer's id."""

    label: str
    left: float
    top: float
    right: float
    bottom: float
    score: float
    by: str

    @property
    def place(self) -> NDArray[np.float64]:
        """Centre x, centre y, width, height."""
        across, down = self.right - self.left, self.bottom - self.top
        return np.array([self.left + across / 2, self.top + down / 2, across, down])

    def shifted(self, right: float, down: float) -> "Detection":
        """The same thing elsewhere."""
        edges = (self.left + right, self.top + down, self.right + right, self.bottom + down)
        return Detection(self.label, *edges, self.score, self.by)

    @property
    def area(self) -> float:
        return max(0.0, self.right - self.left) * max(0.0, self.bottom - self.top)


class Detector(Protocol):
    """A model that is ready to look; `labels` is what it can find.

    `pace_seconds` is how far apart its looks at footage are to begin with (see `locate.cadence`), `rest_seconds` how
    long it may rest between two looks whatever it sees: 0 for things that move fast or come and go.
    """

    @property
    def producer(self) -> Producer: ...

    @property
    def labels(self) -> frozenset[str]: ...

    @property
    def pace_seconds(self) -> float: ...

    @property
    def rest_seconds(self) -> float: ...

    def detect(self, view: View) -> list[Detection]: ...


@runtime_checkable
class Batching(Protocol):
    """A detector that is quicker when it sees `batch` pictures at once."""

    @property
    def batch(self) -> int: ...

    def detect_all(self, views: Sequence[View]) -> list[list[Detection]]: ...


@runtime_checkable
class Growing(Protocol):
    """A detector that keeps memory enough for the largest picture it was shown, until it is told to let go of it."""

    def let_go(self) -> None: ...


@runtime_checkable
class Helped(Protocol):
    """A detector that others help to decide what it tells."""

    @property
    def helpers(self) -> Sequence[Producer]: ...


@dataclass(frozen=True)
class Request:
    """What a back end is asked for.

    Its producer id, the labels that are wanted, the least score worth telling (0 to 1), and where to run.
    """

    producer_id: str
    labels: frozenset[str]
    floor: float
    device: str
    allow_upload: bool = False
    personal_text_only: bool = False
    weights: str | None = None
    class_map: str | None = None
    links: Mapping[str, float] = field(default_factory=dict)

    def link(self, label: str) -> float:
        """The score from which a detection in footage may continue a track but not start one."""
        return self.links.get(label, self.floor)


DETECTORS = {
    "centerface": "locate.detectors.centerface:load",
    "rapidocr": "locate.detectors.rapidocr:load",
    "onnx": "locate.detectors.plain:load",
    "yunet": "locate.detectors.yunet:load",
    "ultralytics": "locate.detectors.ultralytics:load",
    "rekognition": "locate.detectors.rekognition:load",
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
        if isinstance(detector, Growing):
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


def fit(width: int, height: int, long_side: int) -> tuple[int, int]:
    """The size that has `long_side` as its longer side and the same proportions."""
    scale = long_side / max(width, height)
    return (max(1, round(width * scale)), max(1, round(height * scale)))


def iou(a: Detection, b: Detection) -> float:
    """Intersection over union."""
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (a.area + b.area - width * height)


def without_doubles(found: list[Detection], overlap: float = 0.4) -> list[Detection]:
    """The best of each group of boxes of one label that overlap by more than `overlap` (non-maximum suppression)."""
    kept: list[Detection] = []
    for d in sorted(found, key=lambda d: (-d.score, d.top, d.left, d.right, d.bottom)):
        if not any(k.label == d.label and iou(k, d) > overlap for k in kept):
            kept.append(d)
    return kept


def united(found: list[Detection], overlap: float = 0.4) -> list[Detection]:
    """What several looks or models found, doubles as one box that holds them all: one may see but a part of a thing."""
    groups = [
        (best, [d for d in found if d.label == best.label and iou(d, best) > overlap])
        for best in without_doubles(found, overlap)
    ]
    return [
        replace(
            best,
            left=min(d.left for d in same),
            top=min(d.top for d in same),
            right=max(d.right for d in same),
            bottom=max(d.bottom for d in same),
        )
        for best, same in groups
    ]
