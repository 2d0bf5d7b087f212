"""What a manifest covers, worked out the slow and plain way: pixel by pixel and sample by sample, from the contract.

A level is 0 under solid, twice the number of cells under a mosaic, one more under a blur, `VISIBLE` where nothing is.
Arrays have shape (rows, columns). Nothing here comes from `schema.plan`.
"""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from typing import Any

import numpy as np

from tests.plan.strategies import Case
from veridact.schema.manifest import AudioRange, AudioStream, Manifest, Segment, Solid, Track

VISIBLE = 255
MARGIN = 4
"""So many pixels around the picture are worked out as well: blocks of chroma can hold some of them."""

Levels = np.ndarray[Any, np.dtype[np.uint8]]
Pixels = np.ndarray[Any, np.dtype[np.bool_]]
TURN = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(np.transpose(a), 2),
    8: lambda a: np.rot90(a, 1),
}
"""From the stored picture to the one displayed, by EXIF orientation."""
TURN_BACK = {**TURN, 6: TURN[8], 8: TURN[6]}


@dataclass(frozen=True)
class Painted:
    """One track on one frame: which pixels it touches, from `MARGIN` before the picture on, and its level."""

    track: Track
    level: int
    touched: Pixels


def counts(item: Track | AudioRange) -> bool:
    """Whether an item has any effect: a `keep` needs a review, anything else counts until it is rejected."""
    return item.review not in ({"rejected", "proposed"} if item.label == "keep" else {"rejected"})


def effect_of(item: Track | AudioRange, manifest: Manifest) -> Any:
    """None for a `keep`."""
    effects = manifest.effects.video if isinstance(item, Track) else manifest.effects.audio
    if item.label == "keep" or effects is None:
        return None
    return item.effect or getattr(effects, item.label) or effects.default


def level_of(effect: Any) -> int:
    if isinstance(effect, Solid):
        return 0
    return 2 * effect.cells + (effect.effect == "blur")


def strength(level: int) -> tuple[int, int]:
    """Greater is stronger: solid over mosaic over blur, then fewer cells."""
    return ((level == 0) + (level % 2 == 0), -level)


def ground(manifest: Manifest) -> int:
    if manifest.scope == "listed" or manifest.effects.video is None:
        return VISIBLE
    return level_of(manifest.effects.video.default)


