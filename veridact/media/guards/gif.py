"""Counts the frames of a GIF up to a limit: no header declares their number, and a small file can contain millions.

The blocks are walked as Pillow's `GifImageFile` walks them, which has no limit.
"""

from typing import Protocol

MAX_GIF_BLOCKS = 2_000_000
"""Of all data sub-blocks of a GIF; encoders fill them with 255 bytes, so this is half a gigabyte."""


class SeekableFile(Protocol):
    """A binary file object that can be read at any position."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes from the position."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Sets the position; returns it."""


class _BlockReader:
    """Reads a GIF block by block and counts the blocks."""

    def __init__(self, file: SeekableFile) -> None:
        self.file = file
        self.blocks = 0

    def step(self) -> bytes:
        """The next byte; empty at the end of the file or beyond `MAX_GIF_BLOCKS`."""
        self.blocks += 1
        return self.file.read(1) if self.blocks <= MAX_GIF_BLOCKS else b""

    def sub_block(self) -> bytes:
        """The next data sub-block; empty for the terminator (GIF89a §15, §16)."""
        length = self.step()
        return self.file.read(length[0]) if length else b""

    def skip_sub_blocks(self) -> None:
        """Skips sub-blocks up to and including the terminator."""
        while self.sub_block():
            pass

    def skip_colour_table(self, flags: int) -> None:
        """Skips a colour table where `flags` announces one."""
        if flags & 0x80:
            self.file.seek(3 << (flags & 7) + 1, 1)

    def skip_extension(self, before_first_frame: bool) -> None:
        """Skips an extension block, as Pillow does."""
        label, block = self.step(), self.sub_block()
        if label == b"\xfe" and not block:
            return
        if label == b"\xff" and before_first_frame and block.startswith(b"NETSCAPE2.0"):
            self.sub_block()
        self.skip_sub_blocks()


def has_more_frames(file: SeekableFile, limit: int) -> bool:
    """Whether a GIF has more than `limit` frames, or more blocks than `MAX_GIF_BLOCKS`."""
    reader, frames = _BlockReader(file), 0
    file.seek(0)
    header = file.read(13)
    reader.skip_colour_table(header[10] if len(header) == 13 else 0)
    while frames <= limit and (kind := reader.step()) not in {b"", b";"}:
        if kind == b"!":
            reader.skip_extension(before_first_frame=frames == 0)
        elif kind == b",":
            descriptor = file.read(9)
            reader.skip_colour_table(descriptor[8] if len(descriptor) == 9 else 0)
            reader.step()
            reader.skip_sub_blocks()
            frames += 1
    return frames > limit or reader.blocks > MAX_GIF_BLOCKS
