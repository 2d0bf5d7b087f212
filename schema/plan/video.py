"""What is covered on each frame of a stream, down to the pixel: the one answer of render, verify, diff, score and show.

displayed box of two keys ─interpolate─► box on this frame ─pad─► ─orientation─► stored picture ─grid─► Cover ─► pixels

A `Raster` says which picture is meant. For what is painted it is the stored picture with its chroma blocks; for what a
viewer is shown it is the displayed picture without them (`Raster.displayed`). Opens no file and paints nothing.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from veridact.schema.geometry import (
    Box,
    Edges,
    clip,
    edges,
    ellipse_bounds,
    ellipse_rows,
    grow_to_grid,
    pad,
    shrink_to_grid,
    to_coded,
)
from veridact.schema.manifest import Cells, Manifest, PictureStream, Segment, VideoEffect, VideoStream
from veridact.schema.plan.effects import cell_grid, counted_tracks, effect_over_everything, strength
from veridact.schema.plan.segments import box_at
from veridact.schema.timeline import Clock

Mask = NDArray[np.bool_] | None
"""Which pixels of a rectangle are covered, as (rows, columns); None for all of them."""

BUCKET_FRAMES = 256
"""Segments are indexed by the runs of this many frames that they touch."""

EVERYTHING = -1
"""In place of a track number: the cover over everything that is not kept."""


def intersection(a: Edges, b: Edges) -> Edges:
    """The rectangle that two have in common; may be empty."""
    return Edges(max(a.left, b.left), max(a.top, b.top), min(a.right, b.right), min(a.bottom, b.bottom))


@dataclass(frozen=True)
class Raster:
    """The geometry of a picture: its size, the EXIF orientation that displays it, and the size of a chroma block."""

    width: int
    height: int
    orientation: int
    step_x: int
    step_y: int

    @classmethod
    def displayed(cls, stream: VideoStream | PictureStream) -> "Raster":
        """The picture as displayed: upright, and every pixel a block of its own."""
        return cls(stream.width, stream.height, 1, 1, 1)

    @property
    def picture(self) -> Edges:
        """The rectangle of the picture."""
        return Edges(0, 0, self.width, self.height)

    @property
    def whole_blocks(self) -> Edges:
        """The rectangle of the picture, its right and lower edge made whole chroma blocks."""
        return grow_to_grid(self.picture, self.step_x, self.step_y)


@dataclass(frozen=True)
class Cover:
    """A track on one frame, in pixels of the raster.

    `box` is padded and may leave the picture; `grid` is the number of cells across and down.
    """

    track: int
    effect: VideoEffect
    box: Box
    grid: tuple[int, int]
    raster: Raster

    @cached_property
    def area(self) -> Edges:
        """The rectangle that is touched, grown to whole chroma blocks and not cut to the picture.

        The cells divide it, so that they keep their place when the object leaves the picture.
        """
        touched = ellipse_bounds(self.box) if self.effect.shape == "ellipse" else edges(self.box)
        return grow_to_grid(touched, self.raster.step_x, self.raster.step_y)

    @cached_property
    def visible(self) -> Edges:
        """The part of `area` on the picture, whose edges are made whole chroma blocks."""
        return intersection(self.area, self.raster.whole_blocks)

    @cached_property
    def mask(self) -> Mask:
        """The pixels of `visible` that are covered, whole chroma blocks, so that luma and chroma agree."""
        if self._fills(self.visible):
            return None
        return _ellipse_mask(self.box[2], self.box[3], self._from_box(self.visible), self._steps)

    @property
    def empty(self) -> bool:
        """Whether no pixel of the picture is covered."""
        if self.visible.empty or self.visible == self.area or self._fills(self.visible):
            return self.visible.empty
        seen = self._from_box(self.visible)
        _, lefts, rights = _ellipse_spans(self.box[2], self.box[3], seen, self._steps)
        return not bool(((lefts < seen.width) & (rights > 0)).any())

    def within(self, area: Edges) -> tuple[Edges, Mask]:
        """The part of an area of the picture that the cover may touch, and which pixels of it are covered."""
        part = intersection(self.visible, area)
        if part.empty or self._fills(part) or self.mask is None:
            return part, None
        left, top = self.visible.left, self.visible.top
        return part, self.mask[part.top - top : part.bottom - top, part.left - left : part.right - left]

    def pixel_count(self) -> int:
        """How many pixels of the picture are covered."""
        part, mask = self.within(self.raster.picture)
        return part.width * part.height if mask is None else int(np.count_nonzero(mask))

    def rows(self, top: int, bottom: int) -> list[tuple[int, int, int]]:
        """The pixels covered on the rows [top, bottom), made whole chroma blocks, as half-open `(row, left, right)`.

        The spans are not cut at the sides of the picture.
        """
        step_y = self.raster.step_y
        top, bottom = top // step_y * step_y, -(-bottom // step_y) * step_y
        seen = intersection(self.area, Edges(self.area.left, top, self.area.right, bottom))
        if self.effect.shape == "box" or seen.empty:
            return [(row, seen.left, seen.right) for row in range(seen.top, seen.bottom)]
        first, lefts, rights = _ellipse_spans(self.box[2], self.box[3], self._from_box(seen), self._steps)
        spans = enumerate(zip(lefts.tolist(), rights.tolist(), strict=True))
        return [
            (seen.top + first + step_y * n + line, seen.left + left, seen.left + right)
            for n, (left, right) in spans
            for line in range(step_y)
        ]

    @property
    def _steps(self) -> tuple[int, int]:
        return self.raster.step_x, self.raster.step_y

    def _from_box(self, e: Edges) -> Edges:
        """A rectangle of the picture, counted from the left upper corner of the box."""
        x, y, _, _ = self.box
        return Edges(e.left - x, e.top - y, e.right - x, e.bottom - y)

    def _fills(self, e: Edges) -> bool:
        """Whether all of a rectangle that the cover touches is covered: an ellipse circumscribes its box."""
        return self.effect.shape == "box" or intersection(e, edges(self.box)) == e


@lru_cache(maxsize=256)
def _ellipse_spans(
    width: int, height: int, seen: Edges, steps: tuple[int, int]
) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
    """The whole chroma blocks that the ellipse around (0, 0, width, height) touches, a span for each row of blocks.

    `seen` is a rectangle of whole blocks. Returned are the first row of blocks that is touched, in pixels, and the left
    and right ends of the half-open span on that row of blocks and each one after it, all counted from `seen`. Cached,
    because a cover that moves keeps its size for many frames and can lie to the blocks in few ways.
    """
    step_x, step_y = steps
    spans = np.array(ellipse_rows((0, 0, width, height), seen.top, seen.bottom), np.int64).reshape(-1, 3)
    rows, lefts, rights = (spans - (seen.top, seen.left, seen.left)).T
    if not rows.size:
        return 0, lefts, rights
    blocks = rows // step_y
    starts = np.flatnonzero(np.diff(blocks, prepend=-1))
    # The spans of neighbouring rows lie within one another, so the widest of a row of blocks is all of them.
    first = np.minimum.reduceat(lefts, starts) // step_x * step_x
    last = -(-np.maximum.reduceat(rights, starts) // step_x) * step_x
    return int(blocks[0]) * step_y, first, last


@lru_cache(maxsize=16)
def _ellipse_mask(width: int, height: int, seen: Edges, steps: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels of `seen`, (rows, columns), whose chroma block the ellipse around (0, 0, width, height) touches."""
    mask = np.zeros((seen.height, seen.width), np.bool_)
    top, lefts, rights = _ellipse_spans(width, height, seen, steps)
    columns = np.arange(seen.width)
    touched = (columns >= lefts[:, None]) & (columns < rights[:, None])
    mask[top : top + len(lefts) * steps[1]] = touched.repeat(steps[1], axis=0)
    mask.flags.writeable = False
    return mask


