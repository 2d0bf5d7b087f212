"""The interface behind which every visual model stands, and the table of those that exist.

A detector looks at one picture at a time, upright as displayed, and gives boxes in that picture's pixels. It may be
called from several threads at once and keeps nothing from one picture to the next.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from schema.errors import UsageError
from schema.manifest import Producer

Pixels = NDArray[np.uint8]
"""Rows, columns, RGB."""


class View(Protocol):
    """One picture as displayed; `width` and `height` in pixels."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    def rgb(self, width: int, height: int) -> Pixels:
        """The whole picture scaled to `width`×`height`."""
        ...


@dataclass(frozen=True)
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
    def area(self) -> float:
        return max(0.0, self.right - self.left) * max(0.0, self.bottom - self.top)


class Detector(Protocol):
    """A model that is ready to look; `labels` is what it can find."""

    @property
    def producer(self) -> Producer: ...

    @property
    def labels(self) -> frozenset[str]: ...

    def detect(self, view: View) -> list[Detection]: ...


@dataclass(frozen=True)
class Request:
    """What a back end is asked for: its producer id, the least score worth telling (0 to 1), and where to run."""

    producer_id: str
    floor: float
    device: str
    weights: str | None = None
    class_map: str | None = None


DETECTORS = {
    "centerface": "locate.detectors.centerface:load",
}
"""Back ends by name, loaded when they are asked for."""

DEFAULT_DETECTORS = ("centerface",)


def load(specs: tuple[str, ...], floor: float, device: str) -> list[Detector]:
    """The detectors of the specs `NAME[:WEIGHTS[:CLASSMAP]]`; raises `UsageError` for an unknown name."""
    return [_load(spec, Request(f"p{n}", floor, device)) for n, spec in enumerate(specs, 1)]


def _load(spec: str, request: Request) -> Detector:
    name, weights, class_map = [*spec.split(":", 2), "", ""][:3]
    if name not in DETECTORS:
        raise UsageError(f"there is no detector {name!r}; choose from {', '.join(DETECTORS)}")
    module, attribute = DETECTORS[name].split(":")
    factory: Callable[[Request], Detector] = getattr(import_module(module), attribute)
    return factory(Request(request.producer_id, request.floor, request.device, weights or None, class_map or None))


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
