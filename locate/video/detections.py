"""The detections on every frame of a stream, stored in typed arrays: objects would take ten times the memory."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from veridact.locate.detectors.base import Detection

Detections = tuple[Detection, ...]


@dataclass(frozen=True, slots=True)
class FrameDetections:
    """The detections on one frame, and what was measured on it.

    `frame` is its number and `pts` its time in the stream's time base; `labels` are those that a detector was run for,
    none on a frame that was not sampled. `change` is the mean absolute difference of its thumbnail from that of the
    frame before, 0 to 255; `shift_px` is how far the camera's motion moved the scene right and down since then;
    `motion_blurred` is whether that was fast enough to blur the frame.
    """

    frame: int
    pts: int
    detections: Detections
    change: float
    labels: frozenset[str]
    shift_px: tuple[float, float] = (0.0, 0.0)
    motion_blurred: bool = False


class DetectionArray:
    """An append-only sequence of detections, 42 bytes each."""

    def __init__(self) -> None:
        self._numbers = array("d")
        """Five a detection: its edges and its score."""
        self._sources = array("H")
        """The index into the table below of each detection."""
        self._source_table: list[tuple[str, str]] = []
        """Pairs of label and producer."""

    def __len__(self) -> int:
        return len(self._sources)

    def append(self, d: Detection) -> None:
        """Adds a detection at the end."""
        source = (d.label, d.by)
        if source not in self._source_table:
            self._source_table.append(source)
        self._sources.append(self._source_table.index(source))
        self._numbers.extend((d.left, d.top, d.right, d.bottom, d.score))

    def __getitem__(self, n: int) -> Detection:
        label, by = self._source_table[self._sources[n]]
        left, top, right, bottom, score = self._numbers[5 * n : 5 * n + 5]
        return Detection(label, left, top, right, bottom, score, by)


class _Columns:
    """Consecutive frames from number `first` on, one array per field."""

    def __init__(self) -> None:
        self.first = 0
        self.pts = array("q")
        self.numbers = array("d")
        """Three a frame: its change and its shift."""
        self.motion_blurred = bytearray()
        self.label_sets = array("H")
        """The index into the table below of each frame."""
        self.label_set_table: list[frozenset[str]] = []
        self.detections = DetectionArray()
        self.offsets = array("q", [0])
        """The detections of frame `n` are those from `offsets[n]` up to, not including, `offsets[n + 1]`."""

    def append(self, frame: FrameDetections) -> None:
        if not self.pts:
            self.first = frame.frame
        if frame.labels not in self.label_set_table:
            self.label_set_table.append(frame.labels)
        self.label_sets.append(self.label_set_table.index(frame.labels))
        self.pts.append(frame.pts)
        self.numbers.extend((frame.change, *frame.shift_px))
        self.motion_blurred.append(frame.motion_blurred)
        for d in frame.detections:
            self.detections.append(d)
        self.offsets.append(len(self.detections))

    def frame(self, n: int) -> FrameDetections:
        change, right, down = self.numbers[3 * n : 3 * n + 3]
        detections = tuple(self.detections[i] for i in range(self.offsets[n], self.offsets[n + 1]))
        labels = self.label_set_table[self.label_sets[n]]
        blurred = bool(self.motion_blurred[n])
        return FrameDetections(self.first + n, self.pts[n], detections, change, labels, (right, down), blurred)


class DetectionStore(Sequence[FrameDetections]):
    """The `FrameDetections` of consecutive frames of a stream; a slice shares the memory of the whole."""

    def __init__(self, frames: Iterable[FrameDetections] = ()) -> None:
        self._columns = _Columns()
        for frame in frames:
            self._columns.append(frame)
        self._range = range(len(self._columns.pts))

    def __len__(self) -> int:
        return len(self._range)

    def __iter__(self) -> Iterator[FrameDetections]:
        return map(self._columns.frame, self._range)

    @overload
    def __getitem__(self, at: int) -> FrameDetections: ...
    @overload
    def __getitem__(self, at: slice) -> "DetectionStore": ...
    def __getitem__(self, at: int | slice) -> "FrameDetections | DetectionStore":
        if isinstance(at, int):
            return self._columns.frame(self._range[at])
        part = DetectionStore()
        part._columns, part._range = self._columns, self._range[at]
        return part
