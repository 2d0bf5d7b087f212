"""The presentation times that a manifest was bound to, read back from the footage before anything is painted."""

from schema.errors import BindingError, MediaError
from schema.manifest import VideoStream
from schema.media import MediaFile, decode, demux
from schema.timeline import first_fault, pts_sha256


def _from_packets(media: MediaFile, index: int) -> list[int]:
    """The timestamps of the packets that are presented, in order: as good as decoding for most files, and fast."""
    with demux(media) as container:
        stream = container.streams[index]
        packets = container.demux(stream)
        found = [p.pts for p in packets if p.size and not p.is_discard and p.pts is not None]
    return sorted(found)


def _from_frames(media: MediaFile, index: int) -> list[int]:
    with demux(media) as container:
        stream = next(s for s in container.streams.video if s.index == index)
        return [frame.pts for frame in decode(container, stream) if frame.pts is not None]


def read(media: MediaFile, record: VideoStream) -> list[int]:
    """The timeline of a video stream, proven to be the manifest's by its digest; raises `BindingError` when it is not.

    Packets are tried first. Where their times are not those of the decoded frames the digest differs, and the frames
    themselves are asked.
    """
    for source in (_from_packets, _from_frames):
        pts = source(media, record.index)
        if len(pts) == record.frames and pts_sha256(pts) == record.pts_sha256 and first_fault(pts) is None:
            return pts
    if not pts:
        raise MediaError(f"stream {record.index} has no frame")
    raise BindingError(
        f"stream {record.index} has {len(pts)} frames on another timeline than the manifest's {record.frames}; "
        "run locate again"
    )
