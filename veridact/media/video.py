"""The one way media is opened: through our own descriptor, with a detected and forced format, without following links.

FFmpeg treats a path as a URL and a playlist as a list of further files to read. It gets neither, only a reader over a
descriptor that was opened here, is hashed now and hashed again after use (SPEC §6).
"""

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.stream import VideoStream as AvVideoStream
from numpy.typing import NDArray

from veridact.errors import BindingError, MediaError
from veridact.files import open_regular
from veridact.media.frames import crop
from veridact.media.frames.frame_checks import MAX_FRAMES, TOO_LONG, FrameChecks, PixelAspects
from veridact.media.frames.side_data import without_exif
from veridact.media.guards import h264
from veridact.media.guards.clap import apertures
from veridact.media.guards.jpeg import check_scans, is_footage
from veridact.media.reader import BUFFER_BYTES, Reader, hash_descriptor
from veridact.media.sniff import Format, sniff
from veridact.sandbox.heartbeat import beat

MAX_PIXELS = 16_384 * 16_384 // 4
"""Of one picture, about 67 million."""

MAX_FOOTAGE_PIXELS = 139_264 * 256
"""Of one frame of footage: the largest of H.264 level 6.2 and HEVC level 6.2, 8192 x 4352 (H.264 table A-1, MaxFS)."""

MAX_REFERENCE_PIXELS = 696_320 * 256
"""Of all reference frames in an H.264 decoder's buffer: what level 6.2 allows (table A-1, MaxDpbMbs)."""

OPENING_BYTES = 1 << 30
"""The address space that FFmpeg may add while it opens a file and probes its first packets."""

MAX_STREAMS = 1000
MAX_SECONDS = 7 * 24 * 3600
Kind = Literal["video", "picture", "audio"]


@dataclass(frozen=True)
class MediaFile:
    """An open regular file and its format; `sha256` is the digest of its bytes when it was opened."""

    fd: int
    size: int
    format: Format
    sha256: str

    def reader(self) -> Reader:
        """A new file object over the descriptor, at position 0."""
        return Reader(self.fd)

    def check_unchanged(self) -> None:
        """Hashes the descriptor again; raises `MediaError` when the file was changed while it was read."""
        if hash_descriptor(self.fd) != self.sha256:
            raise MediaError("the input changed while it was read; stop what writes to it and run again")


@contextmanager
def open_media(path: str | os.PathLike[str]) -> Iterator[MediaFile]:
    """Opens a media file, detects its format and hashes it; raises `MediaError` when it is not a supported one."""
    fd = open_regular(path)
    try:
        size = os.fstat(fd).st_size
        if size == 0:
            raise MediaError(f"{path!s}: the file is empty")
        file_format = sniff(os.pread(fd, 1 << 16, 0))
        if file_format is None:
            raise MediaError(f"{path!s}: not a video, picture or sound file that veridact reads")
        if file_format.name == "JPEG" and is_footage(Reader(fd)):
            file_format = Format("ffmpeg", "mjpeg")
        yield MediaFile(fd, size, file_format, hash_descriptor(fd))
    finally:
        os.close(fd)


def _refuse_open(url: str, flags: int, options: object) -> None:
    """FFmpeg's callback for opening a further file; always raises `MediaError`."""
    raise MediaError("the file refers to another file or address, which is never followed; remux it into one file")


def reason_of(error: Exception) -> str:
    """FFmpeg's reason for an error as one short line, without the path or URL that its exception may carry."""
    return str(getattr(error, "strerror", None) or error).splitlines()[0][:120]


