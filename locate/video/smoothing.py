"""From tracklets to dense tracks: a box on every frame, by interpolation, smoothing that never shrinks, and padding."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from veridact.locate.video.camera_motion import camera_path, is_fast
from veridact.locate.video.detections import FrameDetections
from veridact.locate.video.tracklets import Tracklet
from veridact.sandbox.heartbeat import beat
from veridact.schema.geometry import Box, Edges, box_of

Rows = NDArray[np.float64]
"""Boxes as `(frames, 4)`: left, top, right, bottom in displayed pixels; or positions as `(frames, 2)`."""

MAX_BLURRED_FRAMES = 15
"""About the length of a whip pan: the most frames by which a track is extended through motion blur."""

EXTRAPOLATED_FRAMES = 4
"""Beyond the end of a track, its motion is extrapolated for this many frames; after that the box stands still."""

SMOOTHING_RADIUS_FRAMES = 4
"""A box is smoothed over this many frames before and after its own."""

VELOCITY_FRAMES = 5
"""The velocity at the end of a track is the mean over this many frames."""


@dataclass(frozen=True)
class DenseTrack:
    """The box of an object on every frame from `first` on, as x, y, width, height in integer pixels.

    `score` and `by` are those of its best observation.
    """

    label: str
    first: int
    boxes: tuple[Box, ...]
    score: float
    by: str

    @property
    def end(self) -> int:
        """The frame after the last (half-open)."""
        return self.first + len(self.boxes)


def _interpolate(tracklet: Tracklet, pts: Sequence[int], first: int) -> tuple[int, Rows]:
    """The first frame, and the edges on every frame up to the last observation; linear in presentation time in gaps.

    `pts` are those of the frames from `first` on.
    """
    frames = [o.frame for o in tracklet.observations]
    known = np.array([[d.left, d.top, d.right, d.bottom] for d in (o.detection for o in tracklet.observations)])
    times = np.array(pts[frames[0] - first : frames[-1] + 1 - first], float)
    known_times = np.array([pts[f - first] for f in frames], float)
    return frames[0], np.stack([np.interp(times, known_times, known[:, edge]) for edge in range(4)], axis=1)


def _windows(values: NDArray[np.float64], radius: int, moving: bool = False) -> NDArray[np.float64]:
    """For each row, the rows up to `radius` before and after it, as `(rows, columns, 2 * radius + 1)`.

    Beyond the ends rows repeat or, if `moving`, continue by point reflection.
    """
    width = ((radius, radius), (0, 0))
    padded = np.pad(values, width, mode="reflect", reflect_type="odd") if moving else np.pad(values, width, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * radius + 1, axis=0)


def smooth(rows: Rows, radius: int = SMOOTHING_RADIUS_FRAMES) -> Rows:
    """Boxes that vary less from frame to frame and contain the given ones on every frame.

    The centre is averaged over time. The half sizes that contain each box about that centre are first raised to the
    maximum within the radius and then averaged: an average of maxima that all include a frame's own value is never
    below it.
    """
    centre = _windows((rows[:, :2] + rows[:, 2:]) / 2, radius, moving=True).mean(axis=2)
    half = np.maximum(centre - rows[:, :2], rows[:, 2:] - centre)
    half = _windows(_windows(half, radius).max(axis=2), radius).mean(axis=2)
    smoothed = np.concatenate([centre - half, centre + half], axis=1)
    return np.concatenate([np.minimum(smoothed[:, :2], rows[:, :2]), np.maximum(smoothed[:, 2:], rows[:, 2:])], axis=1)


def _round_outward(rows: Rows) -> tuple[Box, ...]:
    return tuple(box_of(Edges(floor(a), floor(b), ceil(c), ceil(d))) for a, b, c, d in rows.tolist())


def _extrapolate(rows: Rows, count: int, step: int) -> Rows:
    """`count` boxes beyond an end (`step` -1: before the first, 1: after the last).

    Each is the union of the box at the end and that box moved on at the track's velocity, in the order of frames.
    """
    span = min(VELOCITY_FRAMES, len(rows) - 1)
    end, inner = (rows[0], rows[span]) if step < 0 else (rows[-1], rows[-1 - span])
    velocity = (end - inner) / max(1, span)
    moved = end + velocity * np.minimum(np.arange(1, count + 1), EXTRAPOLATED_FRAMES)[:, None]
    union = np.concatenate([np.minimum(moved[:, :2], end[:2]), np.maximum(moved[:, 2:], end[2:])], axis=1)
    return union[::step]


def _unsampled_frames(shot: Sequence[FrameDetections], label: str, at: int, step: int) -> int:
    """The number of frames beyond an end, in one direction of time, on which no detector was run for a label."""
    count = 0
    while 0 <= at + step < len(shot) and label not in shot[at + step].labels:
        at, count = at + step, count + 1
    return count


def _blurred_frames(
    shot: Sequence[FrameDetections], path: Rows, end: NDArray[np.float64], size: tuple[int, int], at: int, step: int
) -> int:
    """The number of motion-blurred frames beyond an end while the object's box is still inside the picture.

    Objects do not vanish in the middle of a picture: one that was observed before a whip pan is there during it.
    """
    count = 0
    while 0 <= at + step < len(shot) and count < MAX_BLURRED_FRAMES:
        shift_px = shot[at + step if step > 0 else at].shift_px
        left, top, right, bottom = end + np.tile(path[at + step], 2)
        inside = right > 0 and bottom > 0 and left < size[0] and top < size[1]
        if not is_fast(shift_px, size) or not inside:
            break
        at, count = at + step, count + 1
    return count


def dense_tracks(
    tracklets: Sequence[Tracklet], shot: Sequence[FrameDetections], size: tuple[int, int], pad_frames: int
) -> Iterator[DenseTrack]:
    """Each tracklet of a shot as a dense track, padded; `size` is the picture's width and height in pixels."""
    pts = [frame.pts for frame in shot]
    path = camera_path([frame.shift_px for frame in shot])
    return (_dense_track(tracklet, shot, pts, path, size, pad_frames) for tracklet in tracklets)


def _dense_track(
    tracklet: Tracklet,
    shot: Sequence[FrameDetections],
    pts: Sequence[int],
    path: Rows,
    size: tuple[int, int],
    pad_frames: int,
) -> DenseTrack:
    """The box of a tracklet on every frame.

    Both ends are padded by `pad_frames`, at least to the nearest frame on which a detector was run for the label and
    did not find the object, and as long as the camera moves too fast for a detector, but never out of the shot.
    Tracklets come without the motion of the camera, which is added last.
    """
    beat()
    begin = shot[0].frame
    first, rows = _interpolate(tracklet, pts, begin)
    first, last = first - begin, first - begin + len(rows) - 1
    rows = smooth(rows)
    label = tracklet.label
    before = max(
        pad_frames, _unsampled_frames(shot, label, first, -1), _blurred_frames(shot, path, rows[0], size, first, -1)
    )
    after = max(
        pad_frames, _unsampled_frames(shot, label, last, 1), _blurred_frames(shot, path, rows[-1], size, last, 1)
    )
    before, after = min(before, first), min(after, len(shot) - 1 - last)
    rows = np.concatenate([_extrapolate(rows, before, -1), rows, _extrapolate(rows, after, 1)])
    rows += np.tile(path[first - before : last + after + 1], 2)
    best = tracklet.best
    return DenseTrack(label, begin + first - before, _round_outward(rows), best.score, best.by)
