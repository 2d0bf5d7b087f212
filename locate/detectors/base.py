"""The interface that every visual detector implements: `Detector`, its optional protocols, and what it is given.

A detector is given one picture at a time, upright as displayed, and returns bounding boxes in that picture's pixels.
It may be called from several threads at once and keeps no state from one picture to the next. The table of detectors is
in `veridact.locate.detectors.registry`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from veridact.schema.manifest import Producer

DEFAULT_INTERVAL_SECONDS = 0.17
"""The least time between sampled frames before any are inserted between them: five frames of 25 a second."""

Pixels = NDArray[np.uint8]
"""`(rows, columns, 3)` as red, green, blue."""

CxCyWh = NDArray[np.float64]
"""A bounding box as `(4,)`: centre x, centre y, width, height, in pixels."""


class View(Protocol):
    """One picture as displayed; `width` and `height` in pixels."""

    @property
    def width(self) -> int:
        """Columns of the upright picture."""
        ...

    @property
    def height(self) -> int:
        """Rows of the upright picture."""
        ...

    @property
    def still(self) -> bool:
        """Whether no other frame can confirm a detection on this one, so that more work on it is worth its time."""
        ...

    @property
    def motion_blurred(self) -> bool:
        """Whether the camera moved so fast that objects are blurred; those are detected best in a downscaled copy."""
        ...

    @property
    def is_crop(self) -> bool:
        """Whether it is a crop around one expected object, scaled for the detector: a lower score is enough there."""
        ...

    def rgb(self, width: int, height: int) -> Pixels:
        """The whole picture scaled to `width`×`height`."""
        ...


class FullFrame(View, Protocol):
    """A picture that crops can be taken from."""

    def region(self, left: int, top: int, right: int, bottom: int) -> Pixels:
        """The unscaled pixels of the half-open region `left` to `right`, `top` to `bottom`, equal to those of `rgb`."""
        ...


@dataclass(frozen=True, slots=True)
class Detection:
    """One detected object: edges in displayed pixels, also off the picture; `score` 0 to 1; `by` a producer's id."""

    label: str
    left: float
    top: float
    right: float
    bottom: float
    score: float
    by: str

    @property
    def cxcywh(self) -> CxCyWh:
        """The box as centre x, centre y, width, height."""
        across, down = self.right - self.left, self.bottom - self.top
        return np.array([self.left + across / 2, self.top + down / 2, across, down])

    def shifted(self, right: float, down: float) -> "Detection":
        """The same detection, translated by pixels."""
        edges = (self.left + right, self.top + down, self.right + right, self.bottom + down)
        return Detection(self.label, *edges, self.score, self.by)

    @property
    def area(self) -> float:
        """The area of the box in square pixels; 0 for an empty box."""
        return max(0.0, self.right - self.left) * max(0.0, self.bottom - self.top)


class Detector(Protocol):
    """A loaded model that detects objects of some labels in one picture at a time."""

    @property
    def producer(self) -> Producer:
        """The record of this detector in the manifest."""
        ...

    @property
    def labels(self) -> frozenset[str]:
        """The labels that it can detect."""
        ...

    @property
    def interval_seconds(self) -> float:
        """The time between sampled frames of footage to begin with (see `sampling.cadence`)."""
        ...

    @property
    def min_interval_seconds(self) -> float:
        """The least time between two frames it is run on, except after a cut.

        0 for objects that move fast or come and go: only such a detector is run between samples that disagree, and
        beyond the ends of tracks.
        """
        ...

    def detect(self, view: View) -> list[Detection]:
        """The objects in a picture, in its displayed pixels."""
        ...


@runtime_checkable
class Batching(Protocol):
    """A detector that is faster when it gets `batch_size` pictures in one call."""

    @property
    def batch_size(self) -> int:
        """The number of pictures to pass in one call."""
        ...

    def detect_batch(self, views: Sequence[View]) -> list[list[Detection]]:
        """The objects in each of the pictures, in the order given."""
        ...


@runtime_checkable
class Releasable(Protocol):
    """A detector that retains working memory for the largest picture so far, until `release` is called."""

    def release(self) -> None:
        """Frees the working memory; the detector stays usable."""
        ...


@runtime_checkable
class MultiModel(Protocol):
    """A detector whose result also depends on models of other makers."""

    @property
    def auxiliary_producers(self) -> Sequence[Producer]:
        """The records of those models in the manifest."""
        ...


@dataclass(frozen=True)
class Request:
    """What a detector is loaded for.

    `producer_id` is its id in the manifest, `labels` are those wanted, `min_score` (0 to 1) is the least score worth
    reporting, `device` is `cpu` or `cuda`; `links` are the scores by label from which a detection may continue a track.
    """

    producer_id: str
    labels: frozenset[str]
    min_score: float
    device: str
    allow_upload: bool = False
    personal_text_only: bool = False
    weights: str | None = None
    class_map: str | None = None
    links: Mapping[str, float] = field(default_factory=dict)

    def link(self, label: str) -> float:
        """The score from which a detection in footage may continue a track but not start one."""
        return self.links.get(label, self.min_score)


def fit(width: int, height: int, long_side: int) -> tuple[int, int]:
    """The width and height of the same aspect ratio whose longer side is `long_side`."""
    scale = long_side / max(width, height)
    return (max(1, round(width * scale)), max(1, round(height * scale)))
