"""One thing over time: where it was seen, in frame order, kept in columns."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from veridact.locate.detectors.base import Detection
from veridact.locate.video.detections import Packed


@dataclass(frozen=True, slots=True)
class Sighting:
    """A detection on a frame, its place as if the camera had stood still since the shot began.

    `strong` is whether it could have started a track.
    """

    frame: int
    detection: Detection
    strong: bool


class Sightings(Sequence[Sighting]):
    """Sightings of one thing, in frame order."""

    def __init__(self, sightings: Iterable[Sighting] = ()) -> None:
        self._frames = array("q")
        self._strong = bytearray()
        self._found = Packed()
        for s in sightings:
            self.append(s)

    def append(self, sighting: Sighting) -> None:
        self._frames.append(sighting.frame)
        self._strong.append(sighting.strong)
        self._found.append(sighting.detection)

    def on(self, frame: int) -> Detection | None:
        """What was seen on a frame."""
        n = bisect_left(self._frames, frame)
        return self._found[n] if n < len(self) and self._frames[n] == frame else None

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[Sighting]:
        return map(self._at, range(len(self)))

    @overload
    def __getitem__(self, at: int) -> Sighting: ...
    @overload
    def __getitem__(self, at: slice) -> list[Sighting]: ...
    def __getitem__(self, at: int | slice) -> Sighting | list[Sighting]:
        chosen = range(len(self))[at]
        return self._at(chosen) if isinstance(chosen, int) else [self._at(n) for n in chosen]

    def _at(self, n: int) -> Sighting:
        return Sighting(self._frames[n], self._found[n], bool(self._strong[n]))


@dataclass(frozen=True)
class Trail:
    """One thing over time: its sightings, with gaps where it was not seen."""

    label: str
    sightings: Sightings

    @property
    def best(self) -> Detection:
        return max((s.detection for s in self.sightings), key=lambda d: d.score)

    @property
    def frames(self) -> range:
        """From the first sighting to the last."""
        return range(self.sightings[0].frame, self.sightings[-1].frame + 1)
