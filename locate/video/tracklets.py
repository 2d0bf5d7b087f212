"""Tracklets: the observations of one object over time, in frame order, stored in typed arrays."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from veridact.locate.detectors.base import Detection
from veridact.locate.video.detections import DetectionArray


@dataclass(frozen=True, slots=True)
class Observation:
    """A detection on a frame that belongs to a tracklet.

    Its box is in the coordinates of the shot's first frame, that is, without the motion of the camera. `strong` is
    whether it could have started a track.
    """

    frame: int
    detection: Detection
    strong: bool


class Observations(Sequence[Observation]):
    """The observations of one object, in frame order; append-only."""

    def __init__(self, observations: Iterable[Observation] = ()) -> None:
        self._frames = array("q")
        self._strong = bytearray()
        self._detections = DetectionArray()
        for observation in observations:
            self.append(observation)

    def append(self, observation: Observation) -> None:
        """Adds an observation on a later frame than all before."""
        self._frames.append(observation.frame)
        self._strong.append(observation.strong)
        self._detections.append(observation.detection)

    def on(self, frame: int) -> Detection | None:
        """The detection on a frame, or None."""
        n = bisect_left(self._frames, frame)
        return self._detections[n] if n < len(self) and self._frames[n] == frame else None

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[Observation]:
        return map(self._at, range(len(self)))

    @overload
    def __getitem__(self, at: int) -> Observation: ...
    @overload
    def __getitem__(self, at: slice) -> list[Observation]: ...
    def __getitem__(self, at: int | slice) -> Observation | list[Observation]:
        chosen = range(len(self))[at]
        return self._at(chosen) if isinstance(chosen, int) else [self._at(n) for n in chosen]

    def _at(self, n: int) -> Observation:
        return Observation(self._frames[n], self._detections[n], bool(self._strong[n]))


@dataclass(frozen=True)
class Tracklet:
    """The observations of one object within a shot, with gaps on the frames where it was not detected."""

    label: str
    observations: Observations

    @property
    def best(self) -> Detection:
        """The detection that scores highest; of equals, the first."""
        return max((o.detection for o in self.observations), key=lambda d: d.score)

    @property
    def frames(self) -> range:
        """The frames from the first observation to the last."""
        return range(self.observations[0].frame, self.observations[-1].frame + 1)
