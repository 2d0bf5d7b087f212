"""The packets of one audio stream that a player presents, in order, without tags or other side data.

A packet wholly hidden by an edit list is dropped; before the first presented packet, as many are kept as the decoder
needs to start (priming). The only side data kept is `skip_samples`, since any other may contain tags.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeAlias, cast

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet, PacketSideData

from veridact.errors import MediaError
from veridact.media.probe import codec_name
from veridact.media.video import fraction

AvAudioPacket: TypeAlias = "Packet[AudioStream]"
# Pre-roll of Opus: decoded and discarded before the first presented sample, at 48 kHz (RFC 7845 §4.6). Other codecs
# whose packets overlap need one packet, those in NO_OVERLAP none.
OPUS_PREROLL_SAMPLES = 3840
NO_OVERLAP = ("pcm_", "adpcm_", "flac", "alac", "tta", "wavpack", "ape")
# The sync word that begins every packet of a codec, and the mask of its fixed bits.
SYNC_WORDS = {
    "mp1": (0xFFE0, 0xFFE0),
    "mp2": (0xFFE0, 0xFFE0),
    "mp3": (0xFFE0, 0xFFE0),
    "ac3": (0x0B77, 0xFFFF),
    "eac3": (0x0B77, 0xFFFF),
    "aac": (0xFFF0, 0xFFF6),
}
# Rounding to a time base coarser than a sample makes pts jitter; a deviation of more ticks than this is a gap.
_GAP_TICKS = 3
_MAX_JUNK_PACKETS = 64
_MAX_PRIMING_PACKETS = 64
# The last packet of an Ogg file may begin after the stream ends; FFmpeg wraps its negative duration to 32 bits.
_NEGATIVE = 1 << 31


@dataclass(frozen=True, slots=True)
class AudioPacket:
    """One compressed packet: `pts` and `duration` in ticks of `time_base`, `skip` samples hidden at its start.

    `skip_side_data` is FFmpeg's `skip_samples` record (samples hidden at start and end), where the source has one.
    `ancillary_bytes` is the number of bytes that were no sound and have been zeroed.
    """

    data: bytes
    pts: int
    duration: int
    time_base: Fraction
    key: bool = True
    skip: int = 0
    skip_side_data: PacketSideData | None = None
    ancillary_bytes: int = 0

    def to_av(self) -> AvAudioPacket:
        """The packet as a PyAV packet, not yet assigned to a stream."""
        packet = cast("Packet[AudioStream]", Packet(self.data))
        packet.pts = packet.dts = self.pts
        packet.duration = self.duration
        packet.time_base = self.time_base
        packet.is_keyframe = self.key
        if self.skip_side_data is not None:
            self.skip_side_data.update(self.skip.to_bytes(4, "little") + bytes(self.skip_side_data)[4:])
            packet.set_sidedata(self.skip_side_data)
        return packet


def _has_sync_word(packet: AvAudioPacket, codec: str, has_header: bool) -> bool:
    """Whether a packet begins with its codec's sync word; true for codecs that have none."""
    if codec not in SYNC_WORDS or (codec == "aac" and has_header):
        return True
    word, mask = SYNC_WORDS[codec]
    return int.from_bytes(bytes(packet)[:2], "big") & mask == word


def audio_packets(container: InputContainer, stream: AudioStream) -> Iterator[AvAudioPacket]:
    """The packets as demuxed, without the tags or partial packets that some files have at both ends.

    Ends with the empty packet that flushes a decoder. Raises `MediaError` for a packet that is damaged or cut short.
    """
    codec, has_header = codec_name(stream), bool(stream.codec_context.extradata)
    junk: list[AvAudioPacket] = []
    number = 0
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise MediaError(f"stream {stream.index} is damaged or cut short near sound packet {number}")
        if packet.size == 0:
            yield packet
        elif _has_sync_word(packet, codec, has_header) or len(junk) >= _MAX_JUNK_PACKETS:
            yield from junk
            yield packet
            junk = []
            number += 1
        elif number:
            junk.append(packet)


def _timed_packets(container: InputContainer, stream: AudioStream) -> Iterator[tuple[AudioPacket, bool]]:
    """Every packet, and whether the demuxer flags it to be discarded.

    Raises `MediaError` for a packet without a timestamp and for a codec configuration that changes mid-stream.
    """
    time_base = fraction(stream.time_base)
    number = 0
    for packet in audio_packets(container, stream):
        if packet.size == 0:
            continue
        where = f"sound packet {number} of stream {stream.index}"
        if packet.has_sidedata("new_extradata") and number > 0:
            raise MediaError(f"{where} changes the codec's settings on the way; cut the file there first")
        pts = packet.pts if packet.pts is not None else packet.dts
        if pts is None:
            raise MediaError(f"{where} has no timestamp; remux it first: ffmpeg -i IN -map 0 -c copy OUT.mkv")
        skip, side_data = 0, None
        if packet.has_sidedata("skip_samples"):
            side_data = packet.get_sidedata("skip_samples")
            skip = int.from_bytes(bytes(side_data)[:4], "little")
        duration = packet.duration or 0
        if duration >= _NEGATIVE:
            duration = 1  # with 0 the Ogg muxer would leave the packet without a timestamp
        yield (
            AudioPacket(bytes(packet), pts, duration, time_base, packet.is_keyframe, skip, side_data),
            packet.is_discard,
        )
        number += 1


