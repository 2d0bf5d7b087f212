"""Drawing for reviewers: outlines, ids and review states over frames of the original; contact sheets of them.

The result shows the original, so it is marked NOT FOR DISCLOSURE. The thick outline is the box of the manifest, the
thin one the edge of the cover that `render` paints around it (see `plan.video`), before it grows to whole chroma
blocks: their size is not in the manifest. All is rounded outward but the box of a `keep`, which shrinks as in `render`.
What `render` does not paint has no thin outline: a rejected item, a `keep`, a track of a stream that is dropped.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from veridact.schema.geometry import Box, Edges, edges
from veridact.schema.manifest import Manifest, PictureStream, Track, VideoStream
from veridact.schema.plan.dispositions import rendered_indexes
from veridact.schema.plan.segments import walk
from veridact.schema.plan.video import Cover, StreamPlan
from veridact.schema.timeline import Clock

COLOURS = {
    "proposed": "#ff9f1c",
    "accepted": "#2ec44f",
    "edited": "#3a86ff",
    "added": "#c77dff",
    "rejected": "#9a9a9a",
}
WARNING = "REVIEW COPY - NOT FOR DISCLOSURE"
TILE_WIDTH, COLUMNS, CAPTION = 420, 3, 34
_Corners = tuple[int, int, int, int]
_Size = tuple[int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Outline:
    """A track on one frame: its box as displayed, and the cover that is painted over it, if any."""

    track: Track
    box: Box
    cover: Cover | None


def outlines(
    manifest: Manifest, stream: VideoStream | PictureStream, clock: Clock, wanted: Iterable[int] | None
) -> dict[int, list[Outline]]:
    """Every track on every wanted frame (None: on all), the rejected ones too, in the manifest's order.

    A `keep` has no outline where it has shrunk to nothing between two keys.
    """
    chosen = None if wanted is None else set(wanted)
    boxes: dict[int, list[tuple[int, Box]]] = {}
    for number, track in enumerate(manifest.tracks):
        if track.stream == stream.index:
            for frame, box in walk(track.segments, clock.assumed(), inward=track.label == "keep"):
                if chosen is None or frame in chosen:
                    boxes.setdefault(frame, []).append((number, box))
    plan = StreamPlan.displayed(manifest, stream, clock) if stream.index in rendered_indexes(manifest) else None
    found: dict[int, list[Outline]] = {}
    for frame, numbered in boxes.items():
        covers = {cover.track: cover for cover in plan.at(frame).covers} if plan is not None else {}
        found[frame] = [Outline(manifest.tracks[n], box, covers.get(n)) for n, box in numbered]
    return found


@lru_cache
def font(size: int) -> Font:
    """The typeface that comes with Pillow."""
    return ImageFont.load_default(size)


@dataclass(frozen=True)
class Scale:
    """The ratio of the drawn size to the picture's; each side has its own, since both are rounded to whole pixels."""

    picture: _Size
    drawn: _Size

    def edges(self, e: Edges) -> Edges:
        """A rectangle of the picture as one of the drawing, rounded outward."""
        (width, height), (wide, high) = self.picture, self.drawn
        return Edges(
            e.left * wide // width, e.top * high // height, -(-e.right * wide // width), -(-e.bottom * high // height)
        )

    def corners(self, box: Box) -> _Corners:
        """The corners of a box, the last pixel inclusive, as Pillow draws."""
        e = self.edges(edges(box))
        return e.left, e.top, e.right - 1, e.bottom - 1


def draw_cover(draw: ImageDraw.ImageDraw, outline: Outline, scale: Scale) -> None:
    """Draws the edge of what `render` paints over a track; nothing where it paints nothing."""
    points = _around(outline.cover, scale) if outline.cover is not None else []
    if points:
        draw.line(points, fill=COLOURS[outline.track.review], width=1)


def _around(cover: Cover, scale: Scale) -> list[tuple[int, int]]:
    """The first and the last pixel of each drawn row of a cover, as a closed line.

    Of a cover that leaves the picture the part on it and a pixel beyond: the line is closed outside the drawing.
    """
    width, height = scale.picture
    rows: dict[int, tuple[int, int]] = {}
    for y, left, right in cover.rows(-1, height + 1):
        e = scale.edges(Edges(max(left, -2), y, min(right, width + 2), y + 1))
        for row in range(e.top, e.bottom):
            first, last = rows.get(row, (e.left, e.right - 1))
            rows[row] = min(first, e.left), max(last, e.right - 1)
    down = [(first, row) for row, (first, _) in rows.items()]
    up = [(last, row) for row, (_, last) in reversed(rows.items())]
    return [*down, *up, *down[:1]]


def _tag(
    draw: ImageDraw.ImageDraw, outline: _Corners, text: str, colour: str, size: _Size, taken: list[_Corners]
) -> None:
    """A text on a plate of its own colour, on the picture, above its box or at the nearest free position."""
    face = font(max(11, size[0] // 60))
    left, top, right, bottom = draw.textbbox((0, 0), text, font=face)
    wide, high = int(right - left) + 4, int(bottom - top) + 4
    x = min(max(0, outline[0]), max(0, size[0] - wide - 1))
    heights = [y for y in (outline[1] - high - 1, outline[3] + 2, *range(0, size[1] - high, high + 1)) if y >= 0]
    heights = [heights[0], *sorted(heights[1:], key=lambda y: abs(y - outline[1]))] if heights else [0]
    plates = [(x, y, x + wide, y + high) for y in heights]
    plate = next((p for p in plates if not any(_overlap(p, t) for t in taken)), plates[0])
    taken.append(plate)
    draw.rectangle(plate, fill=colour)
    draw.text((plate[0] + 2 - left, plate[1] + 2 - top), text, fill="#000000", font=face)


def _overlap(a: _Corners, b: _Corners) -> bool:
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]


def annotated(picture: Image.Image, tracks: Sequence[Outline], width: int) -> Image.Image:
    """The picture scaled to a width, with the outlines and ids of the tracks on it."""
    size = width, max(1, picture.height * width // picture.width)
    drawn = picture.resize(size) if width != picture.width else picture.copy()
    draw, scale = ImageDraw.Draw(drawn), Scale(picture.size, drawn.size)
    thick = max(2, width // 320)
    for outline in tracks:
        colour = COLOURS[outline.track.review]
        draw_cover(draw, outline, scale)
        corners = scale.corners(outline.box)
        left, top, right, bottom = corners
        draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline="#000000", width=1)
        draw.rectangle(corners, outline=colour, width=thick)
        if outline.track.review == "rejected":
            draw.line(corners, fill=colour, width=thick)
    taken: list[_Corners] = []
    for outline in tracks:
        corners = scale.corners(outline.box)
        _tag(draw, corners, outline.track.id, COLOURS[outline.track.review], drawn.size, taken)
    return drawn


def _banner(draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    draw.rectangle((0, 0, width, height), fill="#b00020")
    draw.text((6, height // 2), WARNING, fill="#ffffff", font=font(max(9, height * 6 // 10)), anchor="lm")


def with_banner(picture: Image.Image) -> Image.Image:
    """The picture under a band that says what it is; the height grows by an even number."""
    height = max(16, picture.width // 40) // 2 * 2
    made = Image.new("RGB", (picture.width, picture.height + height))
    made.paste(picture, (0, height))
    _banner(ImageDraw.Draw(made), picture.width, height)
    return made
