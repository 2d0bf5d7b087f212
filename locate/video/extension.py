"""Track extension, the second pass: follows each track beyond its ends, where that lies inside the picture.

Objects do not appear or vanish in the middle of a picture: they turn away, are half occluded or motion-blurred, and a
detector that is given a crop around the expected box still finds them. The Kalman filter of each tracklet predicts its
box before the first and after the last observation; there a crop is taken and searched, frame by frame, until the
object is lost:

    frames        0   1   2   3   4   5   6   7   8   9
    observations            x   x   x   x   x
    searched      -   <                       >   >   -   -       - not found

This decodes the footage a second time, shot by shot, up to the last frame to be searched, and not at all where there is
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
from veridact.locate.detectors.base import CxCyWh, Detection, Detector
from veridact.locate.detectors.nms import iou
from veridact.locate.video.camera_motion import camera_path
from veridact.locate.video.crops import Crop, crop_around, detect_in_crop
from veridact.locate.video.detections import FrameDetections
from veridact.locate.video.frames import DecodedFrame
from veridact.locate.video.kalman import KalmanState, initiate
from veridact.locate.video.sampling.rates import ReportFrames
from veridact.locate.video.tracklets import Observation, Observations, Tracklet

MAX_EXTENSION_SECONDS, MAX_EXTENSION_FRAMES = 1.0, 20
"""How far beyond an end to search, at most."""

MAX_MISSES = 3
"""After this many frames in a row without a detection, the object is lost."""

SAME_OBJECT_IOU = 0.5
"""A detection that overlaps another tracklet's by this much belongs to that one."""

MOTION_OBSERVATIONS = 6
"""The number of observations next to an end from which its Kalman state is estimated."""


_Extensions = dict[tuple[int, int], Observations]
"""The observations beyond the ends of tracklets, by the index of the tracklet and the step (-1 or 1) from its end."""


