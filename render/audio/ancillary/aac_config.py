"""AAC: the AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1) written anew from its fields."""

from veridact.render.audio.aac_constants import RATES_HZ
from veridact.render.audio.ancillary.bits import BitReader, BitWriter, UnreadableError

_LOW_COMPLEXITY, _SBR, _PS = 2, 5, 29
_SBR_SYNC, _PS_SYNC = 0x2B7, 0x548


class Config:
    """What an AudioSpecificConfig says: its sample rate, and its bits written anew."""

    def __init__(self, header: bytes) -> None:
        self._bits, self._out = BitReader(header), BitWriter()
        kind = self._copy(5)
        self.rate_hz = self._rate()
        channels = self._copy(4)
        extended = kind in {_SBR, _PS}
        if extended:
            self._rate()
            kind = self._copy(5)
        if kind != _LOW_COMPLEXITY:
            raise UnreadableError(f"AAC of object type {kind} is not read as far as its ancillary data")
        if self._copy(3):
            raise UnreadableError("AAC with 960-sample frames or extensions is not read as far as its ancillary data")
        if not channels:
            size = skip_program(self._bits)
            self._bits.position -= size
            self._copy(size)
            self._out.align()
            self._bits.align()
            self._bits.take(8 * self._bits.take(8))
            self._out.put(0, 8)
        if not extended and self._left() >= 17:
            self._extension()
        self.header = self._out.bytes()

    def _left(self) -> int:
        return self._bits.size - self._bits.position

    def _copy(self, width: int) -> int:
        value = self._bits.take(width)
        self._out.put(value, width)
        return value

    def _rate(self) -> int:
        index = self._copy(4)
        return self._copy(24) if index == 15 else RATES_HZ[index] if index < len(RATES_HZ) else 0

    def _extension(self) -> None:
        """The backward compatible signalling of band replication and parametric stereo (§1.6.5)."""
        if self._bits.take(11) != _SBR_SYNC or self._bits.take(5) != _SBR:
            return
        self._out.put(_SBR_SYNC << 5 | _SBR, 16)
        if self._copy(1):
            self._rate()
            if self._left() >= 12 and self._bits.take(11) == _PS_SYNC:
                self._out.put(_PS_SYNC, 11)
                self._copy(1)


def configuration(header: bytes | None) -> bytes:
    """The AudioSpecificConfig without comments and trailing bytes; raises `UnreadableError` for other than AAC-LC."""
    if not header:
        raise UnreadableError("AAC without a configuration")
    return Config(header).header


def skip_program(bits: BitReader) -> int:
    """Skips a program_config_element up to its alignment (§4.4.1.1); its size in bits."""
    start = bits.position
    bits.take(4 + 2 + 4)
    front, side, back, low, data, coupled = (bits.take(n) for n in (4, 4, 4, 2, 3, 4))
    bits.optional(4)
    bits.optional(4)
    bits.optional(3)
    bits.take(5 * (front + side + back + coupled) + 4 * (low + data))
    return bits.position - start
