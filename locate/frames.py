"""Pictures and footage as a run of views: decoded once, in order, upright as displayed."""

import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from PIL import Image

from locate.camera import GIST_COLUMNS, GIST_ROWS, Gist
from locate.detector import Pixels
from schema.media import MediaFile, decode, demux, orientation
from schema.pictures import frame_count, open_picture
from schema.pictures import frames as picture_frames

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
