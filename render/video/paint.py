"""Painting covers on planes, in integers: `solid`, `mosaic` and `blur`, as a table from name to function.

A cover is cut to the picture and to whole chroma blocks; a `mask` of its pixels (None for a plain rectangle) is the
same within each chroma block, so that luma and chroma always end on the same edge.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from veridact.render.video.planes import Plane, Samples
from veridact.sandbox.heartbeat import beat
from veridact.schema.geometry import Edges, clip, ellipse_rows
from veridact.schema.manifest import Cells, Solid
from veridact.schema.plan.video import Cover, FramePlan, Raster

Mask = NDArray[np.bool_] | None


@dataclass(frozen=True)
class Patch:
    """A cover on this picture: its rectangle cut to the picture, the mask of its pixels, and its cell grid.

    `area` is not cut: cells keep their place when the thing they hide leaves the picture.
    """

    effect: Solid | Cells
    visible: Edges
    area: Edges
    grid: tuple[int, int]
    mask: Mask


def whole_blocks(raster: Raster) -> tuple[int, int]:
    """The picture's size, made whole chroma blocks."""
    return (-(-raster.width // raster.step_x) * raster.step_x, -(-raster.height // raster.step_y) * raster.step_y)


def patch_of(cover: Cover, raster: Raster) -> Patch | None:
    """The part of a cover that lies on the picture, or None when nothing does."""
    visible = clip(cover.area, *whole_blocks(raster))
    if visible.empty:
        return None
    x, y, width, height = cover.box
    mask = None
    if cover.effect.shape == "ellipse":
        seen = Edges(visible.left - x, visible.top - y, visible.right - x, visible.bottom - y)
        mask = _ellipse_mask(width, height, seen, raster.step_x, raster.step_y)
    if mask is not None and not mask.any():
        return None
    return Patch(cover.effect, visible, cover.area, cover.grid, mask)


@lru_cache(maxsize=16)
def _ellipse_mask(width: int, height: int, seen: Edges, step_x: int, step_y: int) -> NDArray[np.bool_]:
    """The pixels of `seen`, whole chroma blocks, whose block the ellipse around (0, 0, width, height) touches.

    Remembered, because a cover that moves keeps its size for many frames and can lie to the blocks in few ways.
    """
    mask = np.zeros((seen.height, seen.width), np.bool_)
    spans = np.array(ellipse_rows((0, 0, width, height), seen.top, seen.bottom), np.int64).reshape(-1, 3)
    rows, lefts, rights = (spans - (seen.top, seen.left, seen.left)).T
    if rows.size:
        blocks = rows // step_y
        starts = np.flatnonzero(np.diff(blocks, prepend=-1))
        # The spans of neighbouring rows lie within one another, so the widest of a row of blocks is all of them.
        first = np.minimum.reduceat(lefts, starts) // step_x * step_x
        last = -(-np.maximum.reduceat(rights, starts) // step_x) * step_x
        columns = np.arange(seen.width)
        touched = (columns >= first[:, None]) & (columns < last[:, None])
        top = int(blocks[0]) * step_y
        mask[top : top + len(starts) * step_y] = touched.repeat(step_y, axis=0)
    mask.flags.writeable = False
    return mask


def pixel_mask(patch: Patch, raster: Raster) -> NDArray[np.bool_]:
    """Which pixels of the patch's visible rectangle, cut to the picture, it covers."""
    inside = clip(patch.visible, raster.width, raster.height)
    if patch.mask is None:
        return np.ones((inside.height, inside.width), np.bool_)
    return patch.mask[: inside.height, : inside.width]


def pixels_covered(patch: Patch, raster: Raster) -> int:
    """How many pixels of the picture the patch covers."""
    return int(np.count_nonzero(pixel_mask(patch, raster)))


def _on_plane(e: Edges, plane: Plane) -> Edges:
    return Edges(e.left // plane.step_x, e.top // plane.step_y, e.right // plane.step_x, e.bottom // plane.step_y)


def _cell_edges(start: int, length: int, cells: int) -> list[int]:
    """Where each of `cells` cells along a side begins, and where the last ends."""
    cells = min(cells, length)
    return [start + i * length // cells for i in range(cells + 1)]


def _visible_cells(cell_edges: Sequence[int], low: int, high: int) -> tuple[int, int]:
    """The half-open range of cells that touch [low, high)."""
    first = next(i for i in range(len(cell_edges) - 1) if cell_edges[i + 1] > low)
    last = next(i for i in range(len(cell_edges) - 1, 0, -1) if cell_edges[i - 1] < high)
    return first, last


@dataclass(frozen=True)
class _Axis:
    """The cells along one side of a patch on one plane: their edges, and the range [first, last) that is visible."""

    edges: list[int]
    first: int
    last: int
    low: int
    high: int

    def starts(self) -> list[int]:
        """Where the visible cells begin, counted from the first visible sample."""
        return [max(e, self.low) - self.low for e in self.edges[self.first : self.last]]

    def lengths(self) -> NDArray[np.int64]:
        """How many visible samples each visible cell has."""
        starts = self.starts()
        ends = [*starts[1:], self.high - self.low]
        return np.asarray(ends, np.int64) - np.asarray(starts, np.int64)


def _axis(start: int, length: int, cells: int, low: int, high: int) -> _Axis:
    found = _cell_edges(start, length, cells)
    return _Axis(found, *_visible_cells(found, low, high), low, high)


def _axes(patch: Patch, plane: Plane) -> tuple[_Axis, _Axis, Edges]:
    area = _on_plane(patch.area, plane)
    rows, columns = plane.samples.shape
    seen = clip(_on_plane(patch.visible, plane), columns, rows)
    across = _axis(area.left, area.width, patch.grid[0], seen.left, seen.right)
    down = _axis(area.top, area.height, patch.grid[1], seen.top, seen.bottom)
    return down, across, seen


def _cell_means(patch: Patch, plane: Plane) -> tuple[NDArray[np.int64], _Axis, _Axis]:
    """The mean of each visible cell, floored and rounded down to the plane's quantum."""
    down, across, seen = _axes(patch, plane)
    region = plane.samples[seen.top : seen.bottom, seen.left : seen.right]
    by_row = np.add.reduceat(region, down.starts(), axis=0, dtype=np.int64)
    sums = np.add.reduceat(by_row, across.starts(), axis=1)
    counts = down.lengths()[:, None] * across.lengths()[None, :]
    return sums // counts // plane.quantum * plane.quantum, down, across


def solid(patch: Patch, plane: Plane) -> Samples:
    """One value: black."""
    rows, columns = plane.samples.shape
    seen = clip(_on_plane(patch.visible, plane), columns, rows)
    return np.broadcast_to(plane.samples.dtype.type(plane.black), (seen.height, seen.width))


def mosaic(patch: Patch, plane: Plane) -> Samples:
    """Each cell filled with its quantised mean."""
    means, down, across = _cell_means(patch, plane)
    filled = means.astype(plane.samples.dtype)
    return filled.repeat(down.lengths(), axis=0).repeat(across.lengths(), axis=1)


def _weights(axis: _Axis) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int]:
    """For every visible sample: the two cells it lies between, how far it is from the first, and the whole way."""
    cells, start = len(axis.edges) - 1, axis.edges[0]
    length = axis.edges[-1] - start
    at = np.arange(axis.low - start, axis.high - start, dtype=np.int64)
    # In units of 1/(2·length) cells from the centre of cell 0: (2·at + 1)·cells - length.
    position = (2 * at + 1) * cells - length
    first = position // (2 * length)
    rest = position - first * 2 * length
    low, high = axis.first, axis.last - 1
    return first.clip(low, high) - low, (first + 1).clip(low, high) - low, rest, 2 * length


def blur(patch: Patch, plane: Plane) -> Samples:
    """A mosaic whose means are joined by straight lines between cell centres: no more is known than the cells."""
    means, down, across = _cell_means(patch, plane)
    y0, y1, wy, height = _weights(down)
    x0, x1, wx, width = _weights(across)
    if int(means.max()) * height * width > np.iinfo(np.int64).max:  # 16 bits under a cover of millions of pixels a side
        means = means.astype(object)
    rows = means[y0] * (height - wy)[:, None] + means[y1] * wy[:, None]
    both = rows[:, x0] * (width - wx)[None, :] + rows[:, x1] * wx[None, :]
    return (both // (height * width)).astype(plane.samples.dtype)


EFFECTS: dict[str, Callable[[Patch, Plane], Samples]] = {"solid": solid, "mosaic": mosaic, "blur": blur}
"""Each takes a patch and a plane and returns the samples for the patch's visible rectangle on that plane."""


def _put(patch: Patch, plane: Plane, values: Samples) -> None:
    rows, columns = plane.samples.shape
    seen = clip(_on_plane(patch.visible, plane), columns, rows)
    target = plane.samples[seen.top : seen.bottom, seen.left : seen.right]
    if patch.mask is None:
        target[:] = values
    else:
        np.copyto(target, values, where=patch.mask[:: plane.step_y, :: plane.step_x][: seen.height, : seen.width])


def paint(planes: Sequence[Plane], frame: FramePlan, raster: Raster) -> dict[int, int]:
    """Paints a frame in place and returns the pixels covered (or kept) by each track that touches it.

    Solid covers go on first and last: first, so that no mean of a weaker cover that overlaps one, or of the effect over
    everything, is taken of what it hides, last, because the strongest cover is the one that is seen.
    """
    found = [(cover.track, patch) for cover in frame.covers if (patch := patch_of(cover, raster)) is not None]
    counted: dict[int, int] = {track: edges.width * edges.height for track, edges in frame.keeps}
    for track, patch in found:
        counted[track] = counted.get(track, 0) + pixels_covered(patch, raster)
    patches = [patch for _, patch in found]
    for plane in planes:
        solids = [(p, solid(p, plane)) for p in patches if p.effect.effect == "solid"]
        _put_all(solids, plane)
        if frame.everything is not None:
            _paint_everything(plane, frame, frame.everything, raster)
            _put_all(solids, plane)
        weaker = [(p, _values(p, plane)) for p in patches if p.effect.effect != "solid"]
        _put_all(weaker + solids if weaker else (), plane)
    return counted


def _put_all(painted: Iterable[tuple[Patch, Samples]], plane: Plane) -> None:
    for patch, values in painted:
        _put(patch, plane, values)


def _values(patch: Patch, plane: Plane) -> Samples:
    """An effect's samples; what covers alpha is always opaque."""
    beat()  # a blur over the largest picture takes seconds
    return EFFECTS["solid" if plane.opaque else patch.effect.effect](patch, plane)


def _paint_everything(plane: Plane, frame: FramePlan, effect: Solid | Cells, raster: Raster) -> None:
    """Covers the whole plane with an effect and puts the kept rectangles back."""
    width, height = whole_blocks(raster)
    whole = Edges(0, 0, width, height)
    cells = effect.cells if isinstance(effect, Cells) else 1
    patch = Patch(effect, whole, whole, (cells, cells), None)
    kept = [_on_plane(e, plane) for _, e in frame.keeps]
    saved = [(e, plane.samples[e.top : e.bottom, e.left : e.right].copy()) for e in kept]
    _put(patch, plane, _values(patch, plane))
    for e, samples in saved:
        plane.samples[e.top : e.bottom, e.left : e.right] = samples
