"""Painting covers on planes, in integers: `solid`, `mosaic` and `blur`, as a table from name to function.

Which pixels a cover has is decided by the plan (`Cover.visible`, `Cover.mask`): whole chroma blocks, so that luma and
chroma end on the same edge.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from veridact.render.video.planes import Plane, Samples
from veridact.sandbox.heartbeat import beat
from veridact.schema.geometry import Edges, clip
from veridact.schema.plan.video import Cover, FramePlan


def _on_plane(e: Edges, plane: Plane) -> Edges:
    """A rectangle of whole chroma blocks of the picture, in samples of the plane."""
    return Edges(e.left // plane.step_x, e.top // plane.step_y, e.right // plane.step_x, e.bottom // plane.step_y)


def _cell_edges(start: int, length: int, cells: int) -> list[int]:
    """The first sample of each of `cells` cells along a side, and the end of the last."""
    cells = min(cells, length)
    return [start + i * length // cells for i in range(cells + 1)]


def _visible_cells(cell_edges: Sequence[int], low: int, high: int) -> tuple[int, int]:
    """The half-open range of cells that touch [low, high)."""
    first = next(i for i in range(len(cell_edges) - 1) if cell_edges[i + 1] > low)
    last = next(i for i in range(len(cell_edges) - 1, 0, -1) if cell_edges[i - 1] < high)
    return first, last


@dataclass(frozen=True)
class _Axis:
    """The cells along one side of a cover on one plane, in samples.

    `edges` are where the cells begin and where the last ends; those in [first, last) are visible on [low, high).
    """

    edges: list[int]
    first: int
    last: int
    low: int
    high: int

    def starts(self) -> list[int]:
        """The first sample of each visible cell, counted from the first visible sample."""
        return [max(e, self.low) - self.low for e in self.edges[self.first : self.last]]

    def lengths(self) -> NDArray[np.int64]:
        """How many visible samples each visible cell has."""
        starts = self.starts()
        ends = [*starts[1:], self.high - self.low]
        return np.asarray(ends, np.int64) - np.asarray(starts, np.int64)


def _axis(start: int, length: int, cells: int, low: int, high: int) -> _Axis:
    found = _cell_edges(start, length, cells)
    return _Axis(found, *_visible_cells(found, low, high), low, high)


def _axes(cover: Cover, plane: Plane) -> tuple[_Axis, _Axis, Edges]:
    """The cells down and across a cover on a plane, and its visible rectangle, cut to the plane."""
    area = _on_plane(cover.area, plane)
    rows, columns = plane.samples.shape
    seen = clip(_on_plane(cover.visible, plane), columns, rows)
    across = _axis(area.left, area.width, cover.grid[0], seen.left, seen.right)
    down = _axis(area.top, area.height, cover.grid[1], seen.top, seen.bottom)
    return down, across, seen


def _cell_means(cover: Cover, plane: Plane) -> tuple[NDArray[np.int64], _Axis, _Axis]:
    """The mean of each visible cell, floored and rounded down to the plane's quantum."""
    down, across, seen = _axes(cover, plane)
    region = plane.samples[seen.top : seen.bottom, seen.left : seen.right]
    by_row = np.add.reduceat(region, down.starts(), axis=0, dtype=np.int64)
    sums = np.add.reduceat(by_row, across.starts(), axis=1)
    counts = down.lengths()[:, None] * across.lengths()[None, :]
    return sums // counts // plane.quantum * plane.quantum, down, across


def solid(cover: Cover, plane: Plane) -> Samples:
    """One value: black."""
    rows, columns = plane.samples.shape
    seen = clip(_on_plane(cover.visible, plane), columns, rows)
    return np.broadcast_to(plane.samples.dtype.type(plane.black), (seen.height, seen.width))


def mosaic(cover: Cover, plane: Plane) -> Samples:
    """Each cell filled with its quantised mean."""
    means, down, across = _cell_means(cover, plane)
    filled = means.astype(plane.samples.dtype)
    return filled.repeat(down.lengths(), axis=0).repeat(across.lengths(), axis=1)


