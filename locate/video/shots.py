"""Where one shot ends and the next begins."""

from collections.abc import Sequence
from itertools import pairwise

from veridact.locate.video.detections import Looks

CUT_DIFFERENCE = 18.0
CUT_RATIO = 2.0
"""A cut changes the mean brightness of the gist by this much, and by this many times what its neighbours change:
camera moves change every frame alike. A missed cut costs a cover too many, a cut too many breaks a track in two."""

STANDS_STILL_PX = 2.0
"""A camera that moved by less than this does not explain a great change."""


def shots(looks: Looks) -> list[Looks]:
    """The looks divided at cuts; every shot has at least one."""
    changes = [look.change for look in looks]
    cuts = (
        i for i in range(1, len(looks)) if may_be_cut(looks[i].change, looks[i].shift_px) and _stands_out(changes, i)
    )
    starts = [0, *cuts, len(looks)]
    return [looks[a:b] for a, b in pairwise(starts) if a < b]


def may_be_cut(change: float, shift_px: tuple[float, float]) -> bool:
    """Whether a frame differs much from the one before, and not because the camera moved (see `detections.Look`)."""
    return change >= CUT_DIFFERENCE and max(map(abs, shift_px)) < STANDS_STILL_PX


def _stands_out(changes: Sequence[float], i: int) -> bool:
    around = [changes[j] for j in (i - 2, i - 1, i + 1, i + 2) if 1 <= j < len(changes)]
    usual = sum(around) / len(around) if around else 0.0
    return changes[i] >= CUT_RATIO * usual
