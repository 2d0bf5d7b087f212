"""Vorbis: the three headers, without comments and without what follows the modes (Vorbis I §4.2).

Packets are copied as they are: a decoder ignores what follows the residue of a packet, and nothing marks where that
ends.
"""

from math import isqrt

from veridact.render.audio.ancillary.bits import UnreadableError

_IDENTIFICATION_BYTES = 30
EMPTY_COMMENT = b"\x03vorbis" + bytes(8) + b"\x01"
"""A comment header with an empty vendor and no comments."""


def split(header: bytes | None) -> tuple[bytes, bytes, bytes]:
    """The identification, comment and setup headers of Xiph-laced extradata; raises `UnreadableError` for other."""
    data = header or b""
    if data[:1] != b"\x02":
        raise UnreadableError("its headers are no Vorbis headers")
    at, sizes = 1, []
    for _ in range(2):
        size = 0
        while data[at : at + 1] == b"\xff":
            size, at = size + 255, at + 1
        size += data[at] if at < len(data) else 0
        at += 1
        sizes.append(size)
    first, second = at + sizes[0], at + sum(sizes)
    return data[at:first], data[first:second], data[second:]


def join(*headers: bytes) -> bytes:
    """Xiph lacing of the three headers."""
    sizes = b"".join(b"\xff" * (len(h) // 255) + bytes([len(h) % 255]) for h in headers[:-1])
    return bytes([len(headers) - 1]) + sizes + b"".join(headers)


def configuration(header: bytes | None) -> bytes:
    """The headers with an empty comment header; raises `UnreadableError` where they are not as Vorbis I says."""
    identification, _, setup = split(header)
    if len(identification) < _IDENTIFICATION_BYTES or identification[:11] != b"\x01vorbis" + bytes(4):
        raise UnreadableError("its identification header is not that of Vorbis I")
    if setup[:7] != b"\x05vorbis":
        raise UnreadableError("its setup header is not that of Vorbis I")
    size = _Setup(setup[7:], identification[11]).size_bytes
    return join(identification[:_IDENTIFICATION_BYTES], EMPTY_COMMENT, setup[: 7 + size])


class _Setup:
    """Reads a setup header, least significant bits first, to find where it ends."""

    def __init__(self, data: bytes, channels: int) -> None:
        self._data, self._channels, self._position = data, channels, 0
        for _ in range(self._take(8) + 1):
            self._codebook()
        for _ in range(self._take(6) + 1):
            self._take(16)
        for part in (self._floor, self._residue, self._mapping):
            for _ in range(self._take(6) + 1):
                part()
        for _ in range(self._take(6) + 1):
            self._take(1 + 16 + 16 + 8)
        if not self._take(1):
            raise UnreadableError("its setup header has no framing bit")
        self.size_bytes = -(-self._position // 8)

    def _take(self, width: int) -> int:
        start, self._position = self._position, self._position + width
        if self._position > 8 * len(self._data):
            raise UnreadableError("its setup header is cut short")
        window = int.from_bytes(self._data[start // 8 : -(-self._position // 8)], "little")
        return window >> start % 8 & ((1 << width) - 1)

    def _codebook(self) -> None:
        """A codebook (§3.2.1)."""
        if self._take(24) != 0x564342:
            raise UnreadableError("its setup header has no codebook where one must be")
        dimensions, entries = self._take(16), self._take(24)
        if self._take(1):
            self._take(5)
            entry = 0
            while entry < entries:
                entry += self._take((entries - entry).bit_length())
        else:
            sparse = self._take(1)
            for _ in range(entries):
                if not sparse or self._take(1):
                    self._take(5)
        kind = self._take(4)
        if kind > 2:
            raise UnreadableError("its setup header has a codebook of an unknown kind")
        if kind:
            self._take(64)
            width = self._take(4) + 1
            self._take(1)
            self._take(width * (_root(entries, dimensions) if kind == 1 else entries * dimensions))

    def _floor(self) -> None:
        """A floor of type 0 or 1 (§6.2.1, §7.2.2)."""
        kind = self._take(16)
        if kind == 0:
            self._take(8 + 16 + 16 + 6 + 8)
            self._take(8 * (self._take(4) + 1))
            return
        if kind != 1:
            raise UnreadableError("its setup header has a floor of an unknown kind")
        classes = [self._take(4) for _ in range(self._take(5))]
        dimensions = []
        for _ in range(max(classes, default=-1) + 1):
            dimensions.append(self._take(3) + 1)
            subclasses = self._take(2)
            self._take(8 * bool(subclasses) + 8 * (1 << subclasses))
        self._take(2)
        self._take(self._take(4) * sum(dimensions[c] for c in classes))

    def _residue(self) -> None:
        """A residue (§8.6.1)."""
        self._take(16 + 24 + 24 + 24)
        classifications = self._take(6) + 1
        self._take(8)
        books = 0
        for _ in range(classifications):
            books += self._take(3).bit_count()
            books += self._take(5).bit_count() if self._take(1) else 0
        self._take(8 * books)

    def _mapping(self) -> None:
        """A mapping of type 0 (§4.2.4)."""
        if self._take(16):
            raise UnreadableError("its setup header has a mapping of an unknown kind")
        submaps = self._take(4) + 1 if self._take(1) else 1
        if self._take(1):
            self._take((self._take(8) + 1) * 2 * (self._channels - 1).bit_length())
        self._take(2)
        self._take(4 * self._channels * (submaps > 1) + 24 * submaps)


def _root(entries: int, dimensions: int) -> int:
    """The greatest integer whose power `dimensions` is at most `entries` (§9.2.3)."""
    root = 1 if dimensions != 2 else isqrt(entries)
    while dimensions and (root + 1) ** dimensions <= entries:
        root += 1
    return root
