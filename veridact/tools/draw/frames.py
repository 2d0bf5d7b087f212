"""Decoding frames of the original for review: oriented as displayed, in RGB, in presentation order."""

from collections.abc import Collection, Iterator
from itertools import islice

from av.video.reformatter import VideoReformatter
from PIL import Image

from veridact.errors import UsageError
from veridact.media.colour.viewing import footage_rgb, picture_rgb
from veridact.media.pictures import displayed, open_picture
from veridact.media.pictures import frames as picture_frames
from veridact.media.video import MediaFile, decode, demux
from veridact.schema.manifest import Manifest, PictureStream, VideoStream


def stream_of(manifest: Manifest, index: int | None) -> VideoStream | PictureStream:
    """The stream at `index`, or the first with a picture; raises `UsageError` where there is none."""
    visual = [s for s in manifest.source.streams if isinstance(s, VideoStream | PictureStream)]
    found = [s for s in visual if index in (None, s.index)]
    if not found:
        listed = ", ".join(str(s.index) for s in visual)
        raise UsageError(f"there is no picture in stream {index}; there is one in {listed}" if visual else
                         "the source has no picture; use --timeline")  # fmt: skip
    return found[0]


def frames(
    media: MediaFile, stream: VideoStream | PictureStream, wanted: Collection[int] | None
) -> Iterator[tuple[int, int, Image.Image]]:
    """The wanted frames, or all for None, as `(frame, pts, picture)`; decoding stops after the last wanted one.

    `pts` is in ticks of the stream's time base; of pictures in milliseconds.
    """
    stop = None if wanted is None else max(wanted, default=-1) + 1
    if isinstance(stream, PictureStream):
        with open_picture(media) as image:
            at = 0
            for number, (picture, duration_ms) in enumerate(islice(picture_frames(image), stop)):
                if wanted is None or number in wanted:
                    yield number, at, picture_rgb(picture)
                at += duration_ms
        return
    with demux(media) as container:
        source = next(s for s in container.streams.video if s.index == stream.index)
        scaler = VideoReformatter()
        for number, frame in enumerate(islice(decode(container, source), stop)):
            if wanted is None or number in wanted:
                shown = Image.fromarray(footage_rgb(frame, scaler, frame.width, frame.height))
                yield number, frame.pts or 0, displayed(shown, stream.orientation)
