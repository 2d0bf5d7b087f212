"""Looking again, closer and asking less, just where a track begins or ends inside the picture.

Things do not appear or vanish in the middle of a picture: they are turned away, half hidden or smeared, and a model
that knows where to look still sees them. Where each track's motion leads to before its first and after its last
sighting, a piece of the picture is cut out, and followed frame by frame until the thing is lost:

    frames      0   1   2   3   4   5   6   7   8   9
    sightings           x   x   x   x   x
    looked at   -   <                       >   >   -   -       - is lost

This takes the footage a second time, shot by shot, as far as the last of these frames, and not at all where there are
none.
"""

from array import array
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from locate.camera import path
from locate.detector import Detection, Detector, iou
from locate.frames import Shown
from locate.lanes import Tell
from locate.looks import Look
from locate.motion import Motion, begin
from locate.motion import Vector as Place
from locate.pieces import Cut, cut_out, trace
from locate.trails import Sighting, Sightings, Trail

REACH_SECONDS, REACH_FRAMES = 1.0, 20
"""How far beyond an end to look, at most."""

LOST_AFTER = 3
"""So many looks in a row without a trace, and the thing is lost."""

SAME_IOU = 0.5
"""A trace that overlaps so much with another track is that one's."""

LEARNT_FROM = 6
"""So many sightings next to an end tell its motion."""