@contextmanager
def _limited_address_space() -> Iterator[None]:
    """Limits the address space that FFmpeg may add while it opens a file to `OPENING_BYTES`.

    FFmpeg decodes packets to probe streams. `max_pixels` reaches those decoders only in formats that list their streams
    first, which MPEG-TS does not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_bytes().split()[0]) * resource.getpagesize()
    limits = [n for n in (used + OPENING_BYTES, soft, hard) if n != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextmanager
def demux(media: MediaFile) -> Iterator[InputContainer]:
    """The file as a PyAV input container that can read its own bytes only; raises `MediaError`."""
    name = media.format.name
    try:
        with _limited_address_space():
            container = av.open(
                media.reader(),
                mode="r",
                format=name,
                buffer_size=BUFFER_BYTES,
                io_open=_refuse_open,
                options={
                    "format_whitelist": name if name != "matroska" else "matroska,webm",
                    "protocol_whitelist": "",
                    "max_streams": str(MAX_STREAMS),
                    "fflags": "+bitexact",
                    "max_pixels": str(MAX_FOOTAGE_PIXELS),
                },
            )
    except (av.FFmpegError, ValueError, MemoryError) as e:
        raise MediaError(f"not a readable {name} file: {reason_of(e)}") from None
    with container:
        if name == "mov":
            crop.check_apertures(apertures(media.fd, media.size))
        if container.duration is not None and container.duration > MAX_SECONDS * av.time_base:
            raise MediaError(f"longer than {MAX_SECONDS // 3600} hours; cut it first")
        yield container


def is_cover_art(stream: object) -> bool:
    """Whether a video stream is a picture attached to the file rather than footage."""
    return bool(getattr(stream, "disposition", 0) & av.stream.Disposition.attached_pic)


def prepare_decoder(stream: AvVideoStream, threads: int = 1) -> None:
    """Sets the limits and bit-exact flags of a video decoder before it opens; `threads` does not change its output.

    Raises `MediaError` for a stream that declares more pixels or reference frames than allowed, or alpha that its
    decoder would drop.
    """
    context = stream.codec_context
    if context is None:
        raise MediaError(f"stream {stream.index} is of a kind that cannot be decoded; convert it first")
    if context.width * context.height > MAX_FOOTAGE_PIXELS:
        raise MediaError(
            f"stream {stream.index} has more than {MAX_FOOTAGE_PIXELS} pixels a frame; scale it down first"
        )
    if context.name in {"vp8", "vp9"} and stream.metadata.get("alpha_mode") == "1":
        decoder = "libvpx" if context.name == "vp8" else "libvpx-vp9"
        raise MediaError(
            f"stream {stream.index} has transparency beside its picture; turn it into part of it first: "
            f"ffmpeg -c:v {decoder} -i IN -c:v ffv1 -c:a copy OUT.mkv, which profile lossless keeps"
        )
    if context.name == "h264":
        check_references(stream.index, context.extradata or b"")
    context.options = {"max_pixels": str(MAX_FOOTAGE_PIXELS), "idct": "simple", "err_detect": "crccheck"}
    # Unaligned: else decoders leave columns that the stream crops on the left, so that rows begin at aligned addresses.
    context.flags |= av.codec.context.Flags.bitexact | av.codec.context.Flags.unaligned
    context.thread_count = threads
    if threads > 1:
        context.thread_type = av.codec.context.ThreadType.FRAME


def check_references(index: int, data: bytes) -> None:
    """Raises `MediaError` for H.264 whose parameter sets, in a header or packet, need too many reference pixels."""
    if any(pixels * references > MAX_REFERENCE_PIXELS for pixels, references in h264.reference_frames(data)):
        raise MediaError(f"stream {index} keeps more frames for reference than its level allows; encode it anew first")


def decode(container: InputContainer, stream: AvVideoStream, threads: int = 1) -> Iterator[VideoFrame]:
    """The frames of one video stream in presentation order, edit lists and container cropping applied.

    Raises `MediaError` for a frame that does not decode whole, a missing or non-increasing timestamp, or a change of
    size, format or orientation on the way.
    """
    removed = crop.of_stream(stream, container.format.name.split(","))
    return _cropped(_decoded(container, stream, threads), removed)


def _declared_packets(container: InputContainer, stream: AvVideoStream) -> int:
    """The number of packets that the file says it has, 0 where it does not.

    MP4 and MOV: those of FFmpeg's index, from which the packets that an edit list leaves out have been removed.
    """
    if "mov" in container.format.name:
        return min(stream.frames, len(stream.index_entries))
    return stream.frames


def _cropped(frames: Iterator[VideoFrame], removed: crop.Crop) -> Iterator[VideoFrame]:
    """The frames without what a player removes; the only place where frames are cropped."""
    cropped: Callable[[VideoFrame], VideoFrame] | None = None
    for frame in frames:
        cropped = cropped or crop.cropper(removed, frame)
        yield cropped(frame)


def _decoded(container: InputContainer, stream: AvVideoStream, threads: int) -> Iterator[VideoFrame]:
    """The frames as the decoder puts them out, checked."""
    prepare_decoder(stream, threads)
    checked, aspects = FrameChecks(stream.index), PixelAspects(stream, threads)
    packets, declared = 0, _declared_packets(container, stream)
    try:
        for packet in container.demux(stream):
            if packet.is_corrupt:
                raise MediaError(f"stream {stream.index} is damaged or cut short near frame {checked.frames}")
            packets += packet.size > 0
            if container.format.name == "avi" and packet.dts is not None:
                packets = packet.dts + 1  # AVI also counts empty chunks, one tick each
            if packets > MAX_FRAMES:
                raise MediaError(f"stream {stream.index} {TOO_LONG}")
            match stream.codec_context.name:
                case "h264":
                    check_references(stream.index, bytes(packet))
                case "mjpeg":
                    check_scans(iter([bytes(packet)]))
            frames = packet.decode()
            aspects.read(packet.pts)
            for decoded in frames:
                frame = without_exif(decoded)
                checked.check(frame, aspects.of(frame.pts))
                beat()
                yield frame
    except (av.FFmpegError, ValueError) as e:
        raise MediaError(f"frame {checked.frames} of stream {stream.index} does not decode: {reason_of(e)}") from None
    if packets < declared:
        raise MediaError(f"stream {stream.index} is cut short: {packets} of {declared} packets are there")
    if checked.frames == 0:
        raise MediaError(f"stream {stream.index} has no frame that decodes")


def plane_rows(plane: VideoPlane) -> NDArray[np.uint8]:
    """The bytes of a plane as an array of shape (rows, line size) over its memory, top row first, row padding included.

    Some decoders store the bottom row first.
    """
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, abs(plane.line_size))
    return rows if plane.line_size > 0 else rows[::-1]


def fraction(value: Fraction | None) -> Fraction:
    """A time base; raises `MediaError` where it is missing or not positive."""
    if value is None or value <= 0:
        raise MediaError("a stream has no time base; remux it first: ffmpeg -i IN -map 0 -c copy OUT.mkv")
    return value


def check_source(media: MediaFile, sha256: str) -> None:
    """Raises `BindingError` for a file whose digest is not the one that a manifest names."""
    if media.sha256 != sha256:
        raise BindingError(
            f"the manifest was made for another file: it names sha256 {sha256[:16]}…, this one has {media.sha256[:16]}…"
        )
