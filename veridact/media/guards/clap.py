"""The clean apertures (`clap` boxes) of an MP4 or MOV file, exact, since FFmpeg rounds them to whole pixels.

ISO/IEC 14496-12 §12.1.4: width, height and the offset of the centre as ratios, in a box of 40 bytes inside the sample
entry of a video track (§12.1.3).
"""

import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from veridact.errors import MediaError

_PATH = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
_ENTRIES_AT = 8
"""Where the entries of `stsd` begin in its body: after its version, flags and count."""

_CLAP = struct.Struct(">8i")
"""Numerators and denominators of width, height, horizontal and vertical offset."""

_ENTRY = struct.Struct(">24xHH50x")
"""A visual sample entry without its head: width and height among the fields before its boxes."""

MAX_HEADER_BYTES = 1 << 28
"""Of a `moov` box; a larger one is not searched but refused."""

_MOST_BOXES = 1_000_000


@dataclass(frozen=True)
class Aperture:
    """What a player shows of a stored picture of `width` by `height` pixels: its edges in pixels from the top left."""

    left: Fraction
    top: Fraction
    right: Fraction
    bottom: Fraction
    width: int
    height: int

    @property
    def whole(self) -> bool:
        """Whether nothing is cut away."""
        return self.left <= 0 and self.top <= 0 and self.right >= self.width and self.bottom >= self.height

    @property
    def exact(self) -> bool:
        """Whether every edge is a whole pixel of the picture."""
        edges = (self.left, self.top, self.right, self.bottom)
        inside = 0 <= self.left < self.right <= self.width and 0 <= self.top < self.bottom <= self.height
        return inside and all(edge.denominator == 1 for edge in edges)


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes in the bytes [at, end): type, start and end of the body; what is no box ends them (§4.2)."""
    while at + 8 <= end:
        size, body = int.from_bytes(data[at : at + 4], "big"), at + 8
        if size == 1 and at + 16 <= end:
            size, body = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        size = size or end - at
        if size < body - at:
            return
        yield data[at + 4 : at + 8], body, min(at + size, end)
        at += size


def _header(fd: int, size: int) -> bytes:
    """The body of the first `moov` box of a file; empty where there is none. Raises `MediaError` for a huge one."""
    at = 0
    for _ in range(_MOST_BOXES):
        head = os.pread(fd, 16, at)
        if len(head) < 8:
            break
        length, skip = int.from_bytes(head[:4], "big"), 8
        if length == 1:
            length, skip = int.from_bytes(head[8:16], "big"), 16
        length = length or size - at
        if head[4:8] == b"moov":
            if length > MAX_HEADER_BYTES:
                raise MediaError("the header of the file is larger than is safe to read; cut the file first")
            return os.pread(fd, max(0, length - skip), at + skip)
        if length < skip:
            break
        at += length
    return b""


def apertures(fd: int, size: int) -> Iterator[Aperture]:
    """The clean aperture of every sample entry that has one, of a file of `size` bytes.

    One with a denominator of 0 is left out, as FFmpeg and players do.
    """
    yield from _in_ranges(header := _header(fd, size), [(0, len(header))], _PATH[1:])


def apertures_of(file: bytes) -> Iterator[Aperture]:
    """The same of a whole small file."""
    return _in_ranges(file, [(0, len(file))], _PATH)


def _in_ranges(header: bytes, ranges: list[tuple[int, int]], path: Sequence[bytes]) -> Iterator[Aperture]:
    """The clean apertures in the boxes that are reached by a path of types from boxes in half-open ranges."""
    for wanted in path:
        ranges = [(a, b) for start, end in ranges for name, a, b in _boxes(header, start, end) if name == wanted]
    for start, end in ranges:
        for _, entry, entry_end in _boxes(header, start + _ENTRIES_AT, end):
            inner = entry + _ENTRY.size
            if inner > entry_end:
                continue
            width, height = _ENTRY.unpack_from(header, entry)
            for name, body, body_end in _boxes(header, inner, entry_end):
                if name == b"clap" and body_end - body >= _CLAP.size:
                    yield from _aperture(_CLAP.unpack_from(header, body), width, height)


def _aperture(fields: tuple[int, ...], width: int, height: int) -> Iterator[Aperture]:
    """The edges of one aperture: its centre is that of the picture, moved by the offsets."""
    if 0 in fields[1::2]:
        return
    across, down, right, below = (Fraction(n, d) for n, d in zip(fields[::2], fields[1::2], strict=True))
    left, top = Fraction(width - across, 2) + right, Fraction(height - down, 2) + below
    yield Aperture(left, top, left + across, top + down, width, height)
