"""Animated WebP put together from frames that were encoded one by one.

libwebp's own animations make one frame of two that are alike, so that a frame would be lost. The layout is that of the
WebP container specification: RIFF{VP8X, ANIM, ANMF{frame}…}, numbers in little-endian order.
"""

import io
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from PIL import Image

HAS_ALPHA, IS_ANIMATED = 0x10, 0x02
INSTEAD = 0x02
"""A frame replaces what was shown before it rather than be blended over it."""

PIXELS = frozenset({b"ALPH", b"VP8 ", b"VP8L"})
LONGEST_MS = (1 << 24) - 1


def animation(images: Sequence[Image.Image], durations_ms: Sequence[int], options: dict[str, Any]) -> bytes:
    """A WebP file that shows each image for its time, again and again."""
    width, height = images[0].size
    flags = IS_ANIMATED | (HAS_ALPHA if images[0].mode == "RGBA" else 0)
    size = _u24(width - 1) + _u24(height - 1)
    frames = [
        _chunk(
            b"ANMF", _u24(0) * 2 + size + _u24(min(duration, LONGEST_MS)) + bytes([INSTEAD]) + _pixels(image, options)
        )
        for image, duration in zip(images, durations_ms, strict=True)
    ]
    head = _chunk(b"VP8X", struct.pack("<I", flags) + size) + _chunk(b"ANIM", bytes(6))
    body = b"WEBP" + head + b"".join(frames)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _u24(value: int) -> bytes:
    return value.to_bytes(3, "little")


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def _pixels(image: Image.Image, options: dict[str, Any]) -> bytes:
    """The chunks that hold the pixels of a still picture."""
    file = io.BytesIO()
    image.save(file, "WEBP", **options)
    return b"".join(_chunk(name, body) for name, body in _chunks(file.getvalue()) if name in PIXELS)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
