"""Pictures and footage as a run of views: decoded once, in order, upright as displayed."""

import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from PIL import Image

from veridact.locate.detectors.base import Pixels
from veridact.locate.video.camera_motion import GIST_COLUMNS, GIST_ROWS, Gist
from veridact.media.pictures import frame_count, open_picture
from veridact.media.pictures import frames as picture_frames
from veridact.media.video import MediaFile, decode, demux, orientation, plane_rows
from veridact.schema.geometry import to_coded

_TURN = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a.transpose(1, 0, 2)[:, ::-1],
    7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda a: a.transpose(1, 0, 2)[::-1],
}
"""What turns the stored rows and columns upright, by EXIF orientation."""


_SCALERS = threading.local()


def _scaled(frame: VideoFrame, size: tuple[int, int], form: str) -> VideoFrame:
    """A frame at another size and in another format.

    Each thread has a scaler of its own: that of the frame itself never returns when two threads ask it at once.
    Nor does one that started threads and finds itself in a forked process without them, so it starts none.
    """
    if not hasattr(_SCALERS, "own"):
        _SCALERS.own = VideoReformatter()
    scaled: VideoFrame = _SCALERS.own.reformat(frame, *size, format=form, interpolation="AREA", threads=1)
    return scaled


REGION_MARGIN_PX, REGION_MULTIPLE = 8, 32
"""A region is taken with so much around it and from multiples of this on, so that its pixels come out as in the whole:
colours are had from neighbours too, and by eights or more."""


def _widened(start: int, end: int, length: int) -> tuple[int, int]:
    """Where to cut along a side for a region of it."""
    start, end = start - REGION_MARGIN_PX, end + REGION_MARGIN_PX
    return max(0, start // REGION_MULTIPLE * REGION_MULTIPLE), min(length, -(-end // REGION_MULTIPLE) * REGION_MULTIPLE)


def _cropped(frame: VideoFrame, left: int, top: int, right: int, bottom: int) -> VideoFrame | None:
    """A part of a frame; None where its samples do not lie one plane a component and a whole number of pixels each."""
    components = frame.format.components
    if len({c.plane for c in components}) < len(components) or len(components) != len(frame.planes):
        return None
    part = VideoFrame(right - left, bottom - top, frame.format.name)
    part.colorspace, part.color_range = frame.colorspace, frame.color_range
    for c in components:
        source, target = frame.planes[c.plane], part.planes[c.plane]
        across, down = frame.width // source.width, frame.height // source.height
        if (across * source.width, down * source.height) != (frame.width, frame.height):
            return None
        wide = -(-c.bits // 8)
        x, y, width = left // across * wide, top // down, target.width * wide
        plane_rows(target)[:, :width] = plane_rows(source)[y : y + target.height, x : x + width]
    return part


@dataclass(frozen=True)
class FootageView:
    """A decoded video frame; scaled and turned only when somebody looks."""

    frame: VideoFrame
    orientation: int
    still: bool = False
    smeared: bool = False
    part: bool = False

    @property
    def width(self) -> int:
        return self.frame.width if self.orientation < 5 else self.frame.height

    @property
    def height(self) -> int:
        return self.frame.height if self.orientation < 5 else self.frame.width

    def rgb(self, width: int, height: int) -> Pixels:
        stored = (width, height) if self.orientation < 5 else (height, width)
        scaled = _scaled(self.frame, stored, "rgb24").to_ndarray()
        turned: Pixels = _TURN[self.orientation](scaled)
        return turned

    def region(self, left: int, top: int, right: int, bottom: int) -> Pixels:
        """Converts only what is needed, which is a tenth of the work for a small region."""
        box = (left, top, right - left, bottom - top)
        x, y, width, height = to_coded(box, self.orientation, self.width, self.height)
        x0, x1 = _widened(x, x + width, self.frame.width)
        y0, y1 = _widened(y, y + height, self.frame.height)
        part = _cropped(self.frame, x0, y0, x1, y1)
        if part is None:
            return self.rgb(self.width, self.height)[top:bottom, left:right]
        stored = _scaled(part, (part.width, part.height), "rgb24").to_ndarray()
        turned: Pixels = _TURN[self.orientation](stored[y - y0 : y - y0 + height, x - x0 : x - x0 + width])
        return turned

    def gist(self) -> Gist:
        stored = (GIST_COLUMNS, GIST_ROWS) if self.orientation < 5 else (GIST_ROWS, GIST_COLUMNS)
        gray = _scaled(self.frame, stored, "gray").to_ndarray()
        turned: Gist = _TURN[self.orientation](gray[:, :, None])[:, :, 0].astype(np.float32)
        return turned


@dataclass(frozen=True)
class PictureView:
    """A still, or one frame of an animated picture."""

    image: Image.Image
    still: bool = True
    smeared: bool = False
    part: bool = False

    @property
    def width(self) -> int:
        return self.image.width

    @property
    def height(self) -> int:
        return self.image.height

    def rgb(self, width: int, height: int) -> Pixels:
        return np.asarray(
            self.image.resize(
                (width, height), Image.Resampling.BOX if width < self.width else Image.Resampling.BILINEAR
            )
        )

    def region(self, left: int, top: int, right: int, bottom: int) -> Pixels:
        return np.asarray(self.image.crop((left, top, right, bottom)))

    def gist(self) -> Gist:
        gray = self.image.convert("L").resize((GIST_COLUMNS, GIST_ROWS), Image.Resampling.BOX)
        return np.asarray(gray).astype(np.float32)


FrameView = FootageView | PictureView

RARE_FPS = 6
"""With so few frames a second, each is worth as long a look as a still."""


@dataclass(frozen=True)
class Shown:
    """One frame in presentation order: its 0-based number, its time in the stream's time base, and how it looks."""

    number: int
    pts: int
    view: FrameView


def footage(media: MediaFile, index: int, threads: int = 1) -> Generator[Shown, None, None]:
    """The frames of one video stream; raises `MediaError` for anything that does not decode whole."""
    with demux(media) as container:
        stream = next(s for s in container.streams.video if s.index == index)
        rare = stream.average_rate is not None and 0 < stream.average_rate <= RARE_FPS
        for number, frame in enumerate(decode(container, stream, threads)):
            yield Shown(number, frame.pts or 0, FootageView(frame, orientation(frame), rare))


def is_still(media: MediaFile) -> bool:
    """Whether a file is one picture: nothing else will confirm what is found in it."""
    if media.format.library != "pillow":
        return False
    with open_picture(media) as image:
        return frame_count(image) == 1


def picture(media: MediaFile) -> Iterator[tuple[Shown, int]]:
    """The frames of a picture, each with its duration in milliseconds, which make up the time of those that follow."""
    with open_picture(media) as image:
        pts = 0
        for number, (frame, duration_ms) in enumerate(picture_frames(image)):
            yield Shown(number, pts, PictureView(frame.convert("RGB"), frame_count(image) == 1)), duration_ms
            pts += max(1, duration_ms)
