"""Muxing the rendered streams into one container: packets interleaved by decoding time, no metadata but languages."""

import errno
import heapq
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import TypeAlias, cast

import av
from av.audio.stream import AudioStream as AvAudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream as AvStream
from av.video.stream import VideoStream as AvVideoStream

from veridact.errors import MachineError, MediaError, VeridactError
from veridact.media.containers import MUXERS
from veridact.media.video import fraction, reason_of
from veridact.render.audio.stream import AudioOutput
from veridact.render.readback import MATROSKA_TICK_SECONDS
from veridact.render.video import segment_files
from veridact.render.video.encoder import PROFILES, configure
from veridact.render.video.matroska_aspect import write_aspect_ratios
from veridact.render.video.stream import EncodedVideo
from veridact.sandbox.heartbeat import beat
from veridact.schema.geometry import matrix_of_orientation

WRITE_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.ENOMEM, errno.ENOENT}
"""Errors of the disk or the machine, not of the container."""

MAX_TIMESCALE = 2**31 - 1


TimedPacket: TypeAlias = "tuple[Fraction, int, int, Packet[AvStream]]"
"""(decoding time in seconds, index of the output stream, number of the packet, packet): sorts without ties."""


def _options(
    container: str, time_bases: Sequence[Fraction], streams: Sequence[EncodedVideo | AudioOutput]
) -> dict[str, str]:
    """Muxer options under which the timestamps and offsets of all streams are stored exactly."""
    options = {"fflags": "+bitexact"}
    if container in {"mp4", "mov", "m4a"}:
        scale = lcm(*(base.denominator for base in time_bases))
        options["movie_timescale"] = str(min(scale, MAX_TIMESCALE))
        options["use_editlist"] = "1"
    for stream in streams:
        if isinstance(stream, AudioOutput):
            options |= stream.muxer_options()
    return options


def _add_video(output: OutputContainer, video: EncodedVideo, extradata: bytes) -> AvVideoStream:
    """Adds a video stream configured as its segments were encoded, with `extradata` as its codec header."""
    spec = video.spec
    stream = output.add_stream(PROFILES[spec.profile].encoder, rate=spec.rate)
    if not isinstance(stream, AvVideoStream):
        raise VeridactError("the muxer made no video stream")
    configure(stream.codec_context, spec)
    stream.time_base = spec.time_base
    if spec.orientation != 1:
        stream.set_display_matrix(matrix_of_orientation(spec.orientation))
    stream.codec_context.open()
    if stream.codec_context.extradata != extradata:
        raise VeridactError("the segments were encoded with other headers than the container's")
    return stream


def _last_ticks(video: EncodedVideo) -> int:
    """The duration of the last frame in ticks: the source's, or that of the frame before it where the source is vague.

    It is vague where it says nothing, and where it counts in milliseconds and differs by one, as Matroska does.
    """
    pts, said = video.pts, video.last_ticks
    before = pts[-1] - pts[-2] if len(pts) > 1 else 1
    rounded = video.spec.time_base == MATROSKA_TICK_SECONDS and abs(said - before) <= 1
    return before if not said or rounded else said


def _video_packets(video: EncodedVideo, stream: AvStream, output_index: int) -> Iterator[TimedPacket]:
    """The packets of a video stream in decoding order, with computed decoding times and durations.

    Packet i gets the presentation time of frame i - reorder as its dts. That is valid for closed GOPs with that much
    reordering, and independent of how the segments were encoded. Raises `VeridactError` where dts > pts.
    """
    pts, base = video.pts, video.spec.time_base
    reorder = PROFILES[video.spec.profile].reorder
    step = pts[1] - pts[0] if len(pts) > 1 else 1
    last = _last_ticks(video)
    number = 0
    for path in video.paths:
        for encoded in segment_files.packets(path):
            packet: Packet[AvStream] = Packet(encoded.data)
            packet.stream, packet.time_base = stream, base
            packet.pts, packet.is_keyframe = encoded.pts, encoded.is_keyframe
            packet.dts = pts[number - reorder] if number >= reorder else pts[0] - (reorder - number) * step
            following = bisect_right(pts, encoded.pts)
            packet.duration = pts[following] - encoded.pts if following < len(pts) else last
            if number == len(pts) - 1:
                packet.duration = last  # MP4 stores durations in decoding order: the last one makes the track's length
            if packet.dts > encoded.pts:
                raise VeridactError("the encoder reordered frames further than its options allow")
            yield packet.dts * base, output_index, number, packet
            number += 1


def _audio_packets(audio: AudioOutput, stream: AvAudioStream, output_index: int) -> Iterator[TimedPacket]:
    """The packets of an audio stream in order."""
    for number, packet in enumerate(audio.packets(stream)):
        dts = packet.dts if packet.dts is not None else 0
        yield dts * fraction(packet.time_base), output_index, number, cast("Packet[AvStream]", packet)


def write(
    path: Path, container: str, streams: Sequence[EncodedVideo | AudioOutput], languages: Sequence[str | None]
) -> None:
    """Muxes the streams into a new file at `path`, each with its language where it has one.

    Raises `MediaError` where the container cannot store a stream, `MachineError` where the file cannot be written.
    """
    bases = [s.spec.time_base if isinstance(s, EncodedVideo) else Fraction(1, s.rate_hz) for s in streams]
    try:
        with av.open(str(path), "w", format=MUXERS[container], options=_options(container, bases, streams)) as output:
            packets: list[Iterator[TimedPacket]] = []
            for output_index, source in enumerate(streams):
                if isinstance(source, EncodedVideo):
                    extradata = segment_files.read_header(source.paths[0]).extradata
                    packets.append(_video_packets(source, _add_video(output, source, extradata), output_index))
                else:
                    packets.append(_audio_packets(source, source.add_to(output), output_index))
            for stream, language in zip(output.streams, languages, strict=True):
                stream.metadata.clear()
                if language:
                    stream.metadata["language"] = language
            output.start_encoding()
            for _, _, _, packet in heapq.merge(*packets):
                output.mux(packet)
                beat()
        if container == "mkv":
            write_aspect_ratios(path, [s.spec.sample_aspect_ratio for s in streams if isinstance(s, EncodedVideo)])
    except (av.FFmpegError, ValueError) as e:
        if getattr(e, "errno", None) in WRITE_ERRNOS:
            raise MachineError(f"the output cannot be written: {reason_of(e)}") from None
        raise MediaError(f"the {container} container cannot hold these streams: {reason_of(e)}") from None
