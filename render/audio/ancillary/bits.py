"""Bits of a packet, most significant first, read and cleared in place; the CRC-16 of MPEG audio, FLAC and AC-3."""

_POLYNOMIAL = 0x8005


class UnreadableError(Exception):
    """A stream is not understood as far as finding its ancillary data needs; the text says what is not."""


class BitReader:
    """Reads a byte string from bit `position` on; raises `UnreadableError` past its end."""

    def __init__(self, data: bytes | bytearray, position: int = 0) -> None:
        self._value = int.from_bytes(data, "big")
        self.size = len(data) * 8
        self.position = position

    def take(self, width: int) -> int:
        """The next `width` bits as an unsigned integer."""
        self.position += width
        if self.position > self.size:
            raise UnreadableError("a packet ends within its syntax")
        return (self._value >> (self.size - self.position)) & ((1 << width) - 1)

    def optional(self, width: int) -> int:
        """A flag, then `width` bits only where it is set; 0 where it is not."""
        return self.take(width) if self.take(1) else 0

    def align(self) -> None:
        """Skips to the next whole byte."""
        self.position = -(-self.position // 8) * 8


class BitWriter:
    """A bit string written from the most significant bit; padded with zeros to whole bytes."""

    def __init__(self) -> None:
        self._value = self._size = 0

    def put(self, value: int, width: int) -> None:
        """Appends `value` as `width` bits."""
        self._value = self._value << width | value
        self._size += width

    def align(self) -> None:
        """Appends zeros to the next whole byte."""
        self.put(0, -self._size % 8)

    def bytes(self) -> bytes:
        """The bits so far, padded to whole bytes."""
        self.align()
        return self._value.to_bytes(self._size // 8, "big")


def clear(data: bytearray, start: int, end: int) -> None:
    """Sets bits [start, end) of `data` to zero."""
    first, last = start // 8, -(-end // 8)
    if start >= end:
        return
    head, tail = data[first] & ~(0xFF >> start % 8), data[last - 1] & (0xFF >> (end % 8 or 8))
    data[first:last] = bytes(last - first)
    data[first] |= head
    data[last - 1] |= tail


def changed_bytes(before: bytes, after: bytes | bytearray) -> int:
    """In how many places two byte strings of the same length differ."""
    return 0 if before == after else sum(a != b for a, b in zip(before, after, strict=True))


def _crc_table() -> tuple[int, ...]:
    """The CRC-16 register after each first byte, from an empty register."""
    table = []
    for byte in range(256):
        register = byte << 8
        for _ in range(8):
            register = (register << 1 ^ (_POLYNOMIAL if register & 0x8000 else 0)) & 0xFFFF
        table.append(register)
    return tuple(table)


_CRC = _crc_table()


def crc16(data: bytes | bytearray, register: int = 0) -> int:
    """The CRC-16 of polynomial x¹⁶ + x¹⁵ + x² + 1 over `data`, from an initial `register`."""
    for byte in data:
        register = (register << 8 & 0xFF00) ^ _CRC[register >> 8 ^ byte]
    return register


def crc16_prefix(data: bytes | bytearray) -> int:
    """The 16 bits which, put before `data`, make the CRC-16 of both zero: the register run backwards from zero."""
    register = 0
    for byte in (*reversed(data), 0, 0):
        for _ in range(8):
            register = (register ^ _POLYNOMIAL) >> 1 | 0x8000 if register & 1 else register >> 1
        register ^= byte << 8
    return register
