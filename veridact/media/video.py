"""The one way media is opened: our own descriptor, a sniffed and forced format, no other file or address ever followed.

FFmpeg treats a path as a URL and a playlist as a list of neighbours to read, so it is given neither: only a reader over
a descriptor that we opened, hashed and will hash again (SPEC §6).
"""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import SideDataContainer
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.stream import VideoStream as AvVideoStream
from numpy.typing import NDArray

from veridact.errors import BindingError, MediaError
from veridact.files import open_regular
from veridact.media.guards import h264
from veridact.media.guards.jpeg import check_scans
from veridact.media.reader import BUFFER_BYTES, Reader, hash_descriptor
from veridact.media.sniff import Format, sniff
from veridact.sandbox.heartbeat import beat
from veridact.schema.geometry import orientation_of_matrix
from veridact.schema.timeline import first_fault

MAX_PIXELS = 16_384 * 16_384 // 4
"""Of one picture, about 67 million."""

MAX_FOOTAGE_PIXELS = 139_264 * 256
"""Of one frame of footage: the largest of H.264 level 6.2 and HEVC level 6.2, 8192 x 4352 (H.264 table A-1, MaxFS)."""

MAX_HELD_PIXELS = 696_320 * 256
"""Of all frames that an H.264 decoder must keep for reference: what level 6.2 allows (table A-1, MaxDpbMbs)."""

MAX_DECODED_BYTES = 1 << 47
"""Of all frames of one stream together, about 140 TB: a day and a half of 4K at 60 frames a second."""

OPENING_BYTES = 1 << 30
"""The address space that FFmpeg may add while it opens a file and looks at its first packets."""

MAX_STREAMS = 1000
MAX_FRAMES = 20_000_000
MAX_SECONDS = 7 * 24 * 3600
_SIDE_DATA: Any = SideDataContainer  # whose stub does not say that it takes a frame
Kind = Literal["video", "picture", "audio"]
TOO_LONG = "is longer than is safe to decode; cut it first"


@dataclass(frozen=True)
class MediaFile:
    """An open regular file and what it is; `sha256` is of the bytes behind the descriptor when it was opened."""

    fd: int
    size: int
    format: Format
    sha256: str

    def reader(self) -> Reader:
        return Reader(self.fd)

    def check_unchanged(self) -> None:
        """Hashes the descriptor again; raises `MediaError` when the file was changed while it was read."""
        if hash_descriptor(self.fd) != self.sha256:
            raise MediaError("the input changed while it was read; stop what writes to it and run again")


@contextmanager
def open_media(path: str | os.PathLike[str]) -> Iterator[MediaFile]:
    """Opens, sniffs and hashes a media file; raises `MediaError` when it is none that we read."""
    fd = open_regular(path)
    try:
        size = os.fstat(fd).st_size
        if size == 0:
            raise MediaError(f"{path!s}: the file is empty")
        found = sniff(os.pread(fd, 1 << 16, 0))
        if found is None:
            raise MediaError(f"{path!s}: not a video, picture or sound file that veridact reads")
        yield MediaFile(fd, size, found, hash_descriptor(fd))
    finally:
        os.close(fd)


def _refuse_open(url: str, flags: int, options: object) -> None:
    raise MediaError("the file refers to another file or address, which is never followed")


def reason_of(error: Exception) -> str:
    """FFmpeg's reason in a few words, without the path or address it may name."""
    return str(getattr(error, "strerror", None) or error).splitlines()[0][:120]


@contextmanager
def _little_memory() -> Iterator[None]:
    """Keeps what FFmpeg decodes while it opens a file below `OPENING_BYTES`: an allocation beyond that fails.

    `max_pixels` reaches those decoders only in formats that list their streams first, which MPEG-TS does not.
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
    """The file as an FFmpeg input that can reach nothing but its own bytes; raises `MediaError`."""
    name = media.format.name
    try:
        with _little_memory():
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
        if container.duration is not None and container.duration > MAX_SECONDS * av.time_base:
            raise MediaError(f"longer than {MAX_SECONDS // 3600} hours; cut it first")
        yield container


def is_cover_art(stream: object) -> bool:
    """Whether a video stream is a picture attached to the file rather than footage."""
    return bool(getattr(stream, "disposition", 0) & av.stream.Disposition.attached_pic)


def prepare_decoder(stream: AvVideoStream, threads: int = 1) -> None:
    """Sets limits and exactness on a video decoder before it opens; `threads` never changes what it puts out.

    Raises `MediaError` where the file declares more pixels than the decoder may then put out.
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
    context.flags |= av.codec.context.Flags.bitexact
    context.thread_count = threads
    if threads > 1:
        context.thread_type = av.codec.context.ThreadType.FRAME


