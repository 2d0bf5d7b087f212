"""Limits the scans of a JPEG, one of thirty bytes makes a decoder process every block of the picture again, and tells a
picture from Motion JPEG footage."""

import re
from collections.abc import Iterator
from typing import Protocol

from veridact.errors import MediaError

MAX_JPEG_SCANS = 200
"""Progressive files usually have about ten scans, the most optimised ones seventy."""

CHUNK_BYTES = 1 << 20
_SCAN = re.compile(rb"\xff\xda\x00(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")
"""The header of a scan: marker, length, number of components (ITU-T T.81, B.2.3). It occurs by chance at one in 274
thousand million positions, so the segments need not be parsed."""

_HEAD_BYTES = 5
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""A marker that ends the entropy-coded data before it; restart markers do not (ITU-T T.81, B.1.1.2)."""

FRAME_HEADERS = frozenset({0xC0, 0xC1, 0xC2, 0xC3})
MULTI_PICTURE = 0xE2, b"MPF\0"
"""The marker and identifier of the segment that lists further pictures of a still one (CIPA DC-007)."""

MAX_SEGMENTS = 100_000
SMALL_CHUNK_BYTES = 1 << 12


class SeekableFile(Protocol):
    """A binary file object that can be read at any position."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes from the position."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Sets the position; returns it."""


def check_scans(chunks: Iterator[bytes]) -> None:
    """Raises `MediaError` for a JPEG, given in consecutive chunks, with more than `MAX_JPEG_SCANS` scans."""
    count, tail = 0, b""
    for chunk in chunks:
        count += len(_SCAN.findall(tail + chunk))
        tail = (tail + chunk)[1 - _HEAD_BYTES :]
        if count > MAX_JPEG_SCANS:
            raise MediaError(f"the JPEG has more than {MAX_JPEG_SCANS} scans; save the picture anew first")


def is_footage(file: SeekableFile) -> bool:
    """Whether a file of JPEG pictures is Motion JPEG: another of the same size follows the first without a gap.

    A still picture may be followed by others (stereo, gain maps), which its `MPF` segment lists.
    """
    first, at = _walk(file, 0)
    if first is None or at is None:
        return False
    second, _ = _walk(file, at, stop_at_size=True)
    return second == first


def _walk(file: SeekableFile, at: int, stop_at_size: bool = False) -> tuple[bytes | None, int | None]:
    """The size field of the picture at an offset, and where it ends; None for what it lacks, or where it has `MPF`."""
    size: bytes | None = None
    scans = 0
    file.seek(at)
    if file.read(2) != b"\xff\xd8":
        return None, None
    at += 2
    for _ in range(MAX_SEGMENTS):
        file.seek(at)
        head = file.read(9)
        if len(head) < 4 or head[0] != 0xFF:
            return size, None
        if head[1] == 0xD9:
            return size, at + 2
        if head[1] == 0xFF:
            at += 1
            continue
        if (head[1], head[4:8]) == MULTI_PICTURE:
            return None, None
        if head[1] in FRAME_HEADERS:
            size = head[5:9]
            if stop_at_size:
                return size, None
        at += 2 + int.from_bytes(head[2:4], "big")
        if head[1] == 0xDA:
            scans += 1
            marker = _next_marker(file, at) if scans <= MAX_JPEG_SCANS else None
            if marker is None:
                return size, None
            at = marker
    return size, None


def _next_marker(file: SeekableFile, at: int) -> int | None:
    """The offset of the first marker in entropy-coded data from an offset on, None where the file ends before."""
    file.seek(at)
    tail, length = b"", SMALL_CHUNK_BYTES
    while chunk := file.read(length):
        length = CHUNK_BYTES
        if found := _MARKER.search(tail + chunk):
            return at - len(tail) + found.start()
        at += len(chunk)
        tail = chunk[-1:]
    return None
