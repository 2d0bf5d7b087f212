"""When 0 ms of a manifest is: the earliest presentation time among the streams it lists, in the file's own clock."""

from collections.abc import Iterable
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream as AvAudioStream
from av.stream import Stream as AvStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream as AvVideoStream

from schema.media import MediaFile, demux, fraction, prepare_decoder


def first_time(media: MediaFile, index: int) -> Fraction | None:
    """When the first frame or sample of a stream is presented, in seconds, edit lists and priming applied.

    None where nothing of it is. Packets that do not decode are passed over: only a time is asked for.
    """
    with demux(media) as container:
        stream: AvStream = container.streams[index]
        if isinstance(stream, AvVideoStream):
            prepare_decoder(stream)
        elif isinstance(stream, AvAudioStream):
            stream.codec_context.thread_count = 1
        else:
            return None
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except (av.FFmpegError, ValueError):
                continue  # sound cut out of a broadcast begins in the middle of a packet
            for frame in frames:
                if isinstance(frame, VideoFrame | AudioFrame) and frame.pts is not None:
                    return frame.pts * fraction(frame.time_base)
    return None


def origin(media: MediaFile, indexes: Iterable[int]) -> Fraction:
    """The earliest first presentation time of the streams at `indexes`, in seconds; 0 where none presents anything."""
    return min((t for i in indexes if (t := first_time(media, i)) is not None), default=Fraction(0))
