"""What was seen on every frame of a stream, kept in columns: as objects it would take ten times the memory."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from veridact.locate.detectors.base import Detection

Detections = tuple[Detection, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """What was found on one frame, and for which labels it was looked at at all.

    `change` is how much its gist differs from that of the frame before, 0 to 255, and `shift_px` how far what is seen
    moved right and down since then because the camera did; `smeared` is whether that was so fast that it shows.
    """

    frame: int
    pts: int
    detections: Detections
    change: float
    labels: frozenset[str]
    shift_px: tuple[float, float] = (0.0, 0.0)
    smeared: bool = False


class Packed:
    """Detections one after the other, 42 bytes each."""

    def __init__(self) -> None:
        self._numbers = array("d")
        self._names = array("H")
        self._known: list[tuple[str, str]] = []

    def __len__(self) -> int:
        return len(self._names)

    def append(self, d: Detection) -> None:
        name = (d.label, d.by)
        if name not in self._known:
            self._known.append(name)
        self._names.append(self._known.index(name))
        self._numbers.extend((d.left, d.top, d.right, d.bottom, d.score))

    def __getitem__(self, n: int) -> Detection:
        label, by = self._known[self._names[n]]
        left, top, right, bottom, score = self._numbers[5 * n : 5 * n + 5]
        return Detection(label, left, top, right, bottom, score, by)


class _Columns:
    """Looks at one frame after the other, of which the first is `first`."""

    def __init__(self) -> None:
        self.first = 0
        self.pts = array("q")
        self.numbers = array("d")
        """Three a look: its change and its shift."""
        self.smeared = bytearray()
        self.labels = array("H")
        self.known: list[frozenset[str]] = []
        self.found = Packed()
        self.found_before = array("q", [0])

    def append(self, look: Look) -> None:
        if not self.pts:
            self.first = look.frame
        if look.labels not in self.known:
            self.known.append(look.labels)
        self.labels.append(self.known.index(look.labels))
        self.pts.append(look.pts)
        self.numbers.extend((look.change, *look.shift_px))
        self.smeared.append(look.smeared)
        for d in look.detections:
            self.found.append(d)
        self.found_before.append(len(self.found))

    def look(self, n: int) -> Look:
        change, right, down = self.numbers[3 * n : 3 * n + 3]
        found = tuple(self.found[i] for i in range(self.found_before[n], self.found_before[n + 1]))
        labels = self.known[self.labels[n]]
        return Look(self.first + n, self.pts[n], found, change, labels, (right, down), bool(self.smeared[n]))


class Looks(Sequence[Look]):
    """A look at each frame of a stretch of a stream; a part of it takes no memory of its own."""

    def __init__(self, looks: Iterable[Look] = ()) -> None:
        self._columns = _Columns()
        for look in looks:
            self._columns.append(look)
        self._range = range(len(self._columns.pts))

    def __len__(self) -> int:
        return len(self._range)

    def __iter__(self) -> Iterator[Look]:
        return map(self._columns.look, self._range)

    @overload
    def __getitem__(self, at: int) -> Look: ...
    @overload
    def __getitem__(self, at: slice) -> "Looks": ...
    def __getitem__(self, at: int | slice) -> "Look | Looks":
        if isinstance(at, int):
            return self._columns.look(self._range[at])
        part = Looks()
        part._columns, part._range = self._columns, self._range[at]
        return part
