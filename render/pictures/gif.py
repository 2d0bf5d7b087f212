"""Animated GIF assembled from frames that were encoded one by one.

Pillow's own animation writer merges consecutive equal frames, which would lose a frame. The layout is GIF89a's: a
logical screen without a global colour table, then each frame with a local one; numbers are little-endian.
"""

import io
import struct
from collections.abc import Sequence

from PIL import Image

RESTORE_TO_BACKGROUND = 2
"""The disposal method that clears a frame before the next, which may then be transparent where this one was not
(GIF89a §23)."""

LOOP_FOREVER = b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
MAX_DELAY_HUNDREDTHS = (1 << 16) - 1


def animation(images: Sequence[Image.Image], durations_ms: Sequence[int], transparent: bool) -> bytes:
    """A GIF that shows each image for its duration, rounded down to hundredths of a second, and loops for ever.

    With `transparent`, as where any image has a transparent pixel, each must leave one of 256 colours unused.
    """
    width, height = images[0].size
    screen = struct.pack("<HHBBB", width, height, 0x70, 0, 0)
    frames = [_frame(image, duration // 10, transparent) for image, duration in zip(images, durations_ms, strict=True)]
    return b"GIF89a" + screen + LOOP_FOREVER + b"".join(frames) + b";"


def _frame(image: Image.Image, hundredths: int, transparent: bool) -> bytes:
    """The graphic control extension, image descriptor, local colour table and data of one frame.

    Players clear a frame to its transparent colour, so with `transparent` every frame names one.
    """
    file = io.BytesIO()
    image.save(file, "GIF")
    data = file.getvalue()
    flags = data[10]
    at = 13 + (3 << (flags & 7) + 1)
    palette, colour = data[13:at], b"\0"
    has_colour = 0
    while data[at : at + 1] == b"!":
        if data[at + 1] == 0xF9 and data[at + 3] & 1:
            has_colour, colour = 1, data[at + 6 : at + 7]
        at = _skip_sub_blocks(data, at + 2)
    if transparent and not has_colour:
        has_colour, colour = 1, bytes([_unused_colour(data)])
    delay = min(hundredths, MAX_DELAY_HUNDREDTHS)
    control = b"!\xf9\x04" + struct.pack("<BH", RESTORE_TO_BACKGROUND << 2 | has_colour, delay) + colour + b"\0"
    interlaced = data[at + 9] & 0x40
    descriptor = data[at : at + 9] + bytes([0x80 | interlaced | flags & 7])
    return control + descriptor + palette + data[at + 10 : _skip_sub_blocks(data, at + 11)]


def _skip_sub_blocks(data: bytes, at: int) -> int:
    """The offset behind a sequence of data sub-blocks that begins at `at` (GIF89a §15)."""
    while length := data[at]:
        at += 1 + length
    return at + 1


def _unused_colour(data: bytes) -> int:
    """The first colour index that no pixel of a GIF has; 255 where all occur, which the caller rules out."""
    with Image.open(io.BytesIO(data), formats=["GIF"]) as image:
        counts = image.histogram()
    return next((colour for colour, count in enumerate(counts) if not count), 255)
