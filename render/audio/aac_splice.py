"""Covering AAC-LC without re-encoding: packets whose window overlaps a cover are replaced, all others kept bit-exact.

    window of packet p:   [p ........ p+1024 ........ p+2048)
    decoded from p:       [p ........ p+1024) = second half of the previous window + first half of this one

The window of a kept packet contains no covered sample, and every decoded sample of a cover comes from replaced packets
only. HE-AAC, 960-sample frames, other object types and unusual layouts are decoded and re-encoded instead.
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
from veridact.render.audio.decode import exact_decoder
from veridact.render.audio.packets import AudioPacket, audio_packets
from veridact.schema.plan.audio import Covers, Effect, Overlap, sample_position

_LOW_COMPLEXITY = 2
_SBR_SYNC = 0x2B7
_PROBED_FRAMES = 4
_PROBED_PACKETS = 64


@dataclass(frozen=True)
class AacConfig:
    """A plain AAC-LC stream: its AudioSpecificConfig `header`, and the channel elements of an access unit in order."""

    header: bytes
    rate_hz: int
    elements: tuple[Element, ...]


class _BitReader:
    """Reads a bit string from the most significant bit; reading past the end gives zeros."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self.left = len(data) * 8

    def take(self, width: int) -> int:
        """The next `width` bits as an unsigned integer."""
        self.left -= width
        return (self._value >> self.left if self.left >= 0 else self._value << -self.left) & ((1 << width) - 1)


def read_config(header: bytes) -> AacConfig | None:
    """Parses an AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1); None when it is not plain AAC-LC."""
    bits = _BitReader(header)
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


def _program_elements(bits: _BitReader) -> tuple[Element, ...] | None:
    """The channel elements of a program_config_element (§4.4.1.1); None when it has coupling channels."""
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


def strip_adts(packets: Iterator[AudioPacket], header: bytes) -> Iterator[AudioPacket]:
    """The packets of an ADTS stream without ADTS headers, and without one that is cut short, as the last may be.

    Raises `MediaError` where the configuration changes.
    """
    for number, packet in enumerate(packets):
        if adts_config(packet.data) != header:
            raise MediaError(
                f"sound packet {number} changes the rate or channels of its stream; cut the file there first"
            )
        if len(packet.data) < int.from_bytes(packet.data[3:6], "big") >> 5 & 0x1FFF:
            continue
        yield replace(packet, data=packet.data[7 if packet.data[1] & 1 else 9 :])


def aac_lc_config(media: MediaFile, index: int, header: bytes | None) -> AacConfig | None:
    """The configuration of stream `index` when its packets may be spliced, else None.

    The first packets are decoded to detect implicitly signalled SBR, which the header does not mention. Raises
    `MediaError` when they do not decode.
    """
    config = read_config(header) if header else None
    if config is None:
        return None
    expected = (FRAME_SAMPLES, config.rate_hz, sum(2 if e.kind == "cpe" else 1 for e in config.elements))
    with demux(media) as container:
        stream = container.streams[index]
        if not isinstance(stream, AudioStream) or stream.profile not in {"LC", None}:
            return None
        decoder = exact_decoder(stream)
        decoder.flags2 |= av.codec.context.Flags2.skip_manual
        number = frames = 0
        try:
            for packet in audio_packets(container, stream):
                for frame in decoder.decode(packet) if packet.size else ():
                    if (frame.samples, frame.sample_rate, frame.layout.nb_channels) != expected:
                        return None
                    frames += 1
                number += 1
                if frames >= _PROBED_FRAMES or number >= _PROBED_PACKETS:
                    break
        except av.FFmpegError as e:
            raise MediaError(f"sound packet {number} of stream {index} does not decode: {reason_of(e)}") from None
    return config if frames else None


def splice_packets(
    packets: Iterator[AudioPacket], config: AacConfig, covers: Covers, origin: Fraction
) -> Iterator[tuple[AudioPacket, int]]:
    """Every packet, replaced where its window overlaps a cover, with the number of covered samples it decodes to.

    The number is -1 for a packet that is kept. Silence wins where both effects overlap the window. `origin` is 0 ms of
    the manifest in seconds of the stream's clock.
    """
    overlap, expected = Overlap(config.rate_hz), None
    constants = {e: access_unit(config.elements, config.rate_hz, e) for e in ("silence", "beep")}
    for packet in packets:
        start = int(sample_position(packet.pts, packet.time_base, origin, config.rate_hz) // 1)
        overlap.check(start if expected is None else expected, start)
        expected = start + FRAME_SAMPLES
        effects = {s.effect for s in covers.touching(start, start + WINDOW_SAMPLES)}
        if not effects:
            yield packet, -1
            continue
        effect: Effect = "silence" if "silence" in effects else "beep"
        yield replace(packet, data=constants[effect]), covers.count(start, start + FRAME_SAMPLES)