@dataclass
class _End:
    """One end of a trail: which it is, its motion from the last sighting on `at`, the frames beyond, and what else may
    be seen there.

    `cuts` tells what is cut out of them: of all that is cut out of a frame, the how-manyth is for this end.
    """

    trail: int
    label: str
    motion: Motion
    at: int
    frames: range
    others: Sequence[Trail]
    cuts: dict[int, tuple[Future[list[Cut | None]], int]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return len(self.cuts) == len(self.frames)


@dataclass(frozen=True)
class Shot:
    """The looks of one shot, the trails in it, and where the scene lies on each of its frames, in pixels."""

    looks: Sequence[Look]
    trails: Sequence[Trail]
    size: tuple[int, int]
    seconds_per_pts: float

    def ends(self, labels: frozenset[str]) -> list[_End]:
        """Where to look again for things of some labels."""
        chosen = [(n, trail) for n, trail in enumerate(self.trails) if trail.label in labels]
        made = (self._end(n, trail, step) for n, trail in chosen for step in (-1, 1))
        return [end for end in made if end.frames]

    def moved(self, frame: int) -> Place:
        """How far the scene moved right and down since the first frame of the shot."""
        place: Place = self._path[frame - self.first]
        return place

    def apart_seconds(self, frame: int, other: int) -> float:
        """How much time lies between two frames of the shot."""
        return abs(self._pts[frame - self.first] - self._pts[other - self.first]) * self.seconds_per_pts

    @cached_property
    def first(self) -> int:
        """The number of its first frame."""
        return self.looks[0].frame

    @cached_property
    def _pts(self) -> Sequence[int]:
        return array("q", (look.pts for look in self.looks))

    @cached_property
    def _path(self) -> NDArray[np.float64]:
        return path([look.shift_px for look in self.looks])

    @cached_property
    def _spans(self) -> NDArray[np.int64]:
        """The first and the last frame on which each trail was seen."""
        return np.array([(trail.frames[0], trail.frames[-1]) for trail in self.trails])

    def _others(self, n: int, frames: range) -> list[Trail]:
        """The trails besides the `n`th, and of its label, that may be seen on some frames."""
        near = (self._spans[:, 0] <= max(frames)) & (self._spans[:, 1] >= min(frames))
        chosen = (m for m in np.flatnonzero(near).tolist() if m != n)
        return [self.trails[m] for m in chosen if self.trails[m].label == self.trails[n].label]

    def _end(self, n: int, trail: Trail, step: int) -> _End:
        sightings = trail.sightings[-LEARNT_FROM:] if step > 0 else trail.sightings[LEARNT_FROM - 1 :: -1]
        motion, at = begin(sightings[0].detection.place), sightings[0].frame
        for s in sightings[1:]:
            motion = motion.after(self.apart_seconds(s.frame, at)).corrected(s.detection.place)
            at = s.frame
        reached = 0
        for frame in range(at + step, at + step * (REACH_FRAMES + 1), step):
            in_shot = self.first <= frame < self.first + len(self.looks)
            if not in_shot or self.apart_seconds(frame, at) > REACH_SECONDS:
                break
            x, y = motion.after(self.apart_seconds(frame, at)).place[:2] + self.moved(frame)
            if not (0 <= x < self.size[0] and 0 <= y < self.size[1]):
                break
            reached += 1
        frames = range(at + step, at + step * (reached + 1), step)
        return _End(n, trail.label, motion, at, frames, self._others(n, frames) if frames else ())


class Again:
    """A second pass over one stream, shot by shot, with the detectors that look at every frame."""

    def __init__(self, frames: Iterator[Shown], detectors: Sequence[Detector], pool: Executor, ahead: int) -> None:
        """`frames` are asked for only as far as they are needed; `ahead` is how many of them wait to be cut up."""
        self._frames = frames
        self._detectors = [d for d in detectors if d.rest_seconds == 0]
        self._pool = pool
        self._ahead = ahead
        self._next = 0

    def followed(self, shot: Shot, tell: Tell) -> list[Trail]:
        """The trails of the next shot with what was found beyond their ends."""
        ends = shot.ends(frozenset(label for d in self._detectors for label in d.labels))
        asked: dict[int, list[_End]] = defaultdict(list)
        for end in ends:
            for frame in end.frames:
                asked[frame].append(end)
        found: list[Future[tuple[_End, list[Sighting]]]] = []
        cutting: deque[Future[list[Cut | None]]] = deque()
        for shown in self._up_to(max(asked, default=-1)):
            here = asked.get(shown.number, [])
            if here:
                cuts = self._pool.submit(cut_out, shown.view, [self._place(shot, end, shown.number) for end in here])
                cutting.append(cuts)
                for n, end in enumerate(here):
                    end.cuts[shown.number] = (cuts, n)
                    if end.complete:
                        found.append(self._pool.submit(self._follow, shot, end))
            if len(cutting) > self._ahead:
                cutting.popleft().result()  # what was asked for before has begun then, and frames are let go
            tell(shown.number + 1)
        return _joined(shot.trails, [f.result() for f in found])

    def _up_to(self, last: int) -> Iterator[Shown]:
        """The frames that follow those given before, as far as the `last`."""
        while self._next <= last and (shown := next(self._frames, None)):
            self._next = shown.number + 1
            yield shown

    def _place(self, shot: Shot, end: _End, frame: int) -> Place:
        """Where the motion of an end leads to, in displayed pixels."""
        place = end.motion.after(shot.apart_seconds(frame, end.at)).place.copy()
        place[:2] += shot.moved(frame)
        return place

    def _follow(self, shot: Shot, end: _End) -> tuple[_End, list[Sighting]]:
        """The sightings beyond an end, nearest first; its pieces are let go."""
        motion, since, missed = end.motion, 0.0, 0
        found: list[Sighting] = []
        for frame in end.frames:
            cuts, n = end.cuts[frame]
            cut, away = cuts.result()[n], shot.apart_seconds(frame, end.at)
            motion, since = motion.after(away - since), away
            seen = self._seen(cut, end.label, motion, shot.moved(frame)) if cut else None
            if seen and any(iou(seen, d) >= SAME_IOU for other in end.others if (d := other.sightings.on(frame))):
                break
            if seen is None:
                missed += 1
                if missed >= LOST_AFTER:
                    break
                continue
            motion, missed = motion.corrected(seen.place), 0
            found.append(Sighting(frame, seen, False))
        end.cuts.clear()
        return end, found

    def _seen(self, cut: Cut, label: str, motion: Motion, moved: Place) -> Detection | None:
        """The best trace of a thing in a piece, as if the camera had stood still; None where there is none."""
        place = motion.place.copy()
        place[:2] += moved
        found = trace(cut, label, place, self._detectors)
        return found.shifted(-moved[0], -moved[1]) if found else None


def _joined(trails: Sequence[Trail], found: Sequence[tuple[_End, list[Sighting]]]) -> list[Trail]:
    """The trails with the sightings beyond both their ends."""
    beyond = {(end.trail, end.frames.step): sightings for end, sightings in found}
    return [
        Trail(t.label, Sightings((*beyond.get((n, -1), ())[::-1], *t.sightings, *beyond.get((n, 1), ()))))
        for n, t in enumerate(trails)
    ]