def check_references(index: int, data: bytes) -> None:
    """Refuses H.264 whose parameter sets, in a header or a packet, make the decoder keep too many pixels."""
    if any(pixels * references > MAX_HELD_PIXELS for pixels, references in h264.held(data)):
        raise MediaError(f"stream {index} keeps more frames for reference than its level allows; encode it anew first")


def decode(container: InputContainer, stream: AvVideoStream, threads: int = 1) -> Iterator[VideoFrame]:
    """The frames of one video stream in presentation order, edit lists applied.

    Raises `MediaError` for a frame that does not decode whole, a missing or non-increasing timestamp, or a change of
    size, format or orientation on the way.
    """
    prepare_decoder(stream, threads)
    run, packets, declared = _Run(stream.index), 0, stream.frames
    try:
        for packet in container.demux(stream):
            if packet.is_corrupt:
                raise MediaError(f"stream {stream.index} is damaged or cut short near frame {run.frames}")
            packets += packet.size > 0
            if container.format.name == "avi" and packet.dts is not None:
                packets = packet.dts + 1  # AVI also counts chunks of nothing, which are a tick of its clock each
            if packets > MAX_FRAMES:
                raise MediaError(f"stream {stream.index} {TOO_LONG}")
            match stream.codec_context.name:
                case "h264":
                    check_references(stream.index, bytes(packet))
                case "mjpeg":
                    check_scans(iter([bytes(packet)]))
            for frame in packet.decode():
                run.check(frame)
                beat()
                yield frame
    except (av.FFmpegError, ValueError) as e:
        raise MediaError(f"frame {run.frames} of stream {stream.index} does not decode: {reason_of(e)}") from None
    if packets < declared:
        raise MediaError(f"stream {stream.index} is cut short: {packets} of {declared} packets are there")
    if run.frames == 0:
        raise MediaError(f"stream {stream.index} has no frame that decodes")


class _Run:
    """The decoded frames of one stream, as far as the next must fit to those before."""

    def __init__(self, index: int) -> None:
        self.frames = 0
        self._index = index
        self._bytes = 0
        self._pts: int | None = None
        self._shape: tuple[object, ...] | None = None

    def check(self, frame: VideoFrame) -> None:
        """Counts a frame; raises `MediaError` where it is damaged, out of order, of another shape or one too many."""
        if frame.is_corrupt:
            raise MediaError(f"frame {self.frames} of stream {self._index} is damaged and does not decode whole")
        if first_fault([self._pts, frame.pts] if self._pts is not None else [frame.pts]):
            raise MediaError(
                f"frame {self.frames} of stream {self._index} has no timestamp after the last one; "
                "encode it without loss first: ffmpeg -i IN -c:v libx264 -qp 0 -c:a copy OUT.mkv"
            )
        shape = (frame.width, frame.height, frame.format.name, orientation(frame))
        if self._shape not in {None, shape}:
            raise MediaError(f"the picture changes its size or format at frame {self.frames}; cut the file there first")
        self._pts, self._shape = frame.pts, shape
        self.frames += 1
        self._bytes += sum(plane.buffer_size for plane in frame.planes)
        if self.frames > MAX_FRAMES or self._bytes > MAX_DECODED_BYTES:
            raise MediaError(f"stream {self._index} {TOO_LONG}")


def orientation(frame: VideoFrame) -> int:
    """The EXIF orientation of a decoded frame by its display matrix; raises `MediaError` for a slanted one."""
    try:
        # Not frame.side_data: that would tie the frame to itself, and frames would pile up until a garbage collection.
        side_data: Any = _SIDE_DATA(frame).get("DISPLAYMATRIX")
    except ValueError:
        raise MediaError("the frames carry data of an unknown kind, as stereo footage does; convert it first") from None
    if side_data is None:
        return 1
    found = orientation_of_matrix(tuple(int(v) for v in np.frombuffer(memoryview(side_data), np.int32)[:9]))
    if found is None:
        raise MediaError("the display matrix turns the picture by other than a multiple of 90 degrees")
    return found


def plane_rows(plane: VideoPlane) -> NDArray[np.uint8]:
    """The bytes of a plane over its own memory, from the top down, with what is added to each row.

    Some decoders store the last row first.
    """
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, abs(plane.line_size))
    return rows if plane.line_size > 0 else rows[::-1]


def has_captions(frame: VideoFrame) -> bool:
    """Whether closed captions travel with a decoded frame; frames with unknown side data have been refused before."""
    return _SIDE_DATA(frame).get("A53_CC") is not None


def fraction(value: Fraction | None) -> Fraction:
    """A time base that must be there."""
    if value is None or value <= 0:
        raise MediaError("a stream has no time base")
    return value


def check_source(media: MediaFile, sha256: str) -> None:
    """Refuses a file that is not the one a manifest was made for, and says which is which."""
    if media.sha256 != sha256:
        raise BindingError(
            f"the manifest was made for another file: it names sha256 {sha256[:16]}…, this one has {media.sha256[:16]}…"
        )
