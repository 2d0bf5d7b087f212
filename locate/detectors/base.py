"""The interface behind which every visual model stands, and the table of those that exist.

A detector looks at one picture at a time, upright as displayed, and gives boxes in that picture's pixels. It may be
called from several threads at once and keeps nothing from one picture to the next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from veridact.schema.manifest import Producer

AUTO_SECONDS = 0.17
"""How far apart looks are to begin with, at least: five frames of 25 a second."""

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

    `pace_seconds` is how far apart its looks at footage are to begin with (see `sampling.cadence`), `rest_seconds` how
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
class Releasable(Protocol):
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


def fit(width: int, height: int, long_side: int) -> tuple[int, int]:
    """The size that has `long_side` as its longer side and the same proportions."""
    scale = long_side / max(width, height)
    return (max(1, round(width * scale)), max(1, round(height * scale)))
