"""How long a GIF is, found out step by step: it says so nowhere, and a small file can hold millions of frames.

The steps are those of Pillow's `GifImageFile`, which counts without a limit.
"""

from typing import Protocol

MAX_GIF_BLOCKS = 2_000_000
"""Of all data blocks of a GIF; honest ones hold 255 bytes, so this is half a gigabyte."""


class File(Protocol):
    """What can be read at any place."""

    def read(self, size: int = -1, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...


class _Walk:
    """A walk through the blocks, which are counted."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.blocks = 0

    def step(self) -> bytes:
        """The next byte, empty at the end of the file or of patience."""
        self.blocks += 1
        return self.file.read(1) if self.blocks <= MAX_GIF_BLOCKS else b""

    def data(self) -> bytes:
        """The next block of data, empty for the one that ends a row of them."""
        length = self.step()
        return self.file.read(length[0]) if length else b""

    def skip_row(self) -> None:
        while self.data():
            pass

    def skip_palette(self, flags: int) -> None:
        if flags & 0x80:
            self.file.seek(3 << (flags & 7) + 1, 1)

    def skip_extension(self, first: bool) -> None:
        label, block = self.step(), self.data()
        if label == b"\xfe" and not block:
            return
        if label == b"\xff" and first and block.startswith(b"NETSCAPE2.0"):
            self.data()
        self.skip_row()


def is_longer(file: File, frames: int) -> bool:
    """Whether a GIF has more frames than so many, or more blocks than may be walked through."""
    walk, found = _Walk(file), 0
    file.seek(0)
    header = file.read(13)
    walk.skip_palette(header[10] if len(header) == 13 else 0)
    while found <= frames and (kind := walk.step()) not in {b"", b";"}:
        if kind == b"!":
            walk.skip_extension(first=found == 0)
        elif kind == b",":
            descriptor = file.read(9)
            walk.skip_palette(descriptor[8] if len(descriptor) == 9 else 0)
            walk.step()
            walk.skip_row()
            found += 1
    return found > frames or walk.blocks > MAX_GIF_BLOCKS