def _weights(axis: _Axis) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int]:
    """For every visible sample the two cells whose centres it lies between and its distance from the first.

    The cells are counted from the first visible one; the last value is the distance between two centres.
    """
    cells, start = len(axis.edges) - 1, axis.edges[0]
    length = axis.edges[-1] - start
    at = np.arange(axis.low - start, axis.high - start, dtype=np.int64)
    # In units of 1/(2·length) cells from the centre of cell 0: (2·at + 1)·cells - length.
    position = (2 * at + 1) * cells - length
    first = position // (2 * length)
    rest = position - first * 2 * length
    low, high = axis.first, axis.last - 1
    return first.clip(low, high) - low, (first + 1).clip(low, high) - low, rest, 2 * length


def blur(cover: Cover, plane: Plane) -> Samples:
    """A mosaic whose means are interpolated linearly between cell centres: it holds no more than the cells."""
    means, down, across = _cell_means(cover, plane)
    y0, y1, wy, height = _weights(down)
    x0, x1, wx, width = _weights(across)
    if int(means.max()) * height * width > np.iinfo(np.int64).max:  # 16 bits under a cover of millions of pixels a side
        means = means.astype(object)
    rows = means[y0] * (height - wy)[:, None] + means[y1] * wy[:, None]
    both = rows[:, x0] * (width - wx)[None, :] + rows[:, x1] * wx[None, :]
    return (both // (height * width)).astype(plane.samples.dtype)


EFFECTS: dict[str, Callable[[Cover, Plane], Samples]] = {"solid": solid, "mosaic": mosaic, "blur": blur}
"""Each takes a cover and a plane and returns the samples for the cover's visible rectangle on that plane."""


def _put(cover: Cover, plane: Plane, values: Samples) -> None:
    """Writes the samples of a cover's visible rectangle where its mask says so."""
    rows, columns = plane.samples.shape
    seen = clip(_on_plane(cover.visible, plane), columns, rows)
    target = plane.samples[seen.top : seen.bottom, seen.left : seen.right]
    if cover.mask is None:
        target[:] = values
    else:
        np.copyto(target, values, where=cover.mask[:: plane.step_y, :: plane.step_x][: seen.height, : seen.width])


def paint(planes: Sequence[Plane], frame: FramePlan) -> dict[int, int]:
    """Paints a frame in place and returns the pixels covered (or kept) by each track that touches it.

    Solid covers are painted first and last: first, so that no mean of a weaker cover that overlaps one, or of the
    effect over everything, is taken of what it hides, last, because the strongest cover is the one that is seen.
    """
    counted: dict[int, int] = {track: edges.width * edges.height for track, edges in frame.keeps}
    for cover in frame.covers:
        counted[cover.track] = counted.get(cover.track, 0) + cover.pixel_count()
    for plane in planes:
        solids = [(c, solid(c, plane)) for c in frame.covers if c.effect.effect == "solid"]
        _put_all(solids, plane)
        if frame.everything is not None:
            _paint_everything(plane, frame.everything, [edges for _, edges in frame.keeps])
            _put_all(solids, plane)
        weaker = [(c, _values(c, plane)) for c in frame.covers if c.effect.effect != "solid"]
        _put_all(weaker + solids if weaker else (), plane)
    return counted


def _put_all(painted: Iterable[tuple[Cover, Samples]], plane: Plane) -> None:
    for cover, values in painted:
        _put(cover, plane, values)


def _values(cover: Cover, plane: Plane) -> Samples:
    """The samples of an effect; what covers alpha is always opaque."""
    beat()  # a blur over the largest picture takes seconds
    return EFFECTS["solid" if plane.opaque else cover.effect.effect](cover, plane)


def _paint_everything(plane: Plane, cover: Cover, keeps: Sequence[Edges]) -> None:
    """Paints the whole plane and puts the kept rectangles back."""
    kept = [_on_plane(e, plane) for e in keeps]
    saved = [(e, plane.samples[e.top : e.bottom, e.left : e.right].copy()) for e in kept]
    _put(cover, plane, _values(cover, plane))
    for e, samples in saved:
        plane.samples[e.top : e.bottom, e.left : e.right] = samples
