"""The origin, 0 ms of a manifest: the earliest presentation time of the file's streams, in the file's own clock.

The only place that computes it, for `render`, `locate`, the tools that open footage, and `verify`.
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
    """The presentation time of a stream's first frame or sample in seconds, edit lists and priming applied.

    None where none is presented. Packets that do not decode are skipped, since only a time is needed.
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
                continue  # audio cut out of a broadcast begins with a partial packet
            for frame in frames:
                if isinstance(frame, VideoFrame | AudioFrame) and frame.pts is not None:
                    return frame.pts * fraction(frame.time_base)
    return None


def has_presented_packet(media: MediaFile, index: int) -> bool:
    """Whether a stream has a packet that is presented; one of a file cut short may have a header only.

    Raises `MediaError` for a stream that cannot be read.
    """
    try:
        with demux(media) as container:
            packets = container.demux(container.streams[index])
            return any(packet.size and not packet.is_discard for packet in packets)
    except av.FFmpegError as e:
        raise MediaError(f"stream {index} cannot be read: {reason_of(e)}") from None


def is_presented(stream: AvStream) -> bool:
    """Whether a stream is video or audio that a player presents; cover art is not, nor sound without parameters.

    FFmpeg knows no sample rate of sound that is announced but never found, as in a transport stream without sync words.
    """
    if isinstance(stream, AvAudioStream):
        return stream.codec_context is not None and stream.sample_rate > 0 and stream.channels > 0
    is_video = isinstance(stream, AvVideoStream) and stream.codec_context is not None
    return is_video and not is_cover_art(stream)


def origin(media: MediaFile) -> Fraction:
    """The earliest presentation time of all video and audio streams of the file, in seconds; 0 where there is none.

    Streams that the output drops count as well: dropping one must not move the ranges of the others.
    """
    return min(_first_times(media, AvVideoStream | AvAudioStream), default=Fraction(0))


def audio_offset(media: MediaFile) -> Fraction:
    """The start of the earliest audio stream after the origin, in seconds; 0 where there is none."""
    zero = origin(media)
    return min(_first_times(media, AvAudioStream), default=zero) - zero


def _first_times(media: MediaFile, kinds: type | UnionType) -> list[Fraction]:
    """The first presentation time, in seconds, of each stream of these kinds that has one."""
    if media.format.library != "ffmpeg":
        return []
    with demux(media) as container:
        indexes = [s.index for s in container.streams if is_presented(s) and isinstance(s, kinds)]
    return [t for i in indexes if (t := first_time(media, i)) is not None]
