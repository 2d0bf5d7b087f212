"""From sightings with gaps to a box on every frame: interpolation both ways, smoothing that only grows, padded ends."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from veridact.locate.video.camera_motion import is_fast, path
from veridact.locate.video.detections import Look
from veridact.locate.video.tracklets import Trail
from veridact.sandbox.heartbeat import beat
from veridact.schema.geometry import Box, Edges, box_of

Rows = NDArray[np.float64]
"""One row a frame: left, top, right, bottom in displayed pixels."""

BLURRED_FRAMES = 15
"""Whips of a camera last about that long."""

DRIFT_FRAMES = 4
"""Beyond an end, motion is carried on for so long; after that nobody knows."""

SMOOTHED_FRAMES = 4
"""A box is smoothed over this many frames before and after its own."""


@dataclass(frozen=True)
class Course:
    """A thing's box on every frame from `first` on, in integer pixels; `score` and `by` are of its best sighting."""

    label: str
    first: int
    boxes: tuple[Box, ...]
    score: float
    by: str

    @property
    def end(self) -> int:
        return self.first + len(self.boxes)


def _between(trail: Trail, pts: Sequence[int], first: int) -> tuple[int, Rows]:
    """The first frame and the edges on every frame up to the last sighting, linear in presentation time in the gaps.

    `pts` are of the frames from `first` on.
    """
    frames = [s.frame for s in trail.sightings]
    known = np.array([[d.left, d.top, d.right, d.bottom] for d in (s.detection for s in trail.sightings)])
    times = np.array(pts[frames[0] - first : frames[-1] + 1 - first], float)
    at = np.array([pts[f - first] for f in frames], float)
    return frames[0], np.stack([np.interp(times, at, known[:, edge]) for edge in range(4)], axis=1)


def _windows(values: NDArray[np.float64], reach: int, moving: bool = False) -> NDArray[np.float64]:
    """For each row, the rows up to `reach` before and after it; beyond the ends they repeat, or move on as they did."""
    width = ((reach, reach), (0, 0))
    padded = np.pad(values, width, mode="reflect", reflect_type="odd") if moving else np.pad(values, width, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0)


def smoothed(rows: Rows, reach: int = SMOOTHED_FRAMES) -> Rows:
    """Calmer boxes that contain the given ones on every frame.

    The centre is averaged over time. About it, the half sizes that contain each box are first raised to the largest
    in reach and then averaged: an average of maxima that all include a frame's own value is never below it.
    """
    centre = _windows((rows[:, :2] + rows[:, 2:]) / 2, reach, moving=True).mean(axis=2)
    half = np.maximum(centre - rows[:, :2], rows[:, 2:] - centre)
    half = _windows(_windows(half, reach).max(axis=2), reach).mean(axis=2)
    grown = np.concatenate([centre - half, centre + half], axis=1)
    return np.concatenate([np.minimum(grown[:, :2], rows[:, :2]), np.maximum(grown[:, 2:], rows[:, 2:])], axis=1)


def _outward(rows: Rows) -> tuple[Box, ...]:
    return tuple(box_of(Edges(floor(a), floor(b), ceil(c), ceil(d))) for a, b, c, d in rows.tolist())


def _drifting(rows: Rows, count: int, step: int) -> Rows:
    """`count` boxes beyond an end (`step` -1 before the first, 1 after the last): held, and grown along the motion."""
    end, inner = (rows[0], rows[min(5, len(rows) - 1)]) if step < 0 else (rows[-1], rows[-1 - min(5, len(rows) - 1)])
    velocity = (end - inner) / max(1, min(5, len(rows) - 1))
    moved = end + velocity * np.minimum(np.arange(1, count + 1), DRIFT_FRAMES)[:, None]
    beyond = np.concatenate([np.minimum(moved[:, :2], end[:2]), np.maximum(moved[:, 2:], end[2:])], axis=1)
    return beyond[::step]


def _unseen(shot: Sequence[Look], label: str, at: int, step: int) -> int:
    """How many frames beyond an end nobody looked at for a label, in one direction of time."""
    count = 0
    while 0 <= at + step < len(shot) and label not in shot[at + step].labels:
        at, count = at + step, count + 1
    return count


def _blurred(
    shot: Sequence[Look], paths: Rows, end: NDArray[np.float64], size: tuple[int, int], at: int, step: int
) -> int:
    """How many frames beyond an end the camera moves too fast for models to see, while the thing is in the picture.

    Things do not vanish in the middle of a picture: what was seen before a whip of the camera is there during it.
    """
    count = 0
    while 0 <= at + step < len(shot) and count < BLURRED_FRAMES:
        moved = shot[at + step if step > 0 else at].shift_px
        left, top, right, bottom = end + np.tile(paths[at + step], 2)
        inside = right > 0 and bottom > 0 and left < size[0] and top < size[1]
        if not is_fast(moved, size) or not inside:
            break
        at, count = at + step, count + 1
    return count


def courses(trails: Sequence[Trail], shot: Sequence[Look], size: tuple[int, int], pad_frames: int) -> Iterator[Course]:
    """The box of each trail on every frame; `size` is the picture's width and height."""
    pts = [look.pts for look in shot]
    paths = path([look.shift_px for look in shot])
    return (_course(trail, shot, pts, paths, size, pad_frames) for trail in trails)


def _course(
    trail: Trail, shot: Sequence[Look], pts: Sequence[int], paths: Rows, size: tuple[int, int], pad_frames: int
) -> Course:
    """The box of a trail on every frame.

    Both ends are extended by `pad_frames`, at least to the nearest frame on which the thing was looked for and not
    found, and as long as the camera moves too fast for anything to be seen, but never out of the `shot`. Trails come
    without the motion of the camera; it is put back last.
    """
    beat()
    begin = shot[0].frame
    first, rows = _between(trail, pts, begin)
    first, last = first - begin, first - begin + len(rows) - 1
    rows = smoothed(rows)
    before = max(pad_frames, _unseen(shot, trail.label, first, -1), _blurred(shot, paths, rows[0], size, first, -1))
    after = max(pad_frames, _unseen(shot, trail.label, last, 1), _blurred(shot, paths, rows[-1], size, last, 1))
    before, after = min(before, first), min(after, len(shot) - 1 - last)
    rows = np.concatenate([_drifting(rows, before, -1), rows, _drifting(rows, after, 1)])
    rows += np.tile(paths[first - before : last + after + 1], 2)
    best = trail.best
    return Course(trail.label, begin + first - before, _outward(rows), best.score, best.by)
