"""PNG and APNG: the chunks that hold the picture, each with its checksum, nothing behind the last (ISO/IEC 15948)."""

import zlib
from collections.abc import Iterator
from typing import NamedTuple

from veridact.audit.structure.window import Window, check_deflated, name_of, require

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LENGTHS = {b"IHDR": 13, b"pHYs": 9, b"acTL": 8, b"fcTL": 26, b"IEND": 0}
"""The chunks of a fixed length that an output may have; its data chunks are IDAT and fdAT."""

SAMPLES = {0: 1, 2: 3, 4: 2, 6: 4}
"""The samples of a pixel by colour type; palettes are never written."""

SEQUENCE_BYTES = 4


class Chunk(NamedTuple):
    """A chunk: its name and where its body begins and ends."""

    name: bytes
    begins: int
    end: int


def check(window: Window) -> None:
    """Raises `StrayError` for whatever is not the picture, or the frames of an animation, itself."""
    chunks = list(_chunks(window))
    require(chunks[0].name == b"IHDR", "a first chunk that is not IHDR", 8)
    header = window.at(chunks[0].begins, 13)
    depth, colour, interlace = header[8], header[9], header[12]
    require(colour in SAMPLES and not interlace, "a picture of a form that is never written", chunks[0].begins)
    bits = depth * SAMPLES[colour]
    size = header[:8]
    for chunk, data in _pictures(chunks):
        if chunk.name == b"fcTL":
            size = window.at(chunk.begins + 4, 8)
        width, height = int.from_bytes(size[:4], "big"), int.from_bytes(size[4:], "big")
        skipped = SEQUENCE_BYTES if data and data[0].name == b"fdAT" else 0
        pieces = (p for d in data for p in window.chunks(d.begins + skipped, d.end - d.begins - skipped))
        check_deflated(pieces, height * (1 + -(-width * bits // 8)), chunk.begins)


def _chunks(window: Window) -> Iterator[Chunk]:
    """Every chunk up to IEND, which must end the file."""
    require(window.at(0, 8) == SIGNATURE, "no PNG", 0)
    at, name, seen = 8, b"", set[bytes]()
    while name != b"IEND":
        length, name = window.number(at, 4), window.at(at + 4, 4)
        known = name in {b"IDAT", b"fdAT"} or LENGTHS.get(name) == length
        require(known, f"chunk {name_of(name)}", at)
        require(name not in seen or name in {b"IDAT", b"fdAT", b"fcTL"}, f"a second chunk {name_of(name)}", at)
        crc = zlib.crc32(name)
        for piece in window.chunks(at + 8, length):
            crc = zlib.crc32(piece, crc)
        require(window.number(at + 8 + length, 4) == crc, f"a checksum of chunk {name_of(name)}", at)
        seen.add(name)
        yield Chunk(name, at + 8, at + 8 + length)
        at += 12 + length
    require(at == window.size, "trailing bytes", at)


def _pictures(chunks: list[Chunk]) -> Iterator[tuple[Chunk, list[Chunk]]]:
    """The data chunks of each frame, with the chunk that gives their size."""
    header, data = chunks[0], list[Chunk]()
    for chunk in chunks[1:]:
        if chunk.name in {b"IDAT", b"fdAT"}:
            data.append(chunk)
        elif chunk.name in {b"fcTL", b"IEND"}:
            if data:
                yield header, data
            elif header.name == b"fcTL":
                require(False, "a frame without a picture", header.begins)
            header, data = (chunk if chunk.name == b"fcTL" else header), []
