"""Decoding of footage and pictures into views: each frame once, in presentation order, upright as displayed."""

import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from PIL import Image

from veridact.locate.detectors.base import Pixels
from veridact.locate.video.camera_motion import THUMBNAIL_COLUMNS, THUMBNAIL_ROWS, Thumbnail
from veridact.media.colour.viewing import footage_rgb, picture_rgb
from veridact.media.frames.side_data import orientation
from veridact.media.pictures import frame_count, open_picture
from veridact.media.pictures import frames as picture_frames
from veridact.media.video import MediaFile, decode, demux, plane_rows
from veridact.schema.geometry import to_coded

_UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a.transpose(1, 0, 2)[:, ::-1],
    7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda a: a.transpose(1, 0, 2)[::-1],
}
"""The function that turns coded `(rows, columns, channels)` upright, by EXIF orientation."""


_SCALERS = threading.local()


def _scaler() -> VideoReformatter:
    """The scaler of this thread, to be used without threads of its own.

    That of the frame itself deadlocks when two threads call it at once. So does a scaler that started threads and is
    used in a forked process without them.
    """
    if not hasattr(_SCALERS, "own"):
        _SCALERS.own = VideoReformatter()
    scaler: VideoReformatter = _SCALERS.own
    return scaler


REGION_MARGIN_PX, REGION_MULTIPLE = 8, 32
"""A region is converted with this margin and from multiples of this on, so that its pixels equal those of the whole
frame: chroma is interpolated from neighbours, and converted by eights or more."""


