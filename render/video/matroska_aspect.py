"""The shape of pixels in a Matroska file, which PyAV has no way to tell the muxer, written into room it leaves.

    Tracks ── CRC-32
           └─ TrackEntry ─┬─ Video ── PixelWidth, PixelHeight, DisplayUnit = 4 (unknown), …
                          └─ Void, eleven bytes

DisplayUnit gives way to DisplayWidth and DisplayHeight, Void to what they take more, and no other byte moves. The names
are those of RFC 9559 §5.1.4, where an element is its number, the length of its body, and its body (RFC 8794 §4).
"""

import zlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from veridact.errors import VeridactError

_SEGMENT, _TRACKS, _TRACK, _VIDEO, _VOID, _CRC = 0x18538067, 0x1654AE6B, 0xAE, 0xE0, 0xEC, 0xBF
_PIXEL_WIDTH, _PIXEL_HEIGHT = 0xB0, 0xBA
_UNKNOWN_UNIT = bytes.fromhex("54b28104")
_RATIO_UNIT = bytes.fromhex("54b28103")
_DISPLAY_WIDTH, _DISPLAY_HEIGHT = b"\x54\xb0", b"\x54\xba"
HEAD_BYTES = 1 << 24
"""What stands before the first packet is shorter."""


class _Element(NamedTuple):
    """An element of a file: where its number, its body and what is behind it begin."""

    number: int
    start: int
    body: int
    end: int


def _elements(data: bytes | bytearray, at: int, end: int) -> Iterator[_Element]:
    """The elements from one byte to another."""
    while at < end:
        start = at
        length = 9 - data[at].bit_length()
        number = int.from_bytes(data[at : at + length], "big")
        at += length
        length = 9 - data[at].bit_length()
        size = int.from_bytes(data[at : at + length], "big") & (1 << 7 * length) - 1
        at += length
        yield _Element(number, start, at, at + size)
        at += size


def _child(data: bytes | bytearray, parent: _Element, number: int) -> _Element:
    """The first child of that number; raises `VeridactError` where there is none."""
    for element in _elements(data, parent.body, min(parent.end, len(data))):
        if element.number == number:
            return element
    raise VeridactError(f"the Matroska file has no element {number:x} where one belongs")


def tell_shapes(path: Path, shapes: Sequence[Fraction | None]) -> None:
    """Writes the shape of its pixels, width by height, into each video track of a file that FFmpeg has made.

    `shapes` has one entry a video track; square pixels and unknown ones need no telling.
    """
    if all(shape in {None, 1} for shape in shapes):
        return
    with path.open("r+b") as file:
        data = bytearray(file.read(HEAD_BYTES))
        top = _Element(0, 0, 0, len(data))
        tracks = _child(data, _child(data, top, _SEGMENT), _TRACKS)
        entries = [e for e in _elements(data, tracks.body, tracks.end) if e.number == _TRACK]
        seen = [e for e in entries if any(c.number == _VIDEO for c in _elements(data, e.body, e.end))]
        for entry, shape in zip(seen, shapes, strict=True):
            if shape is not None and shape != 1:
                _tell_shape(data, entry, shape)
        crc = _child(data, tracks, _CRC)
        data[crc.body : crc.end] = zlib.crc32(data[crc.end : tracks.end]).to_bytes(4, "little")
        file.seek(tracks.start)
        file.write(data[tracks.start : tracks.end])


def _tell_shape(data: bytearray, entry: _Element, shape: Fraction) -> None:
    """Makes the Video element of a track longer and its Void shorter by as much."""
    video, void = _child(data, entry, _VIDEO), _child(data, entry, _VOID)
    sides = (_child(data, video, number) for number in (_PIXEL_WIDTH, _PIXEL_HEIGHT))
    width, height = (int.from_bytes(data[side.body : side.end], "big") for side in sides)
    told = data[video.body : video.end].replace(_UNKNOWN_UNIT, _displayed(Fraction(width, height) * shape), 1)
    between = data[video.end : void.start]
    room = void.end - video.start - len(told) - len(between) - 4
    if room < 0 or len(told) > 126:
        raise VeridactError("the Matroska file has no room for the shape of its pixels")
    video_head, void_head = bytes([_VIDEO, 0x80 | len(told)]), bytes([_VOID, 0x80 | room])
    data[video.start : void.end] = video_head + told + between + void_head + bytes(room)


def _displayed(ratio: Fraction) -> bytes:
    """The elements that tell the ratio of the sides: as such where it is short, else as a number of pixels."""
    sides = ((_DISPLAY_WIDTH, ratio.numerator), (_DISPLAY_HEIGHT, ratio.denominator))
    lengths = [-(-n.bit_length() // 8) for _, n in sides]
    told = b"".join(
        name + bytes([0x80 | k]) + n.to_bytes(k, "big") for (name, n), k in zip(sides, lengths, strict=True)
    )
    return told + _RATIO_UNIT if sum(lengths) <= 3 else told
