"""The presentation timestamps of a stream, read from the file and checked against the manifest's digest."""

from array import array

import numpy as np

from veridact.errors import BindingError, MediaError
from veridact.media.pictures import frames, open_picture
from veridact.media.probe import picture_pts
from veridact.media.video import MediaFile, decode, demux
from veridact.schema.manifest import PictureStream, VideoStream
from veridact.schema.timeline import first_fault, pts_sha256


def _from_packets(media: MediaFile, index: int) -> "array[int]":
    """The pts of the presented packets, sorted: for most files those of the decoded frames, without decoding."""
    with demux(media) as container:
        packets = container.demux(container.streams[index])
        presented = (p.pts for p in packets if p.size and not p.is_discard and p.pts is not None)
        return array("q", np.sort(np.fromiter(presented, np.int64)).tobytes())


def _from_frames(media: MediaFile, index: int) -> "array[int]":
    """The pts of the decoded frames."""
    with demux(media) as container:
        stream = next(s for s in container.streams.video if s.index == index)
        return array("q", (frame.pts for frame in decode(container, stream) if frame.pts is not None))


def _of_picture(media: MediaFile, index: int) -> "array[int]":
    """The start of each frame of a picture, in milliseconds."""
    with open_picture(media) as image:
        durations_ms = [duration for _, duration in frames(image)]
    return array("q", picture_pts(durations_ms))


def read_pts(media: MediaFile, record: VideoStream | PictureStream) -> "array[int]":
    """The pts of every frame of a stream, equal by digest to the manifest's timeline.

    The packets' timestamps are tried first; where their digest differs, the frames are decoded. The result is an array
    of eight bytes per frame, since a film has millions of them. Raises `BindingError` for another timeline than the
    manifest's, `MediaError` for a stream without a frame.
    """
    pts = array("q")
    for source in (_of_picture,) if isinstance(record, PictureStream) else (_from_packets, _from_frames):
        pts = source(media, record.index)
        if len(pts) == record.frames and pts_sha256(pts) == record.pts_sha256 and first_fault(pts) is None:
            return pts
    if not pts:
        raise MediaError(f"stream {record.index} has no frame; drop it in output.streams")
    raise BindingError(
        f"stream {record.index} has {len(pts)} frames on another timeline than the manifest's {record.frames}; "
        "run locate again"
    )
