"""What a viewer can see of a frame: the strongest cover of every pixel, and how much detail it lets through.

A level is 0 under a solid cover, greater the more cells the mosaic or blur has, and `VISIBLE` where nothing is covered.
Where covers overlap it is that of the strongest, as painted: a mosaic wins over a blur of fewer cells. Arrays have the
shape (rows, columns) of the area that is asked for. On a raster without chroma blocks (`Raster.displayed`) the pixels
that are painted beside a cover, to fill its last chroma blocks, count as visible.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veridact.schema.geometry import Edges
from veridact.schema.manifest import Manifest, Solid, VideoEffect
from veridact.schema.plan.effects import effect_over_everything
from veridact.schema.plan.video import Cover, FramePlan, intersection

VISIBLE = 255
NO_COVER = -1

Levels = NDArray[np.uint8]
Pixels = NDArray[np.bool_]


def level_of(effect: VideoEffect | None) -> int:
    """How much an effect lets through: 0 for solid, then by cells, a blur above a mosaic; all where there is none."""
    if effect is None:
        return VISIBLE
    return 0 if isinstance(effect, Solid) else 2 * effect.cells + int(effect.effect == "blur")


def level_without_tracks(manifest: Manifest) -> int:
    """The level of a pixel that no track covers or keeps."""
    return level_of(effect_over_everything(manifest))


def strongest(frame: FramePlan, area: Edges) -> NDArray[np.int32]:
    """For every pixel of an area the position in `frame.covers` of its strongest cover, or `NO_COVER`."""
    found = np.full((area.height, area.width), NO_COVER, np.int32)
    _assign(found, frame, area, range(len(frame.covers)))
    return found


def _assign(pixels: NDArray[Any], frame: FramePlan, area: Edges, values: Sequence[int]) -> None:
    """Gives every pixel of an area that is covered the value of its strongest cover, of one value for each cover."""
    for cover, value in zip(frame.covers, values, strict=True):
        part, mask = cover.within(area)
        if not part.empty:
            _view(pixels, area, part)[... if mask is None else mask] = value


def spared(frame: FramePlan, area: Edges) -> Pixels:
    """Which pixels of an area the cover over everything leaves as they are: those of a `keep`, or all without it."""
    found = np.full((area.height, area.width), frame.everything is None)
    for _, kept in frame.keeps:
        part = intersection(kept, area)
        if not part.empty:
            _view(found, area, part)[...] = True
    return found


def _view(pixels: NDArray[Any], area: Edges, part: Edges) -> NDArray[Any]:
    """The part of an area's pixels that lies in a rectangle within the area."""
    return pixels[part.top - area.top : part.bottom - area.top, part.left - area.left : part.right - area.left]


def levels(frame: FramePlan, area: Edges) -> Levels:
    """The level of every pixel of an area; what is covered by everything stays so under a weaker cover of a track."""
    found = np.full((area.height, area.width), VISIBLE, np.uint8)
    _assign(found, frame, area, [level_of(cover.effect) for cover in frame.covers])
    if frame.everything is None:
        return found
    ground = np.where(spared(frame, area), np.uint8(VISIBLE), np.uint8(level_of(frame.everything.effect)))
    return np.minimum(found, ground)


def hidden(frame: FramePlan, area: Edges) -> Pixels:
    """Which pixels of an area are covered by anything."""
    return levels(frame, area) < VISIBLE


def owned(frame: FramePlan, area: Edges) -> Iterator[tuple[Cover, Pixels]]:
    """Each cover that is the strongest somewhere in an area, with the pixels where it is; the one over all is first."""
    numbers = strongest(frame, area)
    if frame.everything is not None:
        pixels = (numbers == NO_COVER) & ~spared(frame, area)
        if pixels.any():
            yield frame.everything, pixels
    for number, cover in enumerate(frame.covers):
        pixels = numbers == number
        if pixels.any():
            yield cover, pixels