def box_on(segment: Segment, frame: int, pts: tuple[int, ...], inward: bool) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom on a frame, rounded outward or inward."""
    if not segment.keys[0].frame <= frame < segment.end:
        return None
    before = [k for k in segment.keys if k.frame <= frame][-1]
    after = [k for k in segment.keys if k.frame > frame]
    (x, y, w, h), way = before.box, Fraction(0)
    x2, y2, w2, h2 = after[0].box if after else before.box
    if after:
        way = Fraction(pts[frame] - pts[before.frame], pts[after[0].frame] - pts[before.frame])
    low, high = (ceil, floor) if inward else (floor, ceil)
    left, top = low(x + way * (x2 - x)), low(y + way * (y2 - y))
    return left, top, high(x + w + way * (x2 + w2 - x - w)), high(y + h + way * (y2 + h2 - y - h))


def _inside(x: int, y: int, e: tuple[int, int, int, int], ellipse: bool) -> bool:
    """Whether the pixel at x, y is touched: it lies in the box, or one of its corners in the ellipse around it."""
    left, top, right, bottom = e
    if not ellipse:
        return left <= x < right and top <= y < bottom
    w, h = right - left, bottom - top
    return any(
        (2 * cx - left - right) ** 2 * h * h + (2 * cy - top - bottom) ** 2 * w * w <= 2 * w * w * h * h
        for cx in (x, x + 1)
        for cy in (y, y + 1)
    )


def painted(case: Case) -> list[Painted]:
    """Every track that counts, touching the displayed picture and the margin around it, weakest first, keeps before."""
    found = []
    stream = case.stream
    for track in case.manifest.tracks:
        keep = track.label == "keep"
        if track.stream != stream.index or not counts(track):
            continue
        effect = effect_of(track, case.manifest)
        for segment in track.segments:
            e = box_on(segment, case.frame, case.pts, keep)
            if e is None:
                continue
            if effect is not None:
                w, h = e[2] - e[0], e[3] - e[1]
                dx, dy = ceil(Fraction(w * effect.pad_permille, 1000)), ceil(Fraction(h * effect.pad_permille, 1000))
                e = (e[0] - dx, e[1] - dy, e[2] + dx, e[3] + dy)
            ellipse = effect is not None and effect.shape == "ellipse"
            touched = np.array(
                [
                    [_inside(x, y, e, ellipse) for x in range(-MARGIN, stream.width + MARGIN)]
                    for y in range(-MARGIN, stream.height + MARGIN)
                ]
            )
            found.append(Painted(track, VISIBLE if keep else level_of(effect), touched))
    keeps = [p for p in found if p.level == VISIBLE]
    return keeps + sorted((p for p in found if p.level < VISIBLE), key=lambda p: strength(p.level))


def on_picture(touched: Pixels) -> Pixels:
    return touched[MARGIN:-MARGIN, MARGIN:-MARGIN]


def seen(case: Case) -> Levels:
    """The levels of the displayed picture, without growth to blocks: what is under the ground stays at least as hidden.

    A dropped stream shows nothing at all.
    """
    stream = case.stream
    top = np.full((stream.height, stream.width), VISIBLE, np.uint8)
    left = np.full_like(top, ground(case.manifest))
    for each in painted(case):
        (left if each.level == VISIBLE else top)[on_picture(each.touched)] = each.level
    return np.minimum(left, top)


def turned(case: Case, stored: Any) -> Any:
    """An array of the picture that is painted as it is displayed."""
    return TURN[case.raster.orientation](stored)


def _stored_blocks(case: Case, touched: Pixels) -> Pixels:
    """What is touched, on the picture that is painted, with the pixels beyond it that its last blocks hold."""
    stored = TURN_BACK[case.raster.orientation](touched)
    width, height = whole(case)
    return stored[MARGIN : MARGIN + height, MARGIN : MARGIN + width]


def whole(case: Case) -> tuple[int, int]:
    """The width and height of the picture that is painted, made whole blocks."""
    r = case.raster
    return ceil(Fraction(r.width, r.step_x)) * r.step_x, ceil(Fraction(r.height, r.step_y)) * r.step_y


def grown(case: Case, touched: Pixels, every: bool = False) -> Pixels:
    """The pixels of the stored picture whose block is touched anywhere or, with `every`, on the picture everywhere."""
    r = case.raster
    blocks = _stored_blocks(case, touched).copy()
    if every:  # a keep ends with the picture, so that a block that is cut by its edge is never kept
        blocks[r.height :, :] = False
        blocks[:, r.width :] = False
    found = np.zeros_like(blocks)
    for y in range(0, blocks.shape[0], r.step_y):
        for x in range(0, blocks.shape[1], r.step_x):
            block = blocks[y : y + r.step_y, x : x + r.step_x]
            found[y : y + r.step_y, x : x + r.step_x] = block.all() if every else block.any()
    return found[: r.height, : r.width]


def painted_levels(case: Case) -> Levels:
    """The level of what was painted last on each pixel of the stored picture, whole blocks of it."""
    r = case.raster
    found = np.full((r.height, r.width), ground(case.manifest), np.uint8)
    for each in painted(case):
        found[grown(case, each.touched, every=each.level == VISIBLE)] = each.level
    return found


# ---- sound


LAST = 1 << 60
"""A sample after any sound."""


def items_on(manifest: Manifest, stream: AudioStream) -> list[AudioRange]:
    return [r for r in manifest.audio if r.stream in (None, stream.index) and counts(r)]


def is_hidden(manifest: Manifest, stream: AudioStream, sample: int) -> bool:
    """Whether a sample is silenced or beeped over.

    With rate r, sample n is the time from 1000 n / r to 1000 (n + 1) / r ms. A padded range hides it that shares more
    than an edge with that time and, in scope `everything`, so does the lack of a single `keep` that holds all of it.
    """
    begins, ends = (Fraction(1000 * n, stream.sample_rate) for n in (sample, sample + 1))
    kept = manifest.scope == "listed"
    for item in items_on(manifest, stream):
        effect = effect_of(item, manifest)
        if effect is None:
            kept = kept or (item.start_ms <= begins and ends <= item.end_ms)
        elif item.start_ms - effect.pad_ms < ends and begins < item.end_ms + effect.pad_ms:
            return True
    return not kept


def hidden_samples(manifest: Manifest, stream: AudioStream) -> list[tuple[int, int]]:
    """All that is hidden as half-open ranges from sample 0 on, as long as they can be."""
    bounds = {0, LAST}
    for item in items_on(manifest, stream):
        pad_ms = getattr(effect_of(item, manifest), "pad_ms", 0)
        for ms in (item.start_ms - pad_ms, item.end_ms + pad_ms):
            at = Fraction(ms * stream.sample_rate, 1000)
            bounds |= {n for n in (floor(at), ceil(at)) if n > 0}
    found: list[tuple[int, int]] = []
    for start, end in pairwise(sorted(bounds)):
        if is_hidden(manifest, stream, start):
            joins = bool(found) and found[-1][1] == start
            found[-1:] = [(found[-1][0], end)] if joins else [*found[-1:], (start, end)]
    return found
