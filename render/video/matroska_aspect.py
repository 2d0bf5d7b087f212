"""Writes the sample aspect ratio into a Matroska file, because PyAV cannot pass it to the muxer.

    Tracks ── CRC-32
           └─ TrackEntry ─┬─ Video ── PixelWidth, PixelHeight, DisplayUnit = 4 (unknown), …
                          └─ Void, eleven bytes

DisplayWidth and DisplayHeight replace DisplayUnit, and Void shrinks by the difference, so that no other byte moves. The
names are those of RFC 9559 §5.1.4; an element is its ID, the length of its body, and its body (RFC 8794 §4).
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
"""More than the headers before the first packet take."""


class _Element(NamedTuple):
    """An EBML element: its ID, and the offsets at which the element, its body and the next element begin."""

    identifier: int
    start: int
    body: int
    end: int


def _elements(data: bytes | bytearray, at: int, end: int) -> Iterator[_Element]:
    """The elements in the bytes [at, end) of a file."""
    while at < end:
        start = at
        length = 9 - data[at].bit_length()
        identifier = int.from_bytes(data[at : at + length], "big")
        at += length
        length = 9 - data[at].bit_length()
        size = int.from_bytes(data[at : at + length], "big") & (1 << 7 * length) - 1
        at += length
        yield _Element(identifier, start, at, at + size)
        at += size


def _child(data: bytes | bytearray, parent: _Element, identifier: int) -> _Element:
    """The first child with that ID; raises `VeridactError` where there is none."""
    for element in _elements(data, parent.body, min(parent.end, len(data))):
        if element.identifier == identifier:
            return element
    raise VeridactError(f"the Matroska file has no element {identifier:x} where one belongs")


def write_aspect_ratios(path: Path, ratios: Sequence[Fraction | None]) -> None:
    """Writes the sample aspect ratio, width by height, of each video track into a file that FFmpeg has muxed.

    `ratios` has one entry per video track in order; 1 and None (unknown) are not written.
    """
    if all(ratio in {None, 1} for ratio in ratios):
        return
    with path.open("r+b") as file:
        data = bytearray(file.read(HEAD_BYTES))
        top = _Element(0, 0, 0, len(data))
        tracks = _child(data, _child(data, top, _SEGMENT), _TRACKS)
        entries = [e for e in _elements(data, tracks.body, tracks.end) if e.identifier == _TRACK]
        video = [e for e in entries if any(c.identifier == _VIDEO for c in _elements(data, e.body, e.end))]
        for entry, ratio in zip(video, ratios, strict=True):
            if ratio is not None and ratio != 1:
                _write_aspect_ratio(data, entry, ratio)
        crc = _child(data, tracks, _CRC)
        data[crc.body : crc.end] = zlib.crc32(data[crc.end : tracks.end]).to_bytes(4, "little")
        file.seek(tracks.start)
        file.write(data[tracks.start : tracks.end])


def _write_aspect_ratio(data: bytearray, entry: _Element, ratio: Fraction) -> None:
    """Lengthens the Video element of a track and shortens its Void element by as much."""
    video, void = _child(data, entry, _VIDEO), _child(data, entry, _VOID)
    sides = (_child(data, video, identifier) for identifier in (_PIXEL_WIDTH, _PIXEL_HEIGHT))
    width, height = (int.from_bytes(data[side.body : side.end], "big") for side in sides)
    display = _display_elements(Fraction(width, height) * ratio)
    body = data[video.body : video.end].replace(_UNKNOWN_UNIT, display, 1)
    between = data[video.end : void.start]
    void_bytes = void.end - video.start - len(body) - len(between) - 4
    if void_bytes < 0 or len(body) > 126:
        raise VeridactError("the Matroska file has no room for the shape of its pixels")
    video_head, void_head = bytes([_VIDEO, 0x80 | len(body)]), bytes([_VOID, 0x80 | void_bytes])
    data[video.start : void.end] = video_head + body + between + void_head + bytes(void_bytes)


def _display_elements(ratio: Fraction) -> bytes:
    """DisplayWidth and DisplayHeight with the ratio of width to height.

    With DisplayUnit 3 (aspect ratio) where there is room for it, else in the default unit, pixels.
    """
    sides = ((_DISPLAY_WIDTH, ratio.numerator), (_DISPLAY_HEIGHT, ratio.denominator))
    lengths = [-(-n.bit_length() // 8) for _, n in sides]
    elements = b"".join(
        name + bytes([0x80 | k]) + n.to_bytes(k, "big") for (name, n), k in zip(sides, lengths, strict=True)
    )
    return elements + _RATIO_UNIT if sum(lengths) <= 3 else elements
