"""When two samples agree so well that the frames between them need none.

Footage is sampled at an interval; where two samples disagree, the frame midway is sampled too, and so on by bisection
until samples are close:

    sampled     |                   |                   |
    frames      0   1   2   3   4   5   6   7   8   9   10
    face        x                   x                        0 and 5 agree: none between
                                            x           -    5 and 10 disagree: 7 is sampled; 7 and 10 are close

The exact frame on which an object appears or vanishes is found later, frame by frame on a crop (see `extension`), which
costs a tenth of a sample. Samples are dense only where the camera's motion blurs the frames.
"""

from collections.abc import Mapping, Sequence

from veridact.locate.detectors.base import Detection
from veridact.locate.video.kalman import buffered_iou
from veridact.locate.video.thresholds import Thresholds

CLOSE_SECONDS = 0.14
"""Samples that are so close need none between them, whatever they show: three frames of 25 a second."""

MIN_BUFFERED_IOU = 0.2
"""The least overlap of an object's boxes in two samples, without the camera's motion (see `kalman.buffered_iou`): below
it the object moves too fast by itself for interpolation."""

FAST_SIDES = 4.0
"""A camera that moved objects by this many times their width between two samples blurs them: samples must be dense."""


def agree(
    a: Sequence[Detection], b: Sequence[Detection], shift_px: tuple[float, float], thresholds: Mapping[str, Thresholds]
) -> bool:
    """Whether every strong detection of one sample is in the other too, moved by the camera's shift from `a` to `b`."""
    shifted = [d.shifted(*shift_px) for d in a]
    return _all_in(shifted, b, shift_px, thresholds) and _all_in(b, shifted, shift_px, thresholds)


def _all_in(
    these: Sequence[Detection],
    those: Sequence[Detection],
    shift_px: tuple[float, float],
    thresholds: Mapping[str, Thresholds],
) -> bool:
    for d in these:
        limits = thresholds[d.label]
        if d.score < limits.start:
            continue
        if max(map(abs, shift_px)) > FAST_SIDES * (d.right - d.left):
            return False
        near = [o for o in those if o.label == d.label and buffered_iou(d.cxcywh, o.cxcywh) >= MIN_BUFFERED_IOU]
        if not any(o.score >= limits.link for o in near):
            return False
    return True
