"""Putting rendered streams into one container: packets of all streams interleaved by time, nothing else written."""

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
from veridact.render.audio.stream import AudioOut
from veridact.render.video import segment_files
from veridact.render.video.encoder import PROFILES, configure
from veridact.render.video.matroska_aspect import tell_shapes
from veridact.render.video.stream import EncodedVideo
from veridact.sandbox.heartbeat import beat
from veridact.schema.geometry import matrix_of_orientation

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.ENOMEM, errno.ENOENT}
MAX_TIMESCALE = 2**31 - 1


Timed: TypeAlias = "tuple[Fraction, int, int, Packet[AvStream]]"
"""Decoding time in seconds, output stream, running number (both to break ties), packet."""


def _options(
    container: str, time_bases: Sequence[Fraction], streams: Sequence[EncodedVideo | AudioOut]
) -> dict[str, str]:
    """Muxer options under which the timestamps and offsets of all streams stay what they are."""
    options = {"fflags": "+bitexact"}
    if container in {"mp4", "mov", "m4a"}:
        scale = lcm(*(base.denominator for base in time_bases))
        options["movie_timescale"] = str(min(scale, MAX_TIMESCALE))
        options["use_editlist"] = "1"
    for stream in streams:
        if isinstance(stream, AudioOut):
            options |= stream.muxer_options()
    return options


def _add_video(output: OutputContainer, video: EncodedVideo, extradata: bytes) -> AvVideoStream:
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


def _video_packets(video: EncodedVideo, stream: AvStream, place: int) -> "Iterator[Timed]":
    """The packets of a video stream. Packet i is decoded at the time frame i - reorder is shown: what closed groups of
    pictures with that much reordering allow, and the same however the segments were made."""
    pts, base = video.pts, video.spec.time_base
    reorder = PROFILES[video.spec.profile].reorder
    step = pts[1] - pts[0] if len(pts) > 1 else 1
    end = pts[-1] + (pts[-1] - pts[-2] if len(pts) > 1 else 1)
    number = 0
    for path in video.paths:
        for encoded in segment_files.packets(path):
            packet: Packet[AvStream] = Packet(encoded.data)
            packet.stream, packet.time_base = stream, base
            packet.pts, packet.is_keyframe = encoded.pts, encoded.is_keyframe
            packet.dts = pts[number - reorder] if number >= reorder else pts[0] - (reorder - number) * step
            following = bisect_right(pts, encoded.pts)
            packet.duration = (pts[following] if following < len(pts) else end) - encoded.pts
            if packet.dts > encoded.pts:
                raise VeridactError("the encoder reordered frames further than its options allow")
            yield packet.dts * base, place, number, packet
            number += 1


def _audio_packets(audio: AudioOut, stream: AvAudioStream, place: int) -> Iterator[Timed]:
    for number, packet in enumerate(audio.packets(stream)):
        at = packet.dts if packet.dts is not None else 0
        yield at * fraction(packet.time_base), place, number, cast("Packet[AvStream]", packet)


def write(
    path: Path, container: str, streams: Sequence[EncodedVideo | AudioOut], languages: Sequence[str | None]
) -> None:
    """Writes the streams into a new file at `path`; raises `MediaError` where the container cannot hold one."""
    bases = [s.spec.time_base if isinstance(s, EncodedVideo) else Fraction(1, s.rate_hz) for s in streams]
    try:
        with av.open(str(path), "w", format=MUXERS[container], options=_options(container, bases, streams)) as output:
            sources: list[Iterator[Timed]] = []
            for place, source in enumerate(streams):
                if isinstance(source, EncodedVideo):
                    extradata = segment_files.head(source.paths[0]).extradata
                    sources.append(_video_packets(source, _add_video(output, source, extradata), place))
                else:
                    sources.append(_audio_packets(source, source.add_to(output), place))
            for stream, language in zip(output.streams, languages, strict=True):
                stream.metadata.clear()
                if language:
                    stream.metadata["language"] = language
            output.start_encoding()
            for _, _, _, packet in heapq.merge(*sources):
                output.mux(packet)
                beat()
        if container == "mkv":
            tell_shapes(path, [s.spec.sample_aspect_ratio for s in streams if isinstance(s, EncodedVideo)])
    except (av.FFmpegError, ValueError) as e:
        if getattr(e, "errno", None) in NO_ROOM:
            raise MachineError(f"the output cannot be written: {reason_of(e)}") from None
        raise MediaError(f"the {container} container cannot hold these streams: {reason_of(e)}") from None
