"""When 0 ms of a manifest is: the earliest presentation time among the streams it lists, in the file's own clock.

Every reader asks here: `render`, `locate`, the tools with footage at hand, and `verify` of an output.
"""

from fractions import Fraction
from types import UnionType

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream as AvAudioStream
from av.stream import Stream as AvStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream as AvVideoStream

from veridact.errors import MediaError
from veridact.media.video import MediaFile, demux, fraction, is_cover_art, prepare_decoder, reason_of
from veridact.sandbox.heartbeat import beat


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
            beat()
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
    return min(_first_times(media, AvVideoStream | AvAudioStream), default=Fraction(0))


def audio_offset(media: MediaFile) -> Fraction:
    """How many seconds after 0 ms the earliest sound of the file begins; 0 where there is none."""
    zero = origin(media)
    return min(_first_times(media, AvAudioStream), default=zero) - zero


def _first_times(media: MediaFile, kinds: type | UnionType) -> list[Fraction]:
    """The first presentation time of each stream of footage or sound that has one, in seconds."""
    if media.format.library != "ffmpeg":
        return []
    with demux(media) as container:
        indexes = [s.index for s in container.streams if is_presented(s) and isinstance(s, kinds)]
    return [t for i in indexes if (t := first_time(media, i)) is not None]
