"""Reading a file piece by piece for the structure walkers, and the one way in which they say what does not belong."""

import zlib
from collections.abc import Iterable, Iterator

from veridact.media.reader import Reader

MAX_PIECE_BYTES = 1 << 28
"""Of one read: no header or table that the pinned muxers write is larger."""

CHUNK_BYTES = 1 << 20


class StrayError(Exception):
    """Bytes of a file that belong to nothing that its muxer writes; the message names them and where they are."""


class Window:
    """The bytes of the open `file` by offset; `size` is their number."""

    def __init__(self, reader: Reader, size: int) -> None:
        self.file = reader
        self.size = size

    def at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes; raises `StrayError` where the file ends before."""
        if length < 0 or length > MAX_PIECE_BYTES or offset + length > self.size:
            raise StrayError(f"the structure leads out of the file at byte {offset}")
        self.file.seek(offset)
        return self.file.read(length)

    def number(self, offset: int, length: int) -> int:
        """A big-endian unsigned integer."""
        return int.from_bytes(self.at(offset, length), "big")

    def little(self, offset: int, length: int) -> int:
        """A little-endian unsigned integer."""
        return int.from_bytes(self.at(offset, length), "little")

    def chunks(self, offset: int, length: int) -> Iterator[bytes]:
        """The bytes [offset, offset + length) in pieces."""
        for at in range(offset, offset + length, CHUNK_BYTES):
            yield self.at(at, min(CHUNK_BYTES, offset + length - at))


def require(holds: bool, what: str, offset: int) -> None:
    """Raises `StrayError` that names `what` and where it is, unless `holds`."""
    if not holds:
        raise StrayError(f"{what} at byte {offset}")


def name_of(identifier: bytes) -> str:
    """A four-character name as it may stand in a message: letters and digits as they are, any other byte in hex."""
    text = identifier.decode("latin-1")
    return text.strip() if text.isascii() and text.isprintable() else identifier.hex()


def check_zeros(window: Window, offset: int, length: int, what: str) -> None:
    """Raises `StrayError` unless all bytes of [offset, offset + length) are zero."""
    for piece in window.chunks(offset, length):
        require(not any(piece), what, offset)


def check_covered(window: Window, parts: Iterable[tuple[int, int]], padding: int, begins: int, end: int) -> None:
    """Raises `StrayError` where bytes of [begins, end) are in no part `(offset, length)`.

    Up to `padding` zero bytes between parts are alignment.
    """
    at = begins
    for offset, length in sorted(parts):
        if offset > at:
            require(offset - at <= padding and not any(window.at(at, offset - at)), "bytes of nothing", at)
        at = max(at, offset + length)
    require(end - at <= padding and not any(window.at(at, max(0, end - at))), "trailing bytes", at)


def check_deflated(pieces: Iterable[bytes], inflated_bytes: int, offset: int) -> None:
    """Raises `StrayError` unless the pieces are one zlib stream of that many inflated bytes and nothing more."""
    stream, seen = zlib.decompressobj(), 0
    try:
        for piece in pieces:
            require(not stream.eof or not piece, "bytes behind the compressed picture", offset)
            rest = piece
            while rest:
                seen += len(stream.decompress(rest, CHUNK_BYTES))
                rest = stream.unconsumed_tail
                require(seen <= inflated_bytes, "rows behind the last of the picture", offset)
        seen += len(stream.flush())
    except zlib.error:
        raise StrayError(f"compressed bytes that are not a picture's at byte {offset}") from None
    require(stream.eof and not stream.unused_data, "bytes behind the compressed picture", offset)
    require(seen == inflated_bytes, "a compressed picture of another size", offset)
