"""The chunks of a PNG file that say how its samples are shown, read here because Pillow reads some wrongly or not.

Pillow lets a text chunk set any field of `info`, does not scale a transparent gray of 2 and 4 bits, and has no cICP.
Numbers are big-endian (W3C PNG, third edition, section 11.3).
"""

import struct
from collections.abc import Callable
from typing import Any

from veridact.media.reader import Reader

HEAD_BYTES = 8
GRAY_SCALE = {1: 255, 2: 85, 4: 17, 8: 1, 16: 1}
"""What Pillow multiplies gray samples by, by bit depth."""

_GRAY, _RGB = 0, 2
_INFO_NAMES = ("gamma", "chromaticity", "srgb", "cicp", "dpi", "aspect", "transparency")


def read_chunks(reader: Reader) -> dict[bytes, bytes]:
    """The first chunk of each name before the image data, up to 4 KiB long; stops without error at the file's end."""
    chunks: dict[bytes, bytes] = {}
    at = HEAD_BYTES
    while True:
        reader.seek(at)
        head = reader.read(8)
        if len(head) < 8 or head[4:] == b"IDAT":
            return chunks
        length, name = int.from_bytes(head[:4], "big"), head[4:]
        if length <= 4096:
            chunks.setdefault(name, reader.read(length))
        at += 12 + length


def describe(info: dict[Any, Any], chunks: dict[bytes, bytes]) -> None:
    """Sets the fields of Pillow's `info` that describe samples from their chunks alone.

    `gamma` and `chromaticity` (white, red, green, blue) are in 100,000ths, `cicp` is (primaries, transfer, matrix,
    range), `dpi` is replaced by `phys`, which is (columns, rows, unit). `transparency` is a value of decoded samples;
    that of a palette stays as Pillow read it.
    """
    header = chunks.get(b"IHDR", b"")
    depth, kind = (header[8], header[9]) if len(header) >= 10 else (8, _RGB)
    for name in _INFO_NAMES:
        if name != "transparency" or kind in {_GRAY, _RGB}:
            info.pop(name, None)
    readers: dict[bytes, tuple[str, str, Callable[[tuple[int, ...]], Any]]] = {
        b"gAMA": ("gamma", ">I", lambda v: v[0]),
        b"cHRM": ("chromaticity", ">8I", tuple),
        b"sRGB": ("srgb", ">B", lambda v: v[0]),
        b"cICP": ("cicp", ">4B", tuple),
        b"pHYs": ("phys", ">IIB", tuple),
    }
    if kind == _GRAY:
        readers[b"tRNS"] = ("transparency", ">H", lambda v: v[0] * GRAY_SCALE.get(depth, 1))
    elif kind == _RGB:
        readers[b"tRNS"] = ("transparency", ">3H", tuple)
    for chunk, (name, layout, value) in readers.items():
        if len(body := chunks.get(chunk, b"")) >= struct.calcsize(layout):
            info[name] = value(struct.unpack_from(layout, body))
