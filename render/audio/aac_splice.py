"""AAC-LC without re-encoding: only packets whose window touches a cover are replaced, all others stay bit for bit.

    window of packet p:   [p ........ p+1024 ........ p+2048)
    decoded from p:       [p ........ p+1024) = second half of the packet before + first half of this one

A kept packet's window holds no covered sample, and every decoded sample of a cover comes from replaced packets alone.
HE-AAC, 960-sample frames, other object types and unusual layouts are not substituted; they are decoded instead.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import av
from av.audio.stream import AudioStream

from veridact.errors import MediaError
from veridact.media.containers import adts_config
from veridact.media.video import MediaFile, demux, reason_of
from veridact.render.audio.aac_constants import (
    CONFIGURATIONS,
    FRAME_SAMPLES,
    RATES_HZ,
    WINDOW_SAMPLES,
    Element,
    access_unit,
)
from veridact.render.audio.decode import decoder_of
from veridact.render.audio.packets import SoundPacket, sound_packets
from veridact.schema.plan.audio import Covers, Effect, Overlap, sample_position

_LOW_COMPLEXITY = 2
_SBR_SYNC = 0x2B7
_PROBED_FRAMES = 4
_PROBED_PACKETS = 64


@dataclass(frozen=True)
class AacConfig:
    """A plain AAC-LC stream: `header` is its AudioSpecificConfig, `elements` what an access unit holds, in order."""

    header: bytes
    rate_hz: int
    elements: tuple[Element, ...]


class _Bits:
    """Reads a bit string from the left; reading past the end gives zeros."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self.left = len(data) * 8

    def take(self, width: int) -> int:
        self.left -= width
        return (self._value >> self.left if self.left >= 0 else self._value << -self.left) & ((1 << width) - 1)


def read_config(header: bytes) -> AacConfig | None:
    """The stream of an AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1), or None when it is not plain AAC-LC."""
    bits = _Bits(header)
    if bits.take(5) != _LOW_COMPLEXITY:
        return None
    index = bits.take(4)
    rate_hz = bits.take(24) if index == 15 else RATES_HZ[index] if index < len(RATES_HZ) else 0
    configuration = bits.take(4)
    short_or_core = bits.take(2)
    if short_or_core or rate_hz not in RATES_HZ:
        return None
    bits.take(1)
    elements = CONFIGURATIONS.get(configuration) if configuration else _program_elements(bits)
    if not elements:
        return None
    if bits.left >= 17 and bits.take(11) == _SBR_SYNC and bits.take(5) == 5 and bits.take(1):
        return None
    return AacConfig(header, rate_hz, elements)


def _program_elements(bits: _Bits) -> tuple[Element, ...] | None:
    """The channel elements of a program config element (§4.4.1.1); None when it mixes down or couples channels."""
    bits.take(4 + 2 + 4)
    front, side, back, low, data, coupled = (bits.take(n) for n in (4, 4, 4, 2, 3, 4))
    for width in (4, 4, 3):
        if bits.take(1):
            bits.take(width)
    elements = []
    for _ in range(front + side + back):
        pair = bits.take(1)
        elements.append(Element("cpe" if pair else "sce", bits.take(4)))
    elements += [Element("lfe", bits.take(4)) for _ in range(low)]
    bits.take(4 * data + 5 * coupled)
    bits.left -= bits.left % 8
    bits.take(8 * bits.take(8))
    return None if coupled else tuple(elements)


def without_adts(packets: Iterator[SoundPacket], header: bytes) -> Iterator[SoundPacket]:
    """The packets of an ADTS stream without their headers; raises `MediaError` where the stream changes."""
    for number, packet in enumerate(packets):
        if adts_config(packet.data) != header:
            raise MediaError(
                f"sound packet {number} changes the rate or channels of its stream; cut the file there first"
            )
        yield replace(packet, data=packet.data[7 if packet.data[1] & 1 else 9 :])


def plain_config(media: MediaFile, index: int, header: bytes | None) -> AacConfig | None:
    """The config of stream `index` when its packets may be substituted; the first packets are decoded to find SBR."""
    config = read_config(header) if header else None
    if config is None:
        return None
    channels = sum(2 if e.kind == "cpe" else 1 for e in config.elements)
    with demux(media) as container:
        stream = container.streams[index]
        if not isinstance(stream, AudioStream) or stream.profile not in {"LC", None}:
            return None
        decoder = decoder_of(stream)
        decoder.flags2 |= av.codec.context.Flags2.skip_manual
        number = frames = 0
        try:
            for packet in sound_packets(container, stream):
                for frame in decoder.decode(packet) if packet.size else ():
                    found = (frame.samples, frame.sample_rate, frame.layout.nb_channels)
                    if found != (FRAME_SAMPLES, config.rate_hz, channels):
                        return None
                    frames += 1
                number += 1
                if frames >= _PROBED_FRAMES or number >= _PROBED_PACKETS:
                    break
        except av.FFmpegError as e:
            raise MediaError(f"sound packet {number} of stream {index} does not decode: {reason_of(e)}") from None
    return config if frames else None


def substituted(
    packets: Iterator[SoundPacket], config: AacConfig, covers: Covers, origin: Fraction
) -> Iterator[tuple[SoundPacket, int]]:
    """Every packet, replaced where its window touches a cover, and how many samples of covers it decodes to.

    Silence wins where both effects are touched; -1 stands for a packet that stays as it is.
    """
    overlap, expected = Overlap(config.rate_hz), None
    units = {e: access_unit(config.elements, config.rate_hz, e) for e in ("silence", "beep")}
    for packet in packets:
        start = int(sample_position(packet.pts, packet.time_base, origin, config.rate_hz) // 1)
        overlap.check(start if expected is None else expected, start)
        expected = start + FRAME_SAMPLES
        effects = {s.effect for s in covers.touching(start, start + WINDOW_SAMPLES)}
        if not effects:
            yield packet, -1
            continue
        effect: Effect = "silence" if "silence" in effects else "beep"
        yield replace(packet, data=units[effect]), covers.count(start, start + FRAME_SAMPLES)
