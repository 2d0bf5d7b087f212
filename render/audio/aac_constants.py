"""Constant AAC-LC access units: repeated, one decodes to exact silence and one to a steady tone, in every layout.

A tone with a whole number of cycles in 1024 samples has the same spectrum in every frame, so one repeated access unit
is a beep. No encoder runs: the bits are written directly, in the syntax of ISO/IEC 14496-3 §4.4.

    access unit = element… END          element = type(3) tag(4) body
    SCE, LFE body = channel             CPE body = common window(1)=0, channel, channel
    channel = gain(8) window(11) sections scale factors pulse(1)=0 tns(1)=0 gain control(1)=0 spectrum
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from veridact.schema.plan.audio import Effect

FRAME_SAMPLES = 1024
WINDOW_SAMPLES = 2048
RATES_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)

Kind = Literal["sce", "cpe", "lfe"]
_ELEMENT: dict[Kind, int] = {"sce": 0, "cpe": 1, "lfe": 3}
_CHANNELS: dict[Kind, int] = {"sce": 1, "cpe": 2, "lfe": 1}
_END = 7


@dataclass(frozen=True)
class Element:
    """A channel element of an access unit: its syntax element kind and its instance tag."""

    kind: Kind
    tag: int


def _elements(*kinds: Kind) -> tuple[Element, ...]:
    """The elements in stream order; instance tags count up from 0 within each kind."""
    return tuple(Element(kind, kinds[:i].count(kind)) for i, kind in enumerate(kinds))


# Channel configurations of ISO/IEC 14496-3 table 1.19; 0 (a program config element) is read from the stream.
CONFIGURATIONS: dict[int, tuple[Element, ...]] = {
    1: _elements("sce"),
    2: _elements("cpe"),
    3: _elements("sce", "cpe"),
    4: _elements("sce", "cpe", "sce"),
    5: _elements("sce", "cpe", "cpe"),
    6: _elements("sce", "cpe", "cpe", "lfe"),
    7: _elements("sce", "cpe", "cpe", "cpe", "lfe"),
    11: _elements("sce", "cpe", "cpe", "sce", "lfe"),
    12: _elements("sce", "cpe", "cpe", "cpe", "lfe"),
}


@dataclass(frozen=True)
class Tone:
    """The beep at one sample rate: `cycles` in 1024 samples, in scale factor band `band`, lines [low, high)."""

    cycles: int
    band: int
    low: int
    high: int


# About 1 kHz, in the middle of a scale factor band (ISO/IEC 14496-3 tables 4.129 to 4.147). The two nonzero spectral
# lines are 2·cycles − 1 and 2·cycles.
TONES: dict[int, Tone] = {
    96000: Tone(11, 5, 20, 24),
    88200: Tone(11, 5, 20, 24),
    64000: Tone(15, 7, 28, 32),
    48000: Tone(21, 10, 40, 48),
    44100: Tone(23, 10, 40, 48),
    32000: Tone(33, 13, 64, 72),
    24000: Tone(43, 16, 84, 92),
    22050: Tone(47, 17, 92, 100),
    16000: Tone(64, 14, 124, 136),
    12000: Tone(85, 17, 160, 172),
    11025: Tone(93, 19, 184, 196),
    8000: Tone(128, 19, 252, 268),
    7350: Tone(139, 20, 268, 288),
}
_TONE_GAIN = 186  # a peak of about one eighth of full scale
_SILENT_GAIN = 100
# Codebook 7 (unsigned pairs, table 4.A.8): codewords of (0, 0), (0, 1) and (1, 0), each 1 followed by a sign bit.
_PAIRS = {(0, 0): (0, 1), (0, 1): (0b101, 3), (1, 0): (0b100, 3)}
_CODEBOOK = 7


class _BitWriter:
    """A bit string written from the most significant bit; padded with zeros to whole bytes."""

    def __init__(self) -> None:
        self._text: list[str] = []

    def put(self, value: int, width: int) -> None:
        """Appends `value` as `width` bits."""
        self._text.append(format(value, f"0{width}b"))

    def bytes(self) -> bytes:
        """The bits so far as bytes."""
        text = "".join(self._text)
        return int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8), "big")


def _channel(bits: _BitWriter, tone: Tone | None) -> None:
    """Writes one individual_channel_stream: a long sine window with the two spectral lines of `tone`, or all zero."""
    bits.put(_TONE_GAIN if tone else _SILENT_GAIN, 8)
    bits.put(0, 4)  # reserved bit, only-long window sequence, sine window
    bits.put(tone.band + 1 if tone else 0, 6)
    bits.put(0, 1)  # no prediction
    if tone:
        for codebook, bands in ((0, tone.band), (_CODEBOOK, 1)):
            bits.put(codebook, 4)
            bits.put(bands, 5)
        bits.put(0, 1)  # the one scale factor equals the gain
    bits.put(0, 3)  # no pulses, no noise shaping, no gain control
    if tone:
        nonzero = {2 * tone.cycles - 1, 2 * tone.cycles}
        for line in range(tone.low, tone.high, 2):
            pair = (int(line in nonzero), int(line + 1 in nonzero))
            bits.put(*_PAIRS[pair])
            for _ in range(sum(pair)):
                bits.put(0, 1)


def access_unit(elements: Sequence[Element], rate_hz: int, effect: Effect) -> bytes:
    """The constant access unit of a channel layout for one effect; low-frequency channels stay silent in a beep.

    `rate_hz` must be in `RATES_HZ`; raises `KeyError` otherwise.
    """
    bits = _BitWriter()
    tone = TONES[rate_hz] if effect == "beep" else None
    for element in elements:
        bits.put(_ELEMENT[element.kind], 3)
        bits.put(element.tag, 4)
        if element.kind == "cpe":
            bits.put(0, 1)
        for _ in range(_CHANNELS[element.kind]):
            _channel(bits, None if element.kind == "lfe" else tone)
    bits.put(_END, 3)
    return bits.bytes()
