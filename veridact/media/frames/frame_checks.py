"""What must hold of the decoded frames of a stream: whole, in order, alike in what an encoded stream states once."""

from fractions import Fraction

from av.video.frame import VideoFrame
from av.video.stream import VideoStream as AvVideoStream

from veridact.errors import MediaError
from veridact.media.frames.side_data import orientation
from veridact.schema.timeline import first_fault

MAX_DECODED_BYTES = 1 << 47
"""Of all frames of one stream together, about 140 TB: a day and a half of 4K at 60 frames a second."""

REORDERED_FRAMES = 128
"""Frames that a decoder may be behind its packets, far beyond the 16 of H.264 and HEVC."""

MAX_FRAMES = 20_000_000
TOO_LONG = "is longer than is safe to decode; cut it first"


class PixelAspects:
    """The sample aspect ratio of each frame, which PyAV reads from the decoder only, some packets ahead of its frames.

    With several threads the decoder does not say whose it is, and every frame has None: files are first decoded by one.
    """

    def __init__(self, stream: AvVideoStream, threads: int) -> None:
        self._context = stream.codec_context
        self._known = threads == 1
        self._last: Fraction | None = None
        self._ahead: dict[int, Fraction | None] = {}

    def read(self, pts: int | None) -> None:
        """Notes the ratio after the packet with this pts was decoded."""
        self._last = self._context.sample_aspect_ratio if self._known else None
        if pts is not None:
            self._ahead[pts] = self._last
        if len(self._ahead) > REORDERED_FRAMES:
            self._ahead.pop(next(iter(self._ahead)))

    def of(self, pts: int | None) -> Fraction | None:
        """The ratio of the frame with this pts, None where it is unknown."""
        return self._ahead.pop(pts, self._last) if pts is not None else self._last


class FrameChecks:
    """Checks the decoded frames of one stream in order; `frames` is the number of those that passed."""

    def __init__(self, index: int) -> None:
        self.frames = 0
        self._index = index
        self._bytes = 0
        self._pts: int | None = None
        self._shape: dict[str, object] | None = None

    def check(self, frame: VideoFrame, pixel_aspect: Fraction | None) -> None:
        """Counts a frame; raises `MediaError` if it is damaged, out of order, of another format, or one too many."""
        if frame.is_corrupt:
            raise MediaError(f"frame {self.frames} of stream {self._index} is damaged and does not decode whole")
        if first_fault([self._pts, frame.pts] if self._pts is not None else [frame.pts]):
            raise MediaError(
                f"frame {self.frames} of stream {self._index} has no timestamp after the last one; "
                "encode it without loss first: ffmpeg -i IN -c:v libx264 -qp 0 -c:a copy OUT.mkv"
            )
        if frame.pts is not None and frame.pts < 0:
            raise MediaError(
                f"stream {self._index} begins before 0, as broadcasts do whose clock wraps around, which MP4, MOV and "
                "Matroska cannot hold; shift it first: ffmpeg -i IN -c copy -avoid_negative_ts make_zero OUT.mkv"
            )
        shape = _shape(frame, pixel_aspect)
        if self._shape not in (None, shape):
            changed = next(n for n, value in shape.items() if self._shape is not None and value != self._shape[n])
            raise MediaError(f"the picture changes its {changed} at frame {self.frames}; cut the file there first")
        self._pts, self._shape = frame.pts, shape
        self.frames += 1
        self._bytes += sum(plane.buffer_size for plane in frame.planes)
        if self.frames > MAX_FRAMES or self._bytes > MAX_DECODED_BYTES:
            raise MediaError(f"stream {self._index} {TOO_LONG}")


def _shape(frame: VideoFrame, pixel_aspect: Fraction | None) -> dict[str, object]:
    """What an encoded stream states once for all of its frames, by the words of an error message."""
    return {
        "size or format": (frame.width, frame.height, frame.format.name, orientation(frame)),
        "pixel aspect ratio": pixel_aspect,
        "colour range": int(frame.color_range),
        "colour matrix": int(frame.colorspace),
        "colour primaries": int(frame.color_primaries),
        "colour transfer": int(frame.color_trc),
    }