def _widened(start: int, end: int, length: int) -> tuple[int, int]:
    """The half-open range along a side of `length` that must be converted for the pixels from `start` to `end`."""
    start, end = start - REGION_MARGIN_PX, end + REGION_MARGIN_PX
    return max(0, start // REGION_MULTIPLE * REGION_MULTIPLE), min(length, -(-end // REGION_MULTIPLE) * REGION_MULTIPLE)


def _cropped(frame: VideoFrame, left: int, top: int, right: int, bottom: int) -> VideoFrame | None:
    """A region of a frame in its own pixel format.

    None where a plane has several components, or where a sample covers a fraction of a pixel.
    """
    components = frame.format.components
    if len({c.plane for c in components}) < len(components) or len(components) != len(frame.planes):
        return None
    cropped = VideoFrame(right - left, bottom - top, frame.format.name)
    cropped.colorspace, cropped.color_range = frame.colorspace, frame.color_range
    for c in components:
        source, target = frame.planes[c.plane], cropped.planes[c.plane]
        across, down = frame.width // source.width, frame.height // source.height
        if (across * source.width, down * source.height) != (frame.width, frame.height):
            return None
        sample_bytes = -(-c.bits // 8)
        x, y, width = left // across * sample_bytes, top // down, target.width * sample_bytes
        plane_rows(target)[:, :width] = plane_rows(source)[y : y + target.height, x : x + width]
    return cropped


@dataclass(frozen=True)
class FootageView:
    """A decoded video frame; scaled, converted and turned upright on demand."""

    frame: VideoFrame
    orientation: int
    still: bool = False
    motion_blurred: bool = False
    is_crop: bool = False

    @property
    def width(self) -> int:
        """Columns of the upright frame."""
        return self.frame.width if self.orientation < 5 else self.frame.height

    @property
    def height(self) -> int:
        """Rows of the upright frame."""
        return self.frame.height if self.orientation < 5 else self.frame.width

    def rgb(self, width: int, height: int) -> Pixels:
        """The whole frame scaled to `width`×`height`."""
        coded = (width, height) if self.orientation < 5 else (height, width)
        upright: Pixels = _UPRIGHT[self.orientation](footage_rgb(self.frame, _scaler(), *coded))
        return upright

    def region(self, left: int, top: int, right: int, bottom: int) -> Pixels:
        """The unscaled pixels of a half-open region; only they are converted, a tenth of the work for a small one."""
        box = (left, top, right - left, bottom - top)
        x, y, width, height = to_coded(box, self.orientation, self.width, self.height)
        x0, x1 = _widened(x, x + width, self.frame.width)
        y0, y1 = _widened(y, y + height, self.frame.height)
        cropped = _cropped(self.frame, x0, y0, x1, y1)
        if cropped is None:
            return self.rgb(self.width, self.height)[top:bottom, left:right]
        coded = footage_rgb(cropped, _scaler(), cropped.width, cropped.height)
        upright: Pixels = _UPRIGHT[self.orientation](coded[y - y0 : y - y0 + height, x - x0 : x - x0 + width])
        return upright

    def thumbnail(self) -> Thumbnail:
        """The luma of the upright frame at thumbnail size."""
        size = (THUMBNAIL_COLUMNS, THUMBNAIL_ROWS)
        coded = size if self.orientation < 5 else size[::-1]
        gray = _scaler().reformat(self.frame, *coded, format="gray", interpolation="AREA", threads=1).to_ndarray()
        upright: Thumbnail = _UPRIGHT[self.orientation](gray[:, :, None])[:, :, 0].astype(np.float32)
        return upright


@dataclass(frozen=True)
class PictureView:
    """A still, or one frame of an animated picture."""

    image: Image.Image
    still: bool = True
    motion_blurred: bool = False
    is_crop: bool = False

    @property
    def width(self) -> int:
        """Columns of the picture."""
        return self.image.width

    @property
    def height(self) -> int:
        """Rows of the picture."""
        return self.image.height

    def rgb(self, width: int, height: int) -> Pixels:
        """The whole picture scaled to `width`×`height`."""
        return np.asarray(
            self.image.resize(
                (width, height), Image.Resampling.BOX if width < self.width else Image.Resampling.BILINEAR
            )
        )

    def region(self, left: int, top: int, right: int, bottom: int) -> Pixels:
        """The unscaled pixels of a half-open region."""
        return np.asarray(self.image.crop((left, top, right, bottom)))

    def thumbnail(self) -> Thumbnail:
        """The luma of the picture at thumbnail size."""
        gray = self.image.convert("L").resize((THUMBNAIL_COLUMNS, THUMBNAIL_ROWS), Image.Resampling.BOX)
        return np.asarray(gray).astype(np.float32)


FrameView = FootageView | PictureView

LOW_FPS = 6
"""At up to this frame rate, each frame is examined as thoroughly as a still."""


@dataclass(frozen=True)
class DecodedFrame:
    """One frame in presentation order: its number from 0, its time in the stream's time base, and its pixels."""

    number: int
    pts: int
    view: FrameView


def decode_video(media: MediaFile, index: int, threads: int = 1) -> Generator[DecodedFrame, None, None]:
    """The frames of one video stream; raises `MediaError` where any of it cannot be decoded."""
    with demux(media) as container:
        stream = next(s for s in container.streams.video if s.index == index)
        low_rate = stream.average_rate is not None and 0 < stream.average_rate <= LOW_FPS
        for number, frame in enumerate(decode(container, stream, threads)):
            yield DecodedFrame(number, frame.pts or 0, FootageView(frame, orientation(frame), low_rate))


def is_still(media: MediaFile) -> bool:
    """Whether a file is a picture of one frame, so that no other frame can confirm a detection."""
    if media.format.library != "pillow":
        return False
    with open_picture(media) as image:
        return frame_count(image) == 1


def decode_picture(media: MediaFile) -> Iterator[tuple[DecodedFrame, int]]:
    """The frames of a picture, each with its duration in milliseconds; `pts` is the sum of the durations before it."""
    with open_picture(media) as image:
        pts = 0
        for number, (frame, duration_ms) in enumerate(picture_frames(image)):
            yield DecodedFrame(number, pts, PictureView(picture_rgb(frame), frame_count(image) == 1)), duration_ms
            pts += max(1, duration_ms)