@dataclass(frozen=True)
class FramePlan:
    """All that happens to one frame: covers from weakest to strongest and, in scope `everything`, what is kept.

    `keeps` are track numbers with whole chroma blocks on the picture; `everything` covers what they leave.
    """

    covers: tuple[Cover, ...]
    keeps: tuple[tuple[int, Edges], ...] = ()
    everything: Cover | None = None

    def areas(self) -> Iterator[tuple[int, Edges]]:
        """The number of each track on the frame with the rectangle of the picture that it may cover or keep."""
        yield from self.keeps
        for cover in self.covers:
            yield cover.track, intersection(cover.visible, cover.raster.picture)


@dataclass(frozen=True)
class _PlannedSegment:
    """One segment of one track that counts; `effect` is None for a `keep`."""

    track: int
    effect: VideoEffect | None
    grid: tuple[int, int]
    segment: Segment


class StreamPlan:
    """The covers of one video stream or picture; `pts` holds the presentation time of every frame."""

    def __init__(self, manifest: Manifest, stream: VideoStream | PictureStream, pts: Sequence[int], raster: Raster):
        self._pts = pts
        self.raster = raster
        self._displayed = (stream.width, stream.height)
        everything = effect_over_everything(manifest)
        self._everything = cover_over_everything(everything, raster) if everything is not None else None
        self._buckets: dict[int, list[_PlannedSegment]] = defaultdict(list)
        for number, track, effect in counted_tracks(manifest, stream.index):
            across, down = cell_grid(track, effect)
            grid = (across, down) if raster.orientation < 5 else (down, across)
            for segment in track.segments:
                planned = _PlannedSegment(number, effect, grid, segment)
                first = segment.keys[0].frame // BUCKET_FRAMES
                for bucket in range(first, (segment.end - 1) // BUCKET_FRAMES + 1):
                    self._buckets[bucket].append(planned)

    @classmethod
    def displayed(cls, manifest: Manifest, stream: VideoStream | PictureStream, clock: Clock) -> "StreamPlan":
        """The covers on the picture as displayed; a timeline that is not known is taken to be of a constant rate."""
        pts = clock.pts if clock.pts is not None else range(clock.frames)
        return cls(manifest, stream, pts, Raster.displayed(stream))

    def at(self, frame: int) -> FramePlan:
        """What happens to the frame."""
        covers: list[Cover] = []
        keeps: list[tuple[int, Edges]] = []
        for planned in self._buckets.get(frame // BUCKET_FRAMES, ()):
            box = box_at(planned.segment, frame, self._pts.__getitem__, inward=planned.effect is None)
            if box is None:
                continue
            if planned.effect is None:
                kept = self._kept(box)
                if not kept.empty:
                    keeps.append((planned.track, kept))
            else:
                padded = self._stored(pad(box, planned.effect.pad_permille))
                cover = Cover(planned.track, planned.effect, padded, planned.grid, self.raster)
                if not cover.empty:
                    covers.append(cover)
        return FramePlan(tuple(sorted(covers, key=weakest_first)), tuple(keeps), self._everything)

    def _stored(self, box: Box) -> Box:
        return to_coded(box, self.raster.orientation, *self._displayed)

    def _kept(self, box: Box) -> Edges:
        inside = clip(edges(self._stored(box)), self.raster.width, self.raster.height)
        return shrink_to_grid(inside, self.raster.step_x, self.raster.step_y)


def weakest_first(cover: Cover) -> tuple[int, int, int]:
    """The key by which covers are sorted for painting; among equals the later track lies over the earlier one."""
    return *strength(cover.effect), cover.track


def cover_over_everything(effect: VideoEffect, raster: Raster) -> Cover:
    """The cover of the whole picture, whatever the shape that the effect has for tracks."""
    cells = effect.cells if isinstance(effect, Cells) else 1
    whole = raster.whole_blocks
    box = (0, 0, whole.width, whole.height)
    return Cover(EVERYTHING, effect.model_copy(update={"shape": "box"}), box, (cells, cells), raster)
