"""What a viewer can see under a manifest, pixel by pixel and frame by frame, without opening the footage.

Each pixel has a level: 0 under a solid cover, more the finer the cells of what covers it, `VISIBLE` where nothing does.
Where covers overlap it is that of the strongest, as in `render`: a mosaic wins over a blur of fewer cells. Growth to
the chroma grid is left out on both sides: what is painted beside a cover for its sake counts as visible.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veridact.schema.geometry import Box, Edges, clip, edges, ellipse_bounds, ellipse_rows, pad
from veridact.schema.manifest import Manifest, PictureStream, Solid, Track, VideoStream
from veridact.schema.plan.effects import counts, effect_of
from veridact.schema.plan.segments import walk
from veridact.schema.timeline import Clock

VISIBLE = 255
MASK_PIXELS = 1 << 22
"""The mask of an ellipse is remembered up to this size; of a larger one only the rows in question are worked out."""

Levels = NDArray[np.uint8]


@dataclass(frozen=True)
class Cover:
    """One track as it is painted: `level` is `VISIBLE` for a `keep`, whose boxes have no padding."""

    item: Track
    level: int
    ellipse: bool
    pad_permille: int

    @property
    def keep(self) -> bool:
        return self.level == VISIBLE

    @property
    def strength(self) -> tuple[bool, int]:
        """Sorts from weakest to strongest: solid over mosaic over blur, then fewer cells (SPEC §3)."""
        return self.level % 2 == 0, -self.level


def level_of(effect: Any) -> int:
    """How much an effect lets through: 0 for solid, then by cells, a blur above a mosaic."""
    if isinstance(effect, Solid):
        return 0
    return 2 * int(effect.cells) + int(effect.effect == "blur")


def covers(manifest: Manifest, stream: int) -> list[Cover]:
    """The tracks of a stream that count."""
    found = []
    for track in manifest.tracks:
        if track.stream == stream and counts(track):
            effect = effect_of(track, manifest)
            if effect is None:
                found.append(Cover(track, VISIBLE, False, 0))
            else:
                found.append(Cover(track, level_of(effect), effect.shape == "ellipse", effect.pad_permille))
    return found


def ground(manifest: Manifest) -> int:
    """The level where there is no track at all."""
    if manifest.scope == "everything" and manifest.effects.video is not None:
        return level_of(manifest.effects.video.default)
    return VISIBLE


def placed(cover: Cover, clock: Clock, within: range | None = None) -> Iterator[tuple[int, Box]]:
    """Every frame of a cover, or those within an unbroken range, with its padded box."""
    for frame, box in walk(cover.item.segments, clock.assumed(), cover.keep, within):
        if box[2] > 0 and box[3] > 0:
            yield frame, pad(box, cover.pad_permille)


def bounds(cover: Cover, box: Box, stream: VideoStream | PictureStream) -> Edges:
    """The part of the picture that a cover with this padded box can touch."""
    return clip(ellipse_bounds(box) if cover.ellipse else edges(box), stream.width, stream.height)


@lru_cache(maxsize=64)
def _ellipse(width: int, height: int) -> tuple[int, int, NDArray[np.bool_]]:
    """The pixels of the ellipse around the box (0, 0, width, height), and where their array begins."""
    e = ellipse_bounds((0, 0, width, height))
    mask = np.zeros((e.height, e.width), np.bool_)
    for y, left, right in ellipse_rows((0, 0, width, height), e.top, e.bottom):
        mask[y - e.top, left - e.left : right - e.left] = True
    return e.left, e.top, mask


def _covered(cover: Cover, box: Box, area: Edges) -> NDArray[np.bool_]:
    """Which pixels of the area a cover with this padded box touches."""
    touched = np.zeros((area.height, area.width), np.bool_)
    whole = ellipse_bounds(box) if cover.ellipse else edges(box)
    left, top = max(area.left, whole.left), max(area.top, whole.top)
    right, bottom = min(area.right, whole.right), min(area.bottom, whole.bottom)
    if left >= right or top >= bottom:
        return touched
    inside = touched[top - area.top : bottom - area.top, left - area.left : right - area.left]
    if not cover.ellipse:
        inside[...] = True
    elif whole.width * whole.height > MASK_PIXELS:
        for y, row_left, row_right in ellipse_rows(box, top, bottom):
            inside[y - top, max(0, row_left - left) : max(0, row_right - left)] = True
    else:
        from_left, from_top, mask = _ellipse(box[2], box[3])
        x, y = left - box[0] - from_left, top - box[1] - from_top
        inside[...] = mask[y : y + bottom - top, x : x + right - left]
    return touched


def levels(base: int, standing: list[tuple[Cover, Box]], area: Edges) -> Levels:
    """The level of every pixel of an area under the covers that stand on one frame."""
    ground = np.full((area.height, area.width), base, np.uint8)
    for cover, box in standing:
        if cover.keep:
            ground[_covered(cover, box, area)] = VISIBLE
    found = np.full_like(ground, VISIBLE)
    for cover, box in sorted(standing, key=lambda placed: placed[0].strength):
        if not cover.keep:
            found[_covered(cover, box, area)] = cover.level
    return np.minimum(ground, found)
