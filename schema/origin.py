"""When 0 ms of a manifest is: the earliest presentation time among the streams it lists, in the file's own clock."""

from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream as AvAudioStream
from av.stream import Stream as AvStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream as AvVideoStream

from schema.errors import MediaError
from schema.media import MediaFile, demux, fraction, is_cover_art, prepare_decoder, reason_of


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


def presents_anything(media: MediaFile, index: int) -> bool:
    """Whether a stream has a packet that is presented: a header alone, as of a file cut short, is nothing to render."""
    try:
        with demux(media) as container:
            packets = container.demux(container.streams[index])
            return any(packet.size and not packet.is_discard for packet in packets)
    except av.FFmpegError as e:
        raise MediaError(f"stream {index} cannot be read: {reason_of(e)}") from None


def is_presented(stream: AvStream) -> bool:
    """Whether a stream is footage or sound that a player shows; cover art is not."""
    seen_or_heard = isinstance(stream, AvVideoStream | AvAudioStream) and stream.codec_context is not None
    return seen_or_heard and not is_cover_art(stream)


def origin(media: MediaFile) -> Fraction:
    """The earliest first presentation time of all footage and sound in the file, in seconds; 0 where there is none.

    Streams that the output drops count as well: leaving one out must not move the ranges of the others.
    """
    with demux(media) as container:
        indexes = [s.index for s in container.streams if is_presented(s)]
    return min((t for i in indexes if (t := first_time(media, i)) is not None), default=Fraction(0))
