"""Which picture of a TIFF counts: its directories are walked in raw bytes, and more than one picture is refused.

A directory (IFD) is a list of tagged fields; the main chain holds the pages, `SubIFDs` the pictures that belong to one
of them (TIFF 6.0, sections 2 and 8; TIFF Technical Note 1; DNG 1.7).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from veridact.errors import MediaError
from veridact.media.guards.jpeg import SeekableFile

MAX_DIRECTORIES = 10_000
MAX_INLINE_VALUES = 1 << 16
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""The bytes of one value of each field type (TIFF 6.0, section 2; 13 is IFD, Technical Note 1)."""

INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I"}

NEW_SUBFILE_TYPE, SUBFILE_TYPE, WIDTH, LENGTH, PHOTOMETRIC, SUB_IFDS, DNG_VERSION = 254, 255, 256, 257, 262, 330, 50706
REDUCED, MASK = 1, 4
"""Bits of NewSubfileType: another picture at a lower resolution, and its transparency mask."""

OLD_REDUCED = 2
SENSOR = frozenset({32803, 34892})
"""Photometric interpretations that are no picture yet: a colour filter array, and linear raw (DNG 1.7)."""

CANON_RAW = b"CR"
DEVELOP = "it is a camera's raw file; develop it first, to a TIFF or JPEG of its full picture"


@dataclass(frozen=True)
class Field:
    """A field of a directory: its type, the number of its values, and where their `bytes` bytes begin in the file."""

    kind: int
    count: int
    begins: int
    bytes: int


@dataclass(frozen=True)
class Directory:
    """A directory at `begins`, `bytes` long, of the main chain or below it; `numbers` has its integer fields."""

    begins: int
    bytes: int
    main: bool
    fields: dict[int, Field]
    numbers: dict[int, tuple[int, ...]]

    def number(self, tag: int, default: int = 0) -> int:
        """The first value of an integer field."""
        return next(iter(self.numbers.get(tag, ())), default)

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.number(WIDTH) * self.number(LENGTH)

    @property
    def is_page(self) -> bool:
        """Whether it is a picture of its own, neither a smaller copy of another nor a mask."""
        return not self.number(NEW_SUBFILE_TYPE) & (REDUCED | MASK) and self.number(SUBFILE_TYPE) != OLD_REDUCED


def directories(file: SeekableFile) -> Iterator[Directory]:
    """Every directory of a TIFF, those of the main chain in order, each followed by the ones below it.

    Raises `MediaError` for a chain that loops, is too long, or leads out of the file.
    """
    file.seek(0)
    head = file.read(8)
    order = "<" if head[:2] == b"II" else ">"
    if len(head) < 8:
        raise MediaError("the TIFF picture ends within its header")
    seen: set[int] = set()
    pending = [(struct.unpack(order + "I", head[4:])[0], True)]
    while pending:
        at, main = pending.pop()
        if not at:
            continue
        if at in seen or len(seen) >= MAX_DIRECTORIES:
            raise MediaError("the directories of the TIFF picture form a loop or are too many; save it anew first")
        seen.add(at)
        directory, following = _directory(file, order, at, main)
        pending.append((following if main else 0, True))
        pending.extend((below, False) for below in reversed(directory.numbers.get(SUB_IFDS, ())))
        yield directory


def _directory(file: SeekableFile, order: str, at: int, main: bool) -> tuple[Directory, int]:
    """The directory at an offset, and the offset of the next one in its chain, 0 for none."""
    file.seek(at)
    count_bytes = file.read(2)
    count = struct.unpack(order + "H", count_bytes)[0] if len(count_bytes) == 2 else 0
    data = file.read(12 * count + 4)
    if not count or len(data) < 12 * count:
        raise MediaError("a directory of the TIFF picture is outside the file; save it anew first")
    following = struct.unpack(order + "I", data[-4:])[0] if len(data) == 12 * count + 4 else 0
    fields: dict[int, Field] = {}
    numbers: dict[int, tuple[int, ...]] = {}
    for entry in range(0, 12 * count, 12):
        tag, kind, values = struct.unpack(order + "HHI", data[entry : entry + 8])
        length = TYPE_BYTES.get(kind, 1) * values
        begins = at + 2 + entry + 8 if length <= 4 else struct.unpack(order + "I", data[entry + 8 : entry + 12])[0]
        fields[tag] = Field(kind, values, begins, length)
        if kind in INTEGERS and values <= MAX_INLINE_VALUES:
            file.seek(begins)
            stored = file.read(length)
            if len(stored) == length:
                numbers[tag] = struct.unpack(f"{order}{values}{INTEGERS[kind]}", stored)
    return Directory(at, 2 + len(data), main, fields, numbers), following


def check_one_picture(file: SeekableFile) -> None:
    """Raises `MediaError` for a TIFF whose first picture is not the only one: several pages, or a raw file's thumbnail.

    Smaller copies and masks beside a full picture are allowed: they are dropped.
    """
    found = list(directories(file))
    file.seek(8)
    raw = file.read(2) == CANON_RAW or any(DNG_VERSION in d.fields or d.number(PHOTOMETRIC) in SENSOR for d in found)
    if raw:
        raise MediaError(DEVELOP)
    pages = [d for d in found if d.main and d.is_page]
    if len(pages) > 1:
        raise MediaError(
            f"the TIFF has {len(pages)} pages and only one can be rendered; split it first: tiffsplit IN, or "
            "magick IN page-%d.tif"
        )
    if not found or not found[0].is_page or any(d.pixels > found[0].pixels for d in found):
        raise MediaError(f"the first picture of the TIFF is a smaller copy of another; if {DEVELOP}")