def presented_packets(container: InputContainer, stream: AudioStream) -> Iterator[AudioPacket]:
    """The packets to copy: those presented, preceded by the priming that the codec needs.

    Raises `MediaError` when no packet is presented.
    """
    codec = codec_name(stream)
    before: list[AudioPacket] = []
    start: Fraction | None = None  # of the first presented sample in seconds, once known
    begun = False
    for packet, hidden in _timed_packets(container, stream):
        if begun:
            if not hidden:
                yield packet
            continue
        if start is None and packet.skip:
            start = packet.pts * packet.time_base + Fraction(packet.skip, stream.sample_rate)
        ends = (packet.pts + packet.duration) * packet.time_base
        if hidden or (start is not None and ends <= start):
            before = [*before, packet][-_MAX_PRIMING_PACKETS:]
            continue
        begun = True
        yield from _with_priming(before, packet, start, codec, stream.sample_rate)
    if not begun:
        raise MediaError(f"stream {stream.index} has no sound that is presented; leave the stream out")


def _with_priming(
    before: list[AudioPacket], first: AudioPacket, start: Fraction | None, codec: str, rate_hz: int
) -> Iterator[AudioPacket]:
    """The priming packets among those `before` the first presented packet, then that packet.

    The first packet yielded carries the number of samples to skip up to `start` (seconds).
    """
    if codec.startswith(NO_OVERLAP):
        before = []
    elif codec == "opus":
        preroll_start = (first.pts * first.time_base) - Fraction(OPUS_PREROLL_SAMPLES, 48_000)
        before = [p for p in before if (p.pts + p.duration) * p.time_base > preroll_start]
    else:
        before = before[-1:]
    kept = [*before, first]
    skip = 0
    if start is not None:
        skip = max(0, round((start - kept[0].pts * kept[0].time_base) * rate_hz))
    yield replace(kept[0], skip=skip)
    for packet in kept[1:]:
        yield replace(packet, skip=0)


def packet_start(packet: AudioPacket, rate_hz: int) -> Fraction:
    """The presentation time, in seconds, of the first sample of a first packet that is not skipped.

    In a time base coarser than a sample (Matroska's), it is rounded to a tick: there the pts is rounded but the number
    of priming samples is not, so that -23 ms and 1024 samples at 44.1 kHz mean 0.
    """
    seconds = packet.pts * packet.time_base + Fraction(packet.skip, rate_hz)
    coarse = packet.time_base > Fraction(1, rate_hz)
    return round(seconds / packet.time_base) * packet.time_base if coarse else seconds


def retimed_packets(packets: Iterator[AudioPacket], rate_hz: int, frame_samples: int) -> Iterator[AudioPacket]:
    """Packets of constant duration, with pts counted in samples where the time base is coarser than a sample.

    Matroska and MPEG-TS round every timestamp; the rounding is removed, a true gap is kept.
    """
    grid = Fraction(1, rate_hz)
    expected = 0
    first = True
    for packet in packets:
        if packet.time_base <= grid and (packet.time_base.denominator % rate_hz == 0):
            yield packet
            continue
        stamped = packet.pts * packet.time_base * rate_hz
        if first and packet.skip:
            expected = round(packet_start(packet, rate_hz) * rate_hz) - packet.skip
        elif first or abs(stamped - expected) > max(_GAP_TICKS * packet.time_base * rate_hz, Fraction(2)):
            expected = max(expected, round(stamped)) if not first else round(stamped)
        first = False
        yield replace(packet, pts=expected, duration=frame_samples, time_base=grid)
        expected += frame_samples


def monotonic_packets(packets: Iterator[AudioPacket]) -> Iterator[AudioPacket]:
    """Packets with strictly increasing pts, as MP4 requires: one that does not increase is moved to the next tick.

    Raises `MediaError` when packets run more than 100 ms ahead of their timestamps, which is more than rounding.
    """
    last: AudioPacket | None = None
    for packet in packets:
        if last is not None and packet.pts <= last.pts:
            if (last.pts + 1 - packet.pts) * packet.time_base > Fraction(1, 10):
                raise MediaError("the sound's timestamps go back; remux it first: ffmpeg -i IN -map 0 -c copy OUT.mkv")
            packet = replace(packet, pts=last.pts + 1)
        last = packet
        yield packet


def presented_start(container: InputContainer, stream: AudioStream) -> Fraction:
    """The presentation time of the stream's first presented sample, in seconds of the file's clock."""
    priming_only = codec_name(stream) == "vorbis"  # the first packet decodes to nothing (Vorbis I §4.3.8)
    for number, packet in enumerate(presented_packets(container, stream)):
        if priming_only and number == 0 and not packet.skip:
            continue
        return packet_start(packet, stream.sample_rate)
    raise MediaError(f"stream {stream.index} has no sound")
