"""The reference frames that an H.264 stream makes its decoder keep, from the sequence parameter sets in its bytes.

Only the fields up to the picture size are read (ITU-T H.264, 7.3.2.1.1); a parameter set that ends early is ignored.
"""

import re
from collections.abc import Iterator

MAX_SPS_BYTES = 1024
_SPS_IN_PACKET = re.compile(rb"(?:\x00\x00\x01|\x00\x00[\x00-\x03].)[\x07\x27\x47\x67]", re.DOTALL)
"""Where a parameter set may begin: after a start code, or after a length of four bytes."""

_SPS_IN_AVCC = re.compile(rb"[\x00-\x03].[\x07\x27\x47\x67]", re.DOTALL)
"""The same in an `avcC` box, where the length has two bytes."""

_PROFILES_WITH_CHROMA = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_PROFILES = _PROFILES_WITH_CHROMA | {66, 77, 88}


class _BitReader:
    """Reads a NAL unit bit by bit, emulation prevention bytes removed; raises `IndexError` at its end."""

    def __init__(self, unit: bytes) -> None:
        payload = unit.replace(b"\0\0\3", b"\0\0")
        self._bits = format(int.from_bytes(b"\1" + payload, "big"), "b")[1:]
        self._at = 0

    def fixed(self, length: int) -> int:
        """An unsigned integer of `length` bits, u(n)."""
        self._at += length
        if self._at > len(self._bits):
            raise IndexError("the parameter set ends early")
        return int(self._bits[self._at - length : self._at] or "0", 2)

    def golomb(self) -> int:
        """An unsigned Exp-Golomb code, ue(v) (§9.1)."""
        zeros = 0
        while not self.fixed(1):
            zeros += 1
        return (1 << zeros) - 1 + self.fixed(zeros)

    def signed(self) -> int:
        """A signed Exp-Golomb code, se(v) (§9.1.1)."""
        value = self.golomb()
        return (value + 1) // 2 if value % 2 else -value // 2


def _skip_scaling(bits: _BitReader, lists: int) -> None:
    """The scaling lists (7.3.2.1.1.1)."""
    for number in range(lists):
        if bits.fixed(1):
            last, upcoming = 8, 8
            for _ in range(16 if number < 6 else 64):
                if upcoming:
                    upcoming = (last + bits.signed()) % 256
                last = upcoming or last


def _skip_order(bits: _BitReader) -> None:
    """The picture order count fields."""
    kind = bits.golomb()
    if kind == 0:
        bits.golomb()
    elif kind == 1:
        bits.fixed(1)
        bits.signed()
        bits.signed()
        for _ in range(min(bits.golomb(), 255)):
            bits.signed()


def _parse_sps(unit: bytes) -> tuple[int, int] | None:
    """(pixels of a picture, max_num_ref_frames) of a sequence parameter set; None for an unknown profile."""
    bits = _BitReader(unit)
    profile = bits.fixed(8)
    if profile not in _PROFILES:
        return None
    bits.fixed(16)
    bits.golomb()
    if profile in _PROFILES_WITH_CHROMA:
        chroma = bits.golomb()
        bits.fixed(int(chroma == 3))
        bits.golomb()
        bits.golomb()
        bits.fixed(1)
        if bits.fixed(1):
            _skip_scaling(bits, 12 if chroma == 3 else 8)
    bits.golomb()
    _skip_order(bits)
    references = bits.golomb()
    bits.fixed(1)
    columns, rows = bits.golomb() + 1, bits.golomb() + 1
    return columns * rows * (2 - bits.fixed(1)) * 256, references


def reference_frames(data: bytes) -> Iterator[tuple[int, int]]:
    """(pixels of a picture, number of reference frames) for each parameter set in a packet or codec header."""
    for hit in (_SPS_IN_AVCC if data[:1] == b"\1" else _SPS_IN_PACKET).finditer(data):
        try:
            parsed = _parse_sps(data[hit.end() : hit.end() + MAX_SPS_BYTES])
        except IndexError:
            continue
        if parsed is not None:
            yield parsed
