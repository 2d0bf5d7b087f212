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

from veridact.errors import MediaError
from veridact.locate.detectors.base import Detection, Detector
from veridact.locate.detectors.nms import iou
from veridact.locate.video.camera_motion import path
from veridact.locate.video.crops import Cut, cut_out, trace
from veridact.locate.video.detections import Look
from veridact.locate.video.frames import Shown
from veridact.locate.video.kalman import Motion, begin
from veridact.locate.video.kalman import Vector as Place
from veridact.locate.video.sampling.rates import ReportProgress
from veridact.locate.video.tracklets import Sighting, Sightings, Trail

REACH_SECONDS, REACH_FRAMES = 1.0, 20
"""How far beyond an end to look, at most."""

LOST_AFTER = 3
"""So many looks in a row without a trace, and the thing is lost."""

SAME_IOU = 0.5
"""A trace that overlaps so much with another track is that one's."""

LEARNT_FROM = 6
"""So many sightings next to an end tell its motion."""


_Beyond = dict[tuple[int, int], Sightings]
"""What was seen beyond the ends of trails, by the trail and the step from its end on."""


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

    def visits(self, labels: frozenset[str]) -> Iterator[tuple[int, list[_End]]]:
        """The frames on which to look again for things of some labels, in order, and for which ends.

        Ends are made when they are near: a long shot has thousands.
        """
        near: defaultdict[int, list[_End]] = defaultdict(list)
        for earliest, n, step in sorted(self._earliest(labels)):
            while near and (frame := min(near)) < earliest:
                yield frame, near.pop(frame)
            end = self._end(n, step)
            for frame in end.frames:
                near[frame].append(end)
        yield from sorted(near.items())

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

    def _earliest(self, labels: frozenset[str]) -> Iterator[tuple[int, int, int]]:
        """For each end of things of some labels: where it may begin, the trail, and the step from frame to frame."""
        for n, (first, last) in enumerate(self._spans.tolist()):
            if self.trails[n].label in labels:
                yield first - REACH_FRAMES, n, -1
                yield last + 1, n, 1

    def _others(self, n: int, frames: range) -> list[Trail]:
        """The trails besides the `n`th, and of its label, that may be seen on some frames."""
        near = (self._spans[:, 0] <= max(frames)) & (self._spans[:, 1] >= min(frames))
        chosen = (m for m in np.flatnonzero(near).tolist() if m != n)
        return [self.trails[m] for m in chosen if self.trails[m].label == self.trails[n].label]

    def _end(self, n: int, step: int) -> _End:
        trail = self.trails[n]
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

    def followed(self, shot: Shot, report: ReportProgress) -> list[Trail]:
        """The trails of the next shot with what was found beyond their ends."""
        following: deque[Future[_Beyond]] = deque()
        cutting: deque[Future[list[Cut | None]]] = deque()
        beyond: _Beyond = {}
        for number, ends in shot.visits(frozenset(label for d in self._detectors for label in d.labels)):
            shown = self._frame(number, report)
            cuts = self._pool.submit(cut_out, shown.view, [self._place(shot, end, number) for end in ends])
            cutting.append(cuts)
            for n, end in enumerate(ends):
                end.cuts[number] = (cuts, n)
                if end.complete:
                    following.append(self._pool.submit(self._follow, shot, end))
            if len(cutting) > self._ahead:
                cutting.popleft().result()  # what was asked for before has begun then, and frames are let go
            while following and following[0].done():
                beyond.update(following.popleft().result())
        for followed in following:
            beyond.update(followed.result())
        return _joined(shot.trails, beyond)

    def _frame(self, number: int, report: ReportProgress) -> Shown:
        """A frame that was not passed yet; those before it are passed over."""
        for shown in self._frames:
            report(shown.number + 1)
            if shown.number == number:
                return shown
        raise MediaError("the second time, fewer frames were decoded than the first; check the file and run again")

    def _place(self, shot: Shot, end: _End, frame: int) -> Place:
        """Where the motion of an end leads to, in displayed pixels."""
        place = end.motion.after(shot.apart_seconds(frame, end.at)).place.copy()
        place[:2] += shot.moved(frame)
        return place

    def _follow(self, shot: Shot, end: _End) -> _Beyond:
        """The sightings beyond an end; its pieces are let go."""
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
        step = end.frames.step
        return {(end.trail, step): Sightings(found[::step])} if found else {}

    def _seen(self, cut: Cut, label: str, motion: Motion, moved: Place) -> Detection | None:
        """The best trace of a thing in a piece, as if the camera had stood still; None where there is none."""
        place = motion.place.copy()
        place[:2] += moved
        found = trace(cut, label, place, self._detectors)
        return found.shifted(-moved[0], -moved[1]) if found else None


def _joined(trails: Sequence[Trail], beyond: _Beyond) -> list[Trail]:
    """The trails with the sightings beyond both their ends."""
    return [
        Trail(t.label, Sightings((*beyond.get((n, -1), ()), *t.sightings, *beyond.get((n, 1), ()))))
        for n, t in enumerate(trails)
    ]
