"""Shot detection: the frames at which one shot ends and the next begins, by the change of the thumbnail's luma."""

from collections.abc import Sequence
from itertools import pairwise

from veridact.locate.video.detections import DetectionStore

MIN_CUT_CHANGE = 18.0
CUT_RATIO = 2.0
"""A cut changes the thumbnail by this much on average (see `FrameDetections.change`), and by this many times what the
neighbouring frames change: a moving camera changes every frame alike. A missed cut costs a needless cover, a false cut
breaks a track in two."""

STATIC_CAMERA_PX = 2.0
"""A camera that moved by less than this does not explain a great change."""


def detect_shots(frames: DetectionStore) -> list[DetectionStore]:
    """The frames of a stream divided at the cuts; every shot has at least one frame."""
    changes = [frame.change for frame in frames]
    cuts = (
        i
        for i in range(1, len(frames))
        if is_cut_candidate(frames[i].change, frames[i].shift_px) and _stands_out(changes, i)
    )
    starts = [0, *cuts, len(frames)]
    return [frames[a:b] for a, b in pairwise(starts) if a < b]


def is_cut_candidate(change: float, shift_px: tuple[float, float]) -> bool:
    """Whether a frame differs much from the one before, and not because the camera moved.

    `change` and `shift_px` are those of `detections.FrameDetections`.
    """
    return change >= MIN_CUT_CHANGE and max(map(abs, shift_px)) < STATIC_CAMERA_PX


def _stands_out(changes: Sequence[float], i: int) -> bool:
    """Whether frame `i` changes CUT_RATIO times as much as the two frames on either side do on average."""
    around = [changes[j] for j in (i - 2, i - 1, i + 1, i + 2) if 1 <= j < len(changes)]
    usual = sum(around) / len(around) if around else 0.0
    return changes[i] >= CUT_RATIO * usual