@dataclass
class TrackEnd:
    """One end of a tracklet: the Kalman state at its last observation, on frame `at`, and the frames to be searched.

    `tracklet` is the index of the tracklet, `frames` leads away from it, and `others` are tracklets of the same label
    that may be observed there. `crops` are the crops requested so far, by frame: the result for a frame lists the crops
    of all ends that are searched on it, and the number is this end's index in that list.
    """

    tracklet: int
    label: str
    state: KalmanState
    at: int
    frames: range
    others: Sequence[Tracklet]
    crops: dict[int, tuple[Future[list[Crop | None]], int]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether the crops on all its frames were requested."""
        return len(self.crops) == len(self.frames)


@dataclass(frozen=True)
class Shot:
    """The frames of one shot and the tracklets in it; `size` is the picture's width and height in pixels."""

    frames: Sequence[FrameDetections]
    tracklets: Sequence[Tracklet]
    size: tuple[int, int]
    seconds_per_pts: float

    def frames_to_search(self, labels: frozenset[str]) -> Iterator[tuple[int, list[TrackEnd]]]:
        """The frames on which to search for objects of some labels, in order, each with the ends to search for there.

        Ends are created shortly before they are needed: a long shot has thousands, and each takes memory.
        """
        near: defaultdict[int, list[TrackEnd]] = defaultdict(list)
        for earliest, n, step in sorted(self._earliest(labels)):
            while near and (frame := min(near)) < earliest:
                yield frame, near.pop(frame)
            end = self._end(n, step)
            for frame in end.frames:
                near[frame].append(end)
        yield from sorted(near.items())

    def camera_offset(self, frame: int) -> NDArray[np.float64]:
        """How far the scene moved right and down since the first frame of the shot, in pixels: `(2,)`."""
        offset: NDArray[np.float64] = self._path[frame - self.first]
        return offset

    def seconds_between(self, frame: int, other: int) -> float:
        """The time between two frames of the shot, never negative."""
        return abs(self._pts[frame - self.first] - self._pts[other - self.first]) * self.seconds_per_pts

    @cached_property
    def first(self) -> int:
        """The number of its first frame."""
        return self.frames[0].frame

    @cached_property
    def _pts(self) -> Sequence[int]:
        return array("q", (frame.pts for frame in self.frames))

    @cached_property
    def _path(self) -> NDArray[np.float64]:
        return camera_path([frame.shift_px for frame in self.frames])

    @cached_property
    def _spans(self) -> NDArray[np.int64]:
        """The first and the last frame of each tracklet, both included: `(tracklets, 2)`."""
        return np.array([(tracklet.frames[0], tracklet.frames[-1]) for tracklet in self.tracklets])

    def _earliest(self, labels: frozenset[str]) -> Iterator[tuple[int, int, int]]:
        """For each end of tracklets of some labels: the earliest frame to search, the tracklet's index, the step."""
        for n, (first, last) in enumerate(self._spans.tolist()):
            if self.tracklets[n].label in labels:
                yield first - MAX_EXTENSION_FRAMES, n, -1
                yield last + 1, n, 1

    def _others(self, n: int, frames: range) -> list[Tracklet]:
        """The other tracklets of the label of tracklet `n` that may be observed on some frames."""
        near = (self._spans[:, 0] <= max(frames)) & (self._spans[:, 1] >= min(frames))
        chosen = (m for m in np.flatnonzero(near).tolist() if m != n)
        return [self.tracklets[m] for m in chosen if self.tracklets[m].label == self.tracklets[n].label]

    def _end(self, n: int, step: int) -> TrackEnd:
        """The start (`step` -1) or the end (1) of tracklet `n`; its frames end where the predicted centre leaves."""
        tracklet = self.tracklets[n]
        nearest = slice(-MOTION_OBSERVATIONS, None) if step > 0 else slice(MOTION_OBSERVATIONS - 1, None, -1)
        observations = tracklet.observations[nearest]
        state, at = initiate(observations[0].detection.cxcywh), observations[0].frame
        for o in observations[1:]:
            state = state.predict(self.seconds_between(o.frame, at)).update(o.detection.cxcywh)
            at = o.frame
        reached = 0
        for frame in range(at + step, at + step * (MAX_EXTENSION_FRAMES + 1), step):
            in_shot = self.first <= frame < self.first + len(self.frames)
            if not in_shot or self.seconds_between(frame, at) > MAX_EXTENSION_SECONDS:
                break
            x, y = state.predict(self.seconds_between(frame, at)).position[:2] + self.camera_offset(frame)
            if not (0 <= x < self.size[0] and 0 <= y < self.size[1]):
                break
            reached += 1
        frames = range(at + step, at + step * (reached + 1), step)
        return TrackEnd(n, tracklet.label, state, at, frames, self._others(n, frames) if frames else ())


class TrackExtender:
    """The second pass over one stream, shot by shot, with the detectors that may be run on every frame."""

    def __init__(
        self, frames: Iterator[DecodedFrame], detectors: Sequence[Detector], pool: Executor, ahead: int
    ) -> None:
        """`frames` are consumed only as far as they are needed; at most `ahead` of them wait for their crops."""
        self._frames = frames
        self._detectors = [d for d in detectors if d.min_interval_seconds == 0]
        self._pool = pool
        self._ahead = ahead

    def extend(self, shot: Shot, report: ReportFrames) -> list[Tracklet]:
        """The tracklets of the next shot, with the observations found beyond their ends.

        Shots must come in order. Raises `MediaError` where fewer frames are decoded than in the first pass.
        """
        following: deque[Future[_Extensions]] = deque()
        cropping: deque[Future[list[Crop | None]]] = deque()
        extensions: _Extensions = {}
        labels = frozenset(label for d in self._detectors for label in d.labels)
        for number, ends in shot.frames_to_search(labels):
            decoded = self._frame(number, report)
            crops = self._pool.submit(crop_around, decoded.view, [self._predicted(shot, end, number) for end in ends])
            cropping.append(crops)
            for n, end in enumerate(ends):
                end.crops[number] = (crops, n)
                if end.complete:
                    following.append(self._pool.submit(self._follow, shot, end))
            if len(cropping) > self._ahead:
                cropping.popleft().result()  # bounds the memory: the frame of these crops is released
            while following and following[0].done():
                extensions.update(following.popleft().result())
        for followed in following:
            extensions.update(followed.result())
        return _joined(shot.tracklets, extensions)

    def _frame(self, number: int, report: ReportFrames) -> DecodedFrame:
        """The frame of a number that was not passed yet; those before it are skipped."""
        for frame in self._frames:
            report(frame.number + 1)
            if frame.number == number:
                return frame
        raise MediaError("fewer frames were decoded in the second pass than in the first; check the file and run again")

    def _predicted(self, shot: Shot, end: TrackEnd, frame: int) -> CxCyWh:
        """The box that the Kalman filter of an end predicts on a frame, in displayed pixels."""
        box = end.state.predict(shot.seconds_between(frame, end.at)).position.copy()
        box[:2] += shot.camera_offset(frame)
        return box

    def _follow(self, shot: Shot, end: TrackEnd) -> _Extensions:
        """The observations beyond an end, up to where the object is lost; releases the end's crops."""
        state, since, misses = end.state, 0.0, 0
        found: list[Observation] = []
        for frame in end.frames:
            crops, n = end.crops[frame]
            crop, away = crops.result()[n], shot.seconds_between(frame, end.at)
            state, since = state.predict(away - since), away
            detection = self._detect(crop, end.label, state, shot.camera_offset(frame)) if crop else None
            if detection and _is_in_any(detection, end.others, frame):
                break
            if detection is None:
                misses += 1
                if misses >= MAX_MISSES:
                    break
                continue
            state, misses = state.update(detection.cxcywh), 0
            found.append(Observation(frame, detection, False))
        end.crops.clear()
        step = end.frames.step
        return {(end.tracklet, step): Observations(found[::step])} if found else {}

    def _detect(self, crop: Crop, label: str, state: KalmanState, offset: NDArray[np.float64]) -> Detection | None:
        """The best detection in a crop near the predicted box, or None; without the motion of the camera."""
        box = state.position.copy()
        box[:2] += offset
        detection = detect_in_crop(crop, label, box, self._detectors)
        return detection.shifted(-offset[0], -offset[1]) if detection else None


def _is_in_any(detection: Detection, tracklets: Sequence[Tracklet], frame: int) -> bool:
    """Whether a detection on a frame overlaps that of one of some tracklets so much that it is the same object."""
    others = (d for tracklet in tracklets if (d := tracklet.observations.on(frame)))
    return any(iou(detection, d) >= SAME_OBJECT_IOU for d in others)


def _joined(tracklets: Sequence[Tracklet], extensions: _Extensions) -> list[Tracklet]:
    """The tracklets with the observations before their first and after their last."""
    return [
        Tracklet(t.label, Observations((*extensions.get((n, -1), ()), *t.observations, *extensions.get((n, 1), ()))))
        for n, t in enumerate(tracklets)
    ]
