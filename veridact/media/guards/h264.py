"""How many frames an H.264 stream makes its decoder hold: the sequence parameter sets in its bytes say so.

Only the fields up to the size of the picture are read (ITU-T H.264, 7.3.2.1.1); a set that ends early is none.
"""

import re
from collections.abc import Iterator

LONGEST_BYTES = 1024
_IN_PACKETS = re.compile(rb"(?:\x00\x00\x01|\x00\x00[\x00-\x03].)[\x07\x27\x47\x67]", re.DOTALL)
"""Where one may begin: behind a start code, or behind its length."""

_IN_HEADER = re.compile(rb"[\x00-\x03].[\x07\x27\x47\x67]", re.DOTALL)
"""The same in `avcC`, where the length has two bytes."""

_WITH_CHROMA = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_PROFILES = _WITH_CHROMA | {66, 77, 88}


class _Bits:
    """Reads a unit bit by bit, the bytes that keep start codes out of it removed; `IndexError` at its end."""

    def __init__(self, unit: bytes) -> None:
        plain = unit.replace(b"\0\0\3", b"\0\0")
        self._bits = format(int.from_bytes(b"\1" + plain, "big"), "b")[1:]
        self._at = 0

    def fixed(self, length: int) -> int:
        self._at += length
        if self._at > len(self._bits):
            raise IndexError("the parameter set ends early")
        return int(self._bits[self._at - length : self._at] or "0", 2)

    def golomb(self) -> int:
        zeros = 0
        while not self.fixed(1):
            zeros += 1
        return (1 << zeros) - 1 + self.fixed(zeros)

    def signed(self) -> int:
        value = self.golomb()
        return (value + 1) // 2 if value % 2 else -value // 2


def _skip_scaling(bits: _Bits, lists: int) -> None:
    for number in range(lists):
        if bits.fixed(1):
            last, upcoming = 8, 8
            for _ in range(16 if number < 6 else 64):
                if upcoming:
                    upcoming = (last + bits.signed()) % 256
                last = upcoming or last


def _skip_order(bits: _Bits) -> None:
    """The fields that say in which order pictures are shown."""
    kind = bits.golomb()
    if kind == 0:
        bits.golomb()
    elif kind == 1:
        bits.fixed(1)
        bits.signed()
        bits.signed()
        for _ in range(min(bits.golomb(), 255)):
            bits.signed()


def _held(unit: bytes) -> tuple[int, int] | None:
    """Pixels of a picture and the number of references of a parameter set, or None where it is none."""
    bits = _Bits(unit)
    profile = bits.fixed(8)
    if profile not in _PROFILES:
        return None
    bits.fixed(16)
    bits.golomb()
    if profile in _WITH_CHROMA:
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


def held(data: bytes) -> Iterator[tuple[int, int]]:
    """For each parameter set in a packet or a header: the pixels of a picture, and the number of references."""
    for hit in (_IN_HEADER if data[:1] == b"\1" else _IN_PACKETS).finditer(data):
        try:
            found = _held(data[hit.end() : hit.end() + LONGEST_BYTES])
        except IndexError:
            continue
        if found is not None:
            yield found
