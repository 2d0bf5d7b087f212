"""The packets of one audio stream that a player presents, in order, with nothing but sound in them.

A packet that an edit list hides wholly is left out; of those before the first presented one, as much is kept as the
decoder needs to start (priming). Side data other than the samples to skip is not carried on: it may hold tags.
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

AudioPacket: TypeAlias = "Packet[AudioStream]"
# How much sound before the first presented sample a decoder wants, in samples at 48 kHz (RFC 7845 §4.6 for Opus).
# Codecs whose packets overlap want one packet; the others want none.
OPUS_PREROLL_SAMPLES = 3840
NO_OVERLAP = ("pcm_", "adpcm_", "flac", "alac", "tta", "wavpack", "ape")
# The two bytes that every packet of a codec begins with, and the bits of them that count.
SYNC_WORDS = {
    "mp1": (0xFFE0, 0xFFE0),
    "mp2": (0xFFE0, 0xFFE0),
    "mp3": (0xFFE0, 0xFFE0),
    "ac3": (0x0B77, 0xFFFF),
    "eac3": (0x0B77, 0xFFFF),
    "aac": (0xFFF0, 0xFFF6),
}
# A clock this much coarser than a sample makes packets jitter; a deviation beyond it is a gap in the sound.
_GAP_TICKS = 3
_LONGEST_JUNK = 64
# The last packet of an OGG file may begin after the sound ends; FFmpeg gives its negative duration as 32 bits.
_NEGATIVE = 1 << 31


@dataclass(frozen=True, slots=True)
class SoundPacket:
    """One packet: `pts` and `duration` in `time_base`, `skip` samples not presented at its start.

    `note` is FFmpeg's own record of samples not presented at its start and end, where the source has one.
    """

    data: bytes
    pts: int
    duration: int
    time_base: Fraction
    key: bool = True
    skip: int = 0
    note: PacketSideData | None = None

    def to_av(self) -> AudioPacket:
        """The packet as FFmpeg wants it, without a stream."""
        packet = cast("Packet[AudioStream]", Packet(self.data))
        packet.pts = packet.dts = self.pts
        packet.duration = self.duration
        packet.time_base = self.time_base
        packet.is_keyframe = self.key
        if self.note is not None:
            self.note.update(self.skip.to_bytes(4, "little") + bytes(self.note)[4:])
            packet.set_sidedata(self.note)
        return packet


def _is_sound(packet: AudioPacket, codec: str, has_header: bool) -> bool:
    """Whether a packet begins as one of its codec does, for codecs that begin every packet with a sync word."""
    if codec not in SYNC_WORDS or (codec == "aac" and has_header):
        return True
    word, mask = SYNC_WORDS[codec]
    return int.from_bytes(bytes(packet)[:2], "big") & mask == word


def sound_packets(container: InputContainer, stream: AudioStream) -> Iterator[AudioPacket]:
    """The packets as demuxed, without tags or halves of packets at both ends, which some files show as sound.

    Ends with the empty packet that flushes a decoder. Raises `MediaError` for a packet that is cut short.
    """
    codec, has_header = codec_name(stream), bool(stream.codec_context.extradata)
    junk: list[AudioPacket] = []
    number = 0
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise MediaError(f"stream {stream.index} is damaged or cut short near sound packet {number}")
        if packet.size == 0:
            yield packet
        elif _is_sound(packet, codec, has_header) or len(junk) >= _LONGEST_JUNK:
            yield from junk
            yield packet
            junk = []
            number += 1
        elif number:
            junk.append(packet)


def _read(container: InputContainer, stream: AudioStream) -> Iterator[tuple[SoundPacket, bool]]:
    """Every packet and whether the demuxer marks it as not presented; raises `MediaError` for what cannot be placed."""
    time_base = fraction(stream.time_base)
    number = 0
    for packet in sound_packets(container, stream):
        if packet.size == 0:
            continue
        where = f"sound packet {number} of stream {stream.index}"
        if packet.has_sidedata("new_extradata") and number > 0:
            raise MediaError(f"{where} changes the codec's settings on the way; cut the file there first")
        pts = packet.pts if packet.pts is not None else packet.dts
        if pts is None:
            raise MediaError(f"{where} has no timestamp; remux it first: ffmpeg -i IN -map 0 -c copy OUT.mkv")
        skip, note = 0, None
        if packet.has_sidedata("skip_samples"):
            note = packet.get_sidedata("skip_samples")
            skip = int.from_bytes(bytes(note)[:4], "little")
        duration = packet.duration or 0
        if duration >= _NEGATIVE:
            duration = 1  # at 0 the OGG muxer would leave the packet without a timestamp
        found = SoundPacket(bytes(packet), pts, duration, time_base, packet.is_keyframe, skip, note)
        yield found, packet.is_discard
        number += 1


def presented_packets(container: InputContainer, stream: AudioStream) -> Iterator[SoundPacket]:
    """The packets to copy: the presented ones, and before them as much priming as the codec needs."""
    codec = codec_name(stream)
    waiting: list[SoundPacket] = []
    start: Fraction | None = None  # seconds: the first presented sample, once it is known
    begun = False
    for packet, hidden in _read(container, stream):
        if begun:
            if not hidden:
                yield packet
            continue
        if start is None and packet.skip:
            start = packet.pts * packet.time_base + Fraction(packet.skip, stream.sample_rate)
        ends = (packet.pts + packet.duration) * packet.time_base
        if hidden or (start is not None and ends <= start):
            waiting = [*waiting, packet][-64:]
            continue
        begun = True
        yield from _priming(waiting, packet, start, codec, stream.sample_rate)
    if not begun:
        raise MediaError(f"stream {stream.index} has no sound that is presented; leave the stream out")


def _priming(
    waiting: list[SoundPacket], first: SoundPacket, start: Fraction | None, codec: str, rate_hz: int
) -> Iterator[SoundPacket]:
    """The kept tail of the packets before `first`, then `first`; the first of them says how much to skip."""
    if codec.startswith(NO_OVERLAP):
        waiting = []
    elif codec == "opus":
        reach = (first.pts * first.time_base) - Fraction(OPUS_PREROLL_SAMPLES, 48_000)
        waiting = [p for p in waiting if (p.pts + p.duration) * p.time_base > reach]
    else:
        waiting = waiting[-1:]
    kept = [*waiting, first]
    skip = 0
    if start is not None:
        skip = max(0, round((start - kept[0].pts * kept[0].time_base) * rate_hz))
    yield replace(kept[0], skip=skip)
    for packet in kept[1:]:
        yield replace(packet, skip=0)


def starts(packet: SoundPacket, rate_hz: int) -> Fraction:
    """When the first presented sample of a first packet sounds, in seconds, to the tick of a coarse clock.

    Such a clock (Matroska's) has rounded the timestamp and not the priming: -23 ms and 1024 samples at 44.1 kHz are 0.
    """
    seconds = packet.pts * packet.time_base + Fraction(packet.skip, rate_hz)
    coarse = packet.time_base > Fraction(1, rate_hz)
    return round(seconds / packet.time_base) * packet.time_base if coarse else seconds


def steady_packets(packets: Iterator[SoundPacket], rate_hz: int, frame_samples: int) -> Iterator[SoundPacket]:
    """Packets of a constant length, timed by counting samples where the file's clock is coarser than a sample.

    A Matroska or MPEG-TS file rounds every timestamp; the rounding is taken out, a true gap is not.
    """
    grid = Fraction(1, rate_hz)
    expected = 0
    first = True
    for packet in packets:
        if packet.time_base <= grid and (packet.time_base.denominator % rate_hz == 0):
            yield packet
            continue
        at = packet.pts * packet.time_base * rate_hz
        if first and packet.skip:
            expected = round(starts(packet, rate_hz) * rate_hz) - packet.skip
        elif first or abs(at - expected) > max(_GAP_TICKS * packet.time_base * rate_hz, Fraction(2)):
            expected = max(expected, round(at)) if not first else round(at)
        first = False
        yield replace(packet, pts=expected, duration=frame_samples, time_base=grid)
        expected += frame_samples


def increasing_packets(packets: Iterator[SoundPacket]) -> Iterator[SoundPacket]:
    """Packets whose timestamps increase, as MP4 wants them: one that repeats a time moves on by a tick.

    Raises `MediaError` when the sound runs more than 100 ms ahead of its timestamps, which is no rounding.
    """
    last: SoundPacket | None = None
    for packet in packets:
        if last is not None and packet.pts <= last.pts:
            if (last.pts + 1 - packet.pts) * packet.time_base > Fraction(1, 10):
                raise MediaError("the sound's timestamps go back; remux it first: ffmpeg -i IN -map 0 -c copy OUT.mkv")
            packet = replace(packet, pts=last.pts + 1)
        last = packet
        yield packet


def presented_start(container: InputContainer, stream: AudioStream) -> Fraction:
    """When the first presented sample of a stream sounds, in seconds of the file's own clock."""
    silent_start = codec_name(stream) == "vorbis"  # the first packet only primes (Vorbis I §4.3.8)
    for number, packet in enumerate(presented_packets(container, stream)):
        if silent_start and number == 0 and not packet.skip:
            continue
        return starts(packet, stream.sample_rate)
    raise MediaError(f"stream {stream.index} has no sound")
