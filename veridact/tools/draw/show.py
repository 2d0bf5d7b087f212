"""The outputs of `veridact show`: a contact sheet, one frame or a video, with outlines and ids over the original."""

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from PIL import Image

from veridact.errors import UsageError
from veridact.media.video import MediaFile
from veridact.schema.manifest import Manifest, PictureStream, VideoStream
from veridact.schema.timeline import Clock
from veridact.tools.diff import span_words
from veridact.tools.draw import contact_sheet, frames, overlay
from veridact.tools.lint import Finding

SHEET_TILES = 12
MAX_TILE_HEIGHT = 560
FORMATS = {".mp4": "mp4", ".mkv": "matroska"}
VisualStream = VideoStream | PictureStream


def risky_frames(findings: Sequence[Finding], stream: int, clock: Clock) -> dict[int, Finding]:
    """The middle frames of lint findings on a stream, greatest risk first, each at least a second from the others.

    `findings` are sorted by falling risk. At most half the tiles of a sheet are chosen.
    """
    apart = clock.second_in_frames()
    chosen: dict[int, Finding] = {}
    for finding in findings:
        if finding.stream == stream and finding.start is not None and finding.end is not None:
            middle = min((finding.start + finding.end - 1) // 2, clock.frames - 1)
            if all(abs(middle - f) >= apart for f in chosen) and len(chosen) < SHEET_TILES // 2:
                chosen[middle] = finding
    return chosen


def _sheet_frames(findings: Sequence[Finding], stream: int, clock: Clock) -> dict[int, Finding | None]:
    """The frames of a sheet: those of `risky_frames`, and others at even intervals."""
    risky = risky_frames(findings, stream, clock)
    room = SHEET_TILES - len(risky)
    even = [(2 * n + 1) * clock.frames // (2 * room) for n in range(room)]
    return dict(sorted({**dict.fromkeys(even), **risky}.items()))


def sheet(
    media: MediaFile, manifest: Manifest, stream: VisualStream, clock: Clock, findings: Sequence[Finding]
) -> bytes:
    """A contact sheet of the stream as PNG."""
    chosen = _sheet_frames(findings, stream.index, clock)
    standing = overlay.outlines(manifest, stream, clock, chosen)
    width = min(overlay.TILE_WIDTH - 4, max(1, MAX_TILE_HEIGHT * stream.width // stream.height))
    tiles = []
    for number, _, picture in frames.frames(media, stream, chosen):
        finding = chosen[number]
        words = (
            span_words(clock, number, number + 1).split(" to ")[0],
            *((finding.words.split(" (")[0],) if finding else ()),
        )
        tile = overlay.annotated(picture, standing.get(number, ()), width)
        tiles.append(contact_sheet.Tile(tile, words, finding is not None))
    return png(contact_sheet.sheet(tiles))


def one_frame(media: MediaFile, manifest: Manifest, stream: VisualStream, clock: Clock, number: int) -> bytes:
    """One frame as PNG at its own size; raises `UsageError` for a frame outside the stream."""
    if not 0 <= number < clock.frames:
        raise UsageError(f"stream {stream.index} has frames 0 to {clock.frames - 1}; choose one of them")
    standing = overlay.outlines(manifest, stream, clock, {number}).get(number, [])
    _, _, picture = next(frames.frames(media, stream, {number}))
    return png(overlay.with_banner(overlay.annotated(picture, standing, picture.width)))


def png(picture: Image.Image) -> bytes:
    """A picture as PNG."""
    data = io.BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()


def format_of(path: Path) -> str:
    """The container of a review video by the suffix of its name; raises `UsageError` for another suffix."""
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"{path.name}: the name of a review video ends in {' or '.join(FORMATS)}")
    return FORMATS[path.suffix.lower()]


def review_video(
    media: MediaFile, manifest: Manifest, stream: VisualStream, clock: Clock, target: BinaryIO, container: str
) -> None:
    """Writes a video of the original with outlines and ids, without sound, with the timestamps of the original."""
    standing = overlay.outlines(manifest, stream, clock, None)
    with av.open(target, "w", format=container) as output:
        output.metadata["title"] = overlay.WARNING
        encoder = None
        for number, pts, picture in frames.frames(media, stream, None):
            drawn = overlay.with_banner(overlay.annotated(picture, standing.get(number, ()), picture.width))
            width, height = drawn.width // 2 * 2, drawn.height // 2 * 2
            if encoder is None:
                encoder = output.add_stream("libx264", rate=Fraction(25), options={"preset": "veryfast", "crf": "23"})
                encoder.width, encoder.height, encoder.pix_fmt = max(2, width), max(2, height), "yuv420p"
                encoder.codec_context.time_base = clock.time_base
            pixels = np.asarray(drawn.crop((0, 0, max(2, width), max(2, height))))
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts, frame.time_base = pts, clock.time_base
            output.mux(encoder.encode(frame))
        if encoder is not None:
            output.mux(encoder.encode(None))
