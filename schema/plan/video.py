"""What to paint where: a manifest and a timeline in, covers per frame out. Opens no file and paints nothing.

displayed box of two keys ─interpolate─► box on this frame ─pad─► ─orientation─► stored picture ─grid─► Cover
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from veridact.schema.geometry import (
    Box,
    Edges,
    clip,
    edges,
    ellipse_bounds,
    grow_to_grid,
    interpolate,
    interpolate_inward,
    pad,
    shrink_to_grid,
    to_coded,
)
from veridact.schema.manifest import Cells, Manifest, PictureStream, Segment, Solid, Track, VideoStream
from veridact.schema.plan import effects

Interpolation = Callable[[Box, Box, int, int, int], Box]

BUCKET_FRAMES = 256
"""Segments are looked up by the stretch of this many frames that they touch."""

FULL_STRENGTH = {"solid": 2, "mosaic": 1, "blur": 0}
"""Where covers overlap, the stronger effect wins: solid over mosaic over blur."""


@dataclass(frozen=True)
class Cover:
    """One thing to paint on one frame, in pixels of the stored picture.

    `box` is padded and may leave the picture; `area` is what it touches, grown to whole chroma blocks, not clipped;
    `grid` is how many cells lie side by side and one above the other.
    """

    track: int
    effect: Solid | Cells
    box: Box
    area: Edges
    grid: tuple[int, int]


@dataclass(frozen=True)
class FramePlan:
    """All that happens to one frame: covers from weakest to strongest and, in scope `everything`, what stays."""

    covers: tuple[Cover, ...]
    keeps: tuple[tuple[int, Edges], ...]
    everything: Solid | Cells | None

    @property
    def empty(self) -> bool:
        return not self.covers and self.everything is None


@dataclass(frozen=True)
class Raster:
    """The geometry of a stored picture: its size, its EXIF orientation and the size of a chroma block."""

    width: int
    height: int
    orientation: int
    step_x: int
    step_y: int


@dataclass(frozen=True)
class _Stretch:
    """One segment of one track that counts."""

    track: int
    label: str
    effect: Solid | Cells | None
    grid: tuple[int, int]
    segment: Segment

    @property
    def start(self) -> int:
        return self.segment.keys[0].frame


class StreamPlan:
    """The covers of one video stream or picture; `pts` holds the presentation time of every frame."""

    def __init__(self, manifest: Manifest, stream: VideoStream | PictureStream, pts: Sequence[int], raster: Raster):
        self._pts = pts
        self._raster = raster
        self._displayed = (stream.width, stream.height)
        video = manifest.effects.video
        self._everything = video.default if video and manifest.scope == "everything" else None
        self._buckets: dict[int, list[_Stretch]] = defaultdict(list)
        for number, track in enumerate(manifest.tracks):
            if track.stream == stream.index and effects.counts(track):
                self._add(number, track, effects.effect_of(track, manifest))

    def _add(self, number: int, track: Track, effect: Solid | Cells | None) -> None:
        grid = _grid(track, effect, self._raster.orientation)
        for segment in track.segments:
            stretch = _Stretch(number, track.label, effect, grid, segment)
            for bucket in range(stretch.start // BUCKET_FRAMES, (segment.end - 1) // BUCKET_FRAMES + 1):
                self._buckets[bucket].append(stretch)

    def at(self, frame: int) -> FramePlan:
        """What happens to the frame."""
        covers: list[Cover] = []
        keeps: list[tuple[int, Edges]] = []
        for stretch in self._buckets.get(frame // BUCKET_FRAMES, ()):
            if not stretch.start <= frame < stretch.segment.end:
                continue
            if stretch.effect is None:
                kept = self._keep(stretch, frame)
                if not kept.empty:
                    keeps.append((stretch.track, kept))
            elif (cover := self._cover(stretch, stretch.effect, frame)) is not None:
                covers.append(cover)
        return FramePlan(tuple(sorted(covers, key=_strength)), tuple(keeps), self._everything)

    def _stored(self, box: Box) -> Box:
        return to_coded(box, self._raster.orientation, *self._displayed)

    def _cover(self, stretch: _Stretch, effect: Solid | Cells, frame: int) -> Cover | None:
        box = self._stored(pad(_box_at(stretch.segment, frame, self._pts, interpolate), effect.pad_permille))
        touched = ellipse_bounds(box) if effect.shape == "ellipse" else edges(box)
        area = grow_to_grid(touched, self._raster.step_x, self._raster.step_y)
        if clip(area, self._raster.width, self._raster.height).empty:
            return None
        return Cover(stretch.track, effect, box, area, stretch.grid)

    def _keep(self, stretch: _Stretch, frame: int) -> Edges:
        box = self._stored(_box_at(stretch.segment, frame, self._pts, interpolate_inward))
        inside = clip(edges(box), self._raster.width, self._raster.height)
        return shrink_to_grid(inside, self._raster.step_x, self._raster.step_y)


def _box_at(segment: Segment, frame: int, pts: Sequence[int], between: Interpolation) -> Box:
    keys = segment.keys
    k = bisect_right(keys, frame, key=lambda key: key.frame) - 1
    if k == len(keys) - 1 or keys[k].frame == frame:
        return keys[k].box
    a, b = keys[k], keys[k + 1]
    return between(a.box, b.box, pts[a.frame], pts[b.frame], pts[frame])


def _grid(track: Track, effect: Solid | Cells | None, orientation: int) -> tuple[int, int]:
    """The cells of a track, across and down the stored picture, the same on all its frames.

    The long side of the track's largest box has `cells` of them, the short side as many as keep them square: were the
    grid laid anew on every frame, several frames together would tell more than one.
    """
    if not isinstance(effect, Cells):
        return (1, 1)
    boxes = (key.box for segment in track.segments for key in segment.keys)
    _, _, w, h = max(boxes, key=lambda box: box[2] * box[3])
    long, short = max(w, h), min(w, h)
    fewer = max(1, (2 * effect.cells * short + long) // (2 * long))
    across, down = (effect.cells, fewer) if w >= h else (fewer, effect.cells)
    return (across, down) if orientation < 5 else (down, across)


def _strength(cover: Cover) -> tuple[int, int, int]:
    """Weakest first; among equals the later track is painted over the earlier one."""
    cells = cover.effect.cells if isinstance(cover.effect, Cells) else 0
    return (FULL_STRENGTH[cover.effect.effect], -cells, cover.track)
