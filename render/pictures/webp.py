"""Animated WebP assembled from frames that were encoded one by one.

libwebp's own animation encoder merges consecutive equal frames, which would lose a frame. The layout is that of the
WebP container specification: RIFF{VP8X, ANIM, ANMF{frame}…}; numbers are little-endian.
"""

import io
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from PIL import Image

HAS_ALPHA, IS_ANIMATED = 0x10, 0x02
NO_BLENDING = 0x02
"""The ANMF flag under which a frame replaces the canvas instead of being blended over it."""

IMAGE_CHUNKS = frozenset({b"ALPH", b"VP8 ", b"VP8L"})
MAX_DURATION_MS = (1 << 24) - 1


def animation(images: Sequence[Image.Image], durations_ms: Sequence[int], options: dict[str, Any]) -> bytes:
    """A WebP file that shows each image for its duration and loops for ever."""
    width, height = images[0].size
    flags = IS_ANIMATED | (HAS_ALPHA if images[0].mode == "RGBA" else 0)
    size = _u24(width - 1) + _u24(height - 1)
    frames = [
        _chunk(
            b"ANMF",
            _u24(0) * 2 + size + _u24(min(duration, MAX_DURATION_MS)) + bytes([NO_BLENDING]) + _pixels(image, options),
        )
        for image, duration in zip(images, durations_ms, strict=True)
    ]
    head = _chunk(b"VP8X", struct.pack("<I", flags) + size) + _chunk(b"ANIM", bytes(6))
    body = b"WEBP" + head + b"".join(frames)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _u24(value: int) -> bytes:
    """A 24-bit unsigned integer."""
    return value.to_bytes(3, "little")


def _chunk(name: bytes, body: bytes) -> bytes:
    """A RIFF chunk, padded to an even length."""
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def _pixels(image: Image.Image, options: dict[str, Any]) -> bytes:
    """The image data chunks of a picture encoded as a still WebP."""
    file = io.BytesIO()
    image.save(file, "WEBP", **options)
    return b"".join(_chunk(name, body) for name, body in _chunks(file.getvalue()) if name in IMAGE_CHUNKS)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The name and body of each chunk of a WebP file."""
    at = 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
