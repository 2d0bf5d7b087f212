"""WAV and WebP: the chunks that are written, which fill the file (Microsoft RIFF; EBU Tech 3306; RFC 9649)."""

from collections.abc import Iterator
from typing import NamedTuple

from veridact.audit.structure.window import Window, check_zeros, name_of, require

UNKNOWN_SIZE = 0xFFFFFFFF
DS64_BYTES, PLAIN_FORMAT_BYTES, MAX_EXTENSION_BYTES = 28, 16, 40
ANIMATION, ALPHA = 0x02, 0x10
FRAME_HEADER_BYTES = 16
PICTURES = frozenset({b"VP8 ", b"VP8L", b"ALPH"})
WEBP_LENGTHS = {b"VP8X": 10, b"ANIM": 6}


class Chunk(NamedTuple):
    """A chunk: its name, where it and its body begin, and where the body ends."""

    name: bytes
    start: int
    begins: int
    end: int


def check_wav(window: Window) -> None:
    """Raises `StrayError` for a chunk beside the format and the samples, and for bytes behind them."""
    large = window.at(0, 4) == b"RF64"
    require(large or window.at(0, 4) == b"RIFF", "no WAV", 0)
    require(window.at(8, 4) == b"WAVE", "no WAV", 8)
    declared = window.little(20, 8) if large else window.little(4, 4)
    require(declared == window.size - 8, "bytes behind the file's declared end", min(window.size, declared + 8))
    for chunk in _chunks(window, 12, window.size, window.little(28, 8) if large else 0):
        length = chunk.end - chunk.begins
        match chunk.name:
            case b"JUNK":
                require(length == DS64_BYTES, "contents of chunk JUNK", chunk.start)
                check_zeros(window, chunk.begins, length, "contents of chunk JUNK")
            case b"ds64":
                require(length == DS64_BYTES and large, "contents of chunk ds64", chunk.start)
                check_zeros(window, chunk.begins + 24, 4, "contents of chunk ds64")
            case b"fmt ":
                extension = window.little(chunk.begins + 16, 2) if length > PLAIN_FORMAT_BYTES else -2
                good = length == 18 + extension and extension <= MAX_EXTENSION_BYTES
                require(good, "contents of chunk fmt", chunk.start)
            case b"fact":
                require(length == 4, "contents of chunk fact", chunk.start)
            case _:
                require(chunk.name == b"data", f"chunk {name_of(chunk.name)}", chunk.start)


def check_webp(window: Window) -> None:
    """Raises `StrayError` for a chunk that is neither a picture nor the frame of an animation."""
    require((window.at(0, 4), window.at(8, 4)) == (b"RIFF", b"WEBP"), "no WebP", 0)
    declared = window.little(4, 4) + 8
    require(declared == window.size, "bytes behind the file's declared end", min(window.size, declared))
    for chunk in _chunks(window, 12, window.size, 0):
        if chunk.name == b"ANMF":
            for part in _chunks(window, chunk.begins + FRAME_HEADER_BYTES, chunk.end, 0):
                require(part.name in PICTURES, f"chunk {name_of(part.name)}", part.start)
            continue
        known = chunk.name in PICTURES or WEBP_LENGTHS.get(chunk.name) == chunk.end - chunk.begins
        require(known, f"chunk {name_of(chunk.name)}", chunk.start)
        if chunk.name == b"VP8X":
            flags = window.little(chunk.begins, 4)
            require(not flags & ~(ANIMATION | ALPHA), "flags of metadata", chunk.start)


def _chunks(window: Window, begins: int, end: int, large_data_bytes: int) -> Iterator[Chunk]:
    """The chunks in the bytes [begins, end), which they must fill, each padded by a zero to an even length."""
    at = begins
    while at < end:
        require(at + 8 <= end, "trailing bytes", at)
        name, length = window.at(at, 4), window.little(at + 4, 4)
        if name == b"data" and length == UNKNOWN_SIZE:
            length = large_data_bytes
        require(length <= end - at - 8, "trailing bytes, or a chunk that leads out of the file", at)
        yield Chunk(name, at, at + 8, at + 8 + length)
        at += 8 + length
        if length % 2 and at < end:
            require(window.at(at, 1) == b"\0", "padding with contents", at)
            at += 1
