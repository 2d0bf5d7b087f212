"""Frames of the original as pictures for a reviewer: as displayed, in RGB, one after the other."""

from collections.abc import Collection, Iterator
from itertools import islice

from PIL import Image

from veridact.errors import UsageError
from veridact.media.pictures import displayed, open_picture
from veridact.media.pictures import frames as picture_frames
from veridact.media.video import MediaFile, decode, demux
from veridact.schema.manifest import Manifest, PictureStream, VideoStream


def stream_of(manifest: Manifest, index: int | None) -> VideoStream | PictureStream:
    """The stream to look at: the one that is named, else the first that shows something."""
    able = [s for s in manifest.source.streams if isinstance(s, VideoStream | PictureStream)]
    found = [s for s in able if index in (None, s.index)]
    if not found:
        listed = ", ".join(str(s.index) for s in able)
        raise UsageError(f"there is no picture in stream {index}; there is one in {listed}" if able else
                         "the source has no picture; use --timeline")  # fmt: skip
    return found[0]


def frames(
    media: MediaFile, stream: VideoStream | PictureStream, wanted: Collection[int] | None
) -> Iterator[tuple[int, int, Image.Image]]:
    """The wanted frames, or all, as `(number, pts, picture)` in order; decoding stops after the last."""
    stop = None if wanted is None else max(wanted, default=-1) + 1
    if isinstance(stream, PictureStream):
        with open_picture(media) as image:
            at = 0
            for number, (picture, duration_ms) in enumerate(islice(picture_frames(image), stop)):
                if wanted is None or number in wanted:
                    yield number, at, picture.convert("RGB")
                at += duration_ms
        return
    with demux(media) as container:
        source = next(s for s in container.streams.video if s.index == stream.index)
        for number, frame in enumerate(islice(decode(container, source), stop)):
            if wanted is None or number in wanted:
                yield (
                    number,
                    frame.pts or 0,
                    displayed(Image.fromarray(frame.to_ndarray(format="rgb24")), stream.orientation),
                )
