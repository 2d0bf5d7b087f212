"""The `source` of a manifest for a file that is not searched: every stream listed, every timeline read."""

from av.audio.stream import AudioStream as AvAudioStream
from av.container import InputContainer
from av.stream import Stream as AvStream

from veridact.errors import MediaError
from veridact.media.frames.side_data import orientation
from veridact.media.origin import has_presented_packet, is_presented
from veridact.media.pictures import frames, open_picture
from veridact.media.probe import VideoTimeline, audio_record, other_record, picture_record, video_record
from veridact.media.video import Kind, MediaFile, decode, demux
from veridact.schema.manifest import Source, Stream


def read_source(media: MediaFile) -> Source:
    """The source of a file, all streams marked as not searched; decodes every video stream once for its timeline.

    Raises `MediaError` for a file without a picture, video or audio stream that can be read.
    """
    if media.format.library == "pillow":
        with open_picture(media) as image:
            durations_ms = [duration for _, duration in frames(image)]
            record = picture_record(image, media.format.name, durations_ms, searched=False)
        return Source(kind="picture", sha256=media.sha256, bytes=media.size, streams=(record,))
    with demux(media) as container:
        streams = tuple(_record(media, container, stream) for stream in container.streams)
    if not any(s.type in {"video", "audio"} for s in streams):
        raise MediaError("the file holds neither footage nor sound that can be read")
    kind: Kind = "video" if any(s.type == "video" for s in streams) else "audio"
    return Source(kind=kind, sha256=media.sha256, bytes=media.size, streams=streams)


def _record(media: MediaFile, container: InputContainer, stream: AvStream) -> Stream:
    """The record of one stream; a video or audio stream without a presented packet is listed as another kind."""
    if not is_presented(stream) or not has_presented_packet(media, stream.index):
        return other_record(stream)
    if isinstance(stream, AvAudioStream):
        return audio_record(container, stream, searched=False)
    return _video(media, stream.index)


def _video(media: MediaFile, index: int) -> Stream:
    """The record of a video stream, from decoding all its frames."""
    pts: list[int] = []
    with demux(media) as container:
        stream = next(s for s in container.streams.video if s.index == index)
        for frame in decode(container, stream):
            if not pts:
                shape = (frame.width, frame.height, orientation(frame))
            pts.append(frame.pts or 0)
        return video_record(stream, VideoTimeline(pts, *shape), searched=False)
