"""Animated GIF put together from frames that were encoded one by one.

Pillow's own animations make one frame of two that are alike, so that a frame would be lost. The layout is GIF89a's: a
screen without colours of its own, then each frame with its palette, numbers in little-endian order.
"""

import io
import struct
from collections.abc import Sequence

from PIL import Image

CLEAR = 2
"""The disposal method that clears a frame before the next, so that a frame may be transparent where the last was not
(GIF89a §23)."""

FOREVER = b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
LONGEST = (1 << 16) - 1


def animation(images: Sequence[Image.Image], durations_ms: Sequence[int], holes: bool) -> bytes:
    """A GIF that shows each image for its time, to the hundredth of a second, again and again.

    Where any image has `holes`, each must leave one of 256 colours unused.
    """
    width, height = images[0].size
    screen = struct.pack("<HHBBB", width, height, 0x70, 0, 0)
    frames = [_frame(image, duration // 10, holes) for image, duration in zip(images, durations_ms, strict=True)]
    return b"GIF89a" + screen + FOREVER + b"".join(frames) + b";"


def _frame(image: Image.Image, hundredths: int, holes: bool) -> bytes:
    """The control block, the descriptor with the palette, and the data of one frame.

    Players clear a frame to what is transparent in it, so every frame names a transparent colour where one does.
    """
    file = io.BytesIO()
    image.save(file, "GIF")
    data = file.getvalue()
    flags = data[10]
    at = 13 + (3 << (flags & 7) + 1)
    palette, transparent = data[13:at], b"\0"
    see_through = 0
    while data[at : at + 1] == b"!":
        if data[at + 1] == 0xF9 and data[at + 3] & 1:
            see_through, transparent = 1, data[at + 6 : at + 7]
        at = _behind_blocks(data, at + 2)
    if holes and not see_through:
        see_through, transparent = 1, bytes([_unused(data)])
    control = (
        b"!\xf9\x04" + struct.pack("<BH", CLEAR << 2 | see_through, min(hundredths, LONGEST)) + transparent + b"\0"
    )
    interlaced = data[at + 9] & 0x40
    descriptor = data[at : at + 9] + bytes([0x80 | interlaced | flags & 7])
    return control + descriptor + palette + data[at + 10 : _behind_blocks(data, at + 11)]


def _behind_blocks(data: bytes, at: int) -> int:
    """Where a row of data blocks that begins at a byte has ended."""
    while length := data[at]:
        at += 1 + length
    return at + 1


def _unused(data: bytes) -> int:
    """A colour that no pixel of a GIF has; 255 where all occur, which is not to be."""
    with Image.open(io.BytesIO(data), formats=["GIF"]) as image:
        counts = image.histogram()
    return next((colour for colour, count in enumerate(counts) if not count), 255)
