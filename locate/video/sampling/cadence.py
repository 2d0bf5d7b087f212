"""Which frames a detector looks at, and when two looks agree so well that the frames between need none.

Footage is looked at every so often; where two looks disagree, the frame midway is looked at too, and so on until
looks are close:

    look        |                   |                   |
    frames      0   1   2   3   4   5   6   7   8   9   10
    face seen   a                   a                        0 and 5 agree: nothing between
                                            a           -    5 and 10 disagree: look at 7; 7 and 10 are close

On just which frame a thing comes or goes is found later, frame by frame and on a small part of the picture around it
(see `extension`), which costs a tenth of a look. Looks are dense only where the camera smears what it shows.
"""

from collections.abc import Mapping, Sequence

from veridact.locate.detectors.base import Detection
from veridact.locate.video.kalman import likeness
from veridact.locate.video.thresholds import Thresholds

CLOSE_SECONDS = 0.14
"""Looks that are so close need none between, whatever they show: three frames of 25 a second."""

LEAST_LIKENESS = 0.2
"""Of two looks at one thing, once the camera's own motion is taken out (see `kalman.likeness`): what is less
alike moves too fast by itself to be filled in between."""

FAST_SIDES = 4.0
"""A camera that moved things by this many times their size between two looks blurs them: looks must be dense."""


def agree(
    a: Sequence[Detection], b: Sequence[Detection], moved_px: tuple[float, float], thresholds: Mapping[str, Thresholds]
) -> bool:
    """Whether everything sure in one look is in the other too, where `moved_px` of the camera leads to."""
    follow = [d.shifted(*moved_px) for d in a]
    return _all_in(follow, b, moved_px, thresholds) and _all_in(b, follow, moved_px, thresholds)


def _all_in(
    these: Sequence[Detection],
    those: Sequence[Detection],
    moved_px: tuple[float, float],
    thresholds: Mapping[str, Thresholds],
) -> bool:
    for d in these:
        limits = thresholds[d.label]
        if d.score < limits.start:
            continue
        if max(map(abs, moved_px)) > FAST_SIDES * (d.right - d.left):
            return False
        partners = [o for o in those if o.label == d.label and likeness(d.place, o.place) >= LEAST_LIKENESS]
        if not any(o.score >= limits.link for o in partners):
            return False
    return True
