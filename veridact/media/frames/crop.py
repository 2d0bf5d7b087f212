"""Container cropping: what a player cuts away of the decoded picture (Matroska PixelCrop, MP4 and MOV `clap`).

FFmpeg's demuxers attach it to the stream as AV_PKT_DATA_FRAME_CROPPING, which PyAV does not expose. FFmpeg's muxers
write it into a header that is made in memory and read back here.
"""

import io
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import av
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.stream import VideoStream as AvVideoStream

from veridact.errors import MediaError
from veridact.media.guards.clap import Aperture, apertures_of

_SEGMENT, _TRACKS, _TRACK, _VIDEO = 0x18538067, 0x1654AE6B, 0xAE, 0xE0
_PIXEL_CROP = {0x54CC: "left", 0x54BB: "top", 0x54DD: "right", 0x54AA: "bottom"}
"""The elements of RFC 9559 §5.1.4.1.28: pixels removed on each side."""

_CHROMA_PROBE = 64
"""A side that every chroma step divides."""


@dataclass(frozen=True)
class Crop:
    """The pixels that a player removes on each side of a decoded picture, before it turns it upright."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    @property
    def empty(self) -> bool:
        """Whether nothing is removed."""
        return self == Crop()


def _elements(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The EBML elements in the bytes [at, end) of a header that FFmpeg wrote: ID, start and end of the body."""
    while at < end:
        length = 9 - data[at].bit_length()
        identifier = int.from_bytes(data[at : at + length], "big")
        at += length
        length = 9 - data[at].bit_length()
        size = int.from_bytes(data[at : at + length], "big") & (1 << 7 * length) - 1
        body = at + length
        at = min(body + size, end)
        yield identifier, body, at


def _pixel_crop(header: bytes) -> Crop:
    """The PixelCrop elements of the one track of a Matroska header."""
    ranges = [(0, len(header))]
    for wanted in (_SEGMENT, _TRACKS, _TRACK, _VIDEO):
        ranges = [(a, b) for start, end in ranges for name, a, b in _elements(header, start, end) if name == wanted]
    sides = {
        _PIXEL_CROP[name]: int.from_bytes(header[a:b], "big")
        for start, end in ranges
        for name, a, b in _elements(header, start, end)
        if name in _PIXEL_CROP
    }
    return Crop(**sides)


def _clean_aperture(file: bytes) -> Crop:
    """The clean aperture of the one track of a MOV file that FFmpeg wrote, in whole pixels."""
    for a in apertures_of(file):
        return Crop(int(a.left), int(a.top), int(a.width - a.right), int(a.height - a.bottom))
    return Crop()


_READERS = {"matroska": _pixel_crop, "mov": _clean_aperture}


def of_stream(stream: AvVideoStream, formats: Collection[str]) -> Crop:
    """The cropping that a container, by the names of its format, declares for a video stream.

    Raises `MediaError` where no header can be made for the stream.
    """
    if not _READERS.keys() & formats:
        return Crop()
    for name in sorted(_READERS, key=lambda name: name not in formats):
        header = io.BytesIO()
        options = {"movflags": "empty_moov+frag_keyframe"} if name == "mov" else {}
        try:
            with av.open(header, "w", format=name, options=options) as trial:
                trial.add_stream_from_template(stream, opaque=True)  # else a codec without an encoder is refused
                trial.start_encoding()
        except (av.FFmpegError, ValueError):
            continue
        return _READERS[name](header.getvalue())
    raise MediaError(f"the cropping of stream {stream.index} cannot be read; convert it first: ffmpeg -i IN OUT.mkv")


def refusal(aperture: Aperture, pixel_format: str) -> MediaError:
    """The error for an aperture that is cut exactly neither in whole pixels nor in whole chroma samples."""
    left, top = ceil(aperture.left), ceil(aperture.top)
    size = f"{floor(aperture.right) - left}:{floor(aperture.bottom) - top}:{left}:{top}"
    return MediaError(
        "the container crops the picture within a chroma sample; crop it first: ffmpeg -noautorotate -apply_cropping "
        f"codec -i IN -vf format={pixel_format},crop={size}:exact=1 -c:v ffv1 -c:a copy OUT.mkv"
    )


def check_apertures(apertures: Iterable[Aperture]) -> None:
    """Raises `MediaError` for an aperture that is not of whole pixels, which FFmpeg would round or ignore."""
    for aperture in apertures:
        if not aperture.whole and not aperture.exact:
            raise refusal(aperture, "yuv444p")


def _full_chroma(pixel_format: VideoFormat) -> str:
    """FFmpeg's name of the 4:4:4 format with as many bits."""
    bits = pixel_format.components[0].bits
    return "yuv444p" if bits == 8 else f"yuv444p{bits}le"


def cropper(crop: Crop, first: VideoFrame) -> Callable[[VideoFrame], VideoFrame]:
    """A function that crops frames of the size and format of `first`, over the same memory, to be used by one thread.

    Timestamps, colours and side data stay. Raises `MediaError` where the edges are not on the chroma grid, or nothing
    is left.
    """
    if crop.empty:
        return lambda frame: frame
    width, height = first.width - crop.left - crop.right, first.height - crop.top - crop.bottom
    if width <= 0 or height <= 0:
        raise MediaError("the container crops the whole picture away; remux it first: ffmpeg -i IN -c copy OUT.mp4")
    shape = first.format
    step_x = _CHROMA_PROBE // (shape.chroma_width(_CHROMA_PROBE) or _CHROMA_PROBE)
    step_y = _CHROMA_PROBE // (shape.chroma_height(_CHROMA_PROBE) or _CHROMA_PROBE)
    step_y *= 2 if first.interlaced_frame else 1
    inside_x = crop.left % step_x or (crop.right and (crop.left + width) % step_x)
    inside_y = crop.top % step_y or (crop.bottom and (crop.top + height) % step_y)
    if inside_x or inside_y:
        left, top, right, bottom = map(Fraction, (crop.left, crop.top, crop.left + width, crop.top + height))
        raise refusal(Aperture(left, top, right, bottom, first.width, first.height), _full_chroma(shape))
    return _filtered(first, f"{width}:{height}:{crop.left}:{crop.top}:exact=1")


def _filtered(first: VideoFrame, argument: str) -> Callable[[VideoFrame], VideoFrame]:
    """FFmpeg's filter `crop` as a function of frames."""
    graph = Graph()
    shape = VideoFormat(first.format.name, first.width, first.height)
    source = graph.add_buffer(width=first.width, height=first.height, format=shape, time_base=first.time_base)
    middle, sink = graph.add("crop", argument), graph.add("buffersink")
    source.link_to(middle)
    middle.link_to(sink)
    graph.configure()

    def cropped(frame: VideoFrame) -> VideoFrame:
        graph.vpush(frame)
        inner: VideoFrame = graph.vpull()
        inner.pts, inner.time_base = frame.pts, frame.time_base
        return inner

    return cropped
