"""Finds JPEGs whose data ends before their picture does though an end marker follows: libjpeg fills the rest with gray.

It only counts a warning for that, which Pillow does not tell. So the picture is decoded twice, once with bytes added
where each run of entropy-coded data ends: a whole run never reads them. Numbers are big-endian (ITU-T T.81, annex B).
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise

from PIL.JpegImagePlugin import JpegImageFile

from veridact.errors import MediaError
from veridact.sandbox.heartbeat import beat

INCOMPLETE = "the JPEG picture does not decode whole: its data ends early; copy or export the file again"
ADDED = hashlib.shake_128(b"JPEG").digest(64).replace(b"\xff", b"\x5a")
"""Bytes without a marker, in which Huffman codes of any table are found."""

_MARKER = re.compile(rb"\xff+([\x01-\xfe])")
_SOI, _EOI, _SOS, _DRI = 0xD8, 0xD9, 0xDA, 0xDD
_RESTARTS = range(0xD0, 0xD8)
_HUFFMAN_FRAMES = {0xC0, 0xC1, 0xC2}
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_STRIP_ROWS = 256


@dataclass(frozen=True)
class Frame:
    """The frame header: its marker, the size in pixels, and the sampling factors of each component by its id."""

    marker: int
    width: int
    height: int
    sampling: dict[int, tuple[int, int]]

    def restarts(self, components: bytes, interval: int) -> int:
        """The number of restart markers in a scan of these components, one every `interval` units (T.81, B.2.4.4)."""
        if not interval:
            return 0
        most_across, most_down = (max(factors) for factors in zip(*self.sampling.values(), strict=True))
        across, down = 8 * most_across, 8 * most_down
        width, height = self.width, self.height
        if len(components) == 1:  # then a unit is one block of the component (T.81, A.2.2)
            own_across, own_down = self.sampling.get(components[0], (1, 1))
            width, height = -(-width * own_across // most_across), -(-height * own_down // most_down)
            across = down = 8
        units: int = -(-width // across) * -(-height // down)
        return -(-units // interval) - 1


@dataclass(frozen=True)
class Scans:
    """The frame header, where the runs of entropy-coded data end, the number of scans, and whether restarts lack."""

    frame: Frame
    ends: list[int]
    count: int
    lacks_restarts: bool
    end: int


def check_whole(data: bytes) -> None:
    """Raises `MediaError` for a Huffman-coded JPEG that has an end marker before its data is complete.

    One without an end marker, or that does not decode, passes: its decoder says so.
    """
    found = read_scans(data)
    if found is None or found.frame.marker not in _HUFFMAN_FRAMES:
        return
    if found.lacks_restarts:
        raise MediaError(INCOMPLETE)
    small = found.count == 1  # every code is read, and the first coefficient of each block depends on all before
    try:
        digest = _digest(data[: found.end], small)
    except (OSError, SyntaxError, ValueError, TypeError):
        return
    cuts = [0, *found.ends, found.end]
    longer = ADDED.join(data[start:end] for start, end in pairwise(cuts))
    try:
        if _digest(longer, small) == digest:
            return
    except (OSError, SyntaxError, ValueError, TypeError):
        pass
    raise MediaError(INCOMPLETE)


def read_scans(data: bytes) -> Scans | None:
    """The scans up to the first end marker; None where there is none, or no frame header."""
    frame: Frame | None = None
    ends: list[int] = []
    interval = count = 0
    lacks_restarts = False
    expected: int | None = None
    for marker, at in _markers(data):
        body = data[at + 4 : at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")]
        if marker == _DRI:
            interval = int.from_bytes(body[:2], "big")
        elif marker in _FRAMES:
            frame = _frame(marker, body)
        if expected is not None:
            ends.append(at)
            expected -= marker in _RESTARTS
            if marker not in _RESTARTS:
                lacks_restarts |= expected > 0
                expected = None
        if marker == _SOS and frame is not None and body:
            expected = frame.restarts(body[1 : 1 + 2 * body[0] : 2], interval)
            count += 1
        if marker == _EOI:
            return Scans(frame, ends, count, lacks_restarts, at + 2) if frame else None
    return None


def _markers(data: bytes) -> Iterator[tuple[int, int]]:
    """Every marker with the offset of its 0xFF byte, segments skipped, from the one behind SOI on."""
    at = 2
    while found := _MARKER.search(data, at):
        marker, at = found[1][0], found.end() - 2
        yield marker, at
        standalone = marker in _RESTARTS or marker in {0x01, _SOI, _EOI}
        at += 2 if standalone else 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))


def _frame(marker: int, body: bytes) -> Frame:
    """The frame header in a SOF segment (T.81, B.2.2)."""
    components = [body[n : n + 3] for n in range(6, len(body) - 2, 3)]
    sampling = {c[0]: (max(1, c[1] >> 4), max(1, c[1] & 15)) for c in components} or {0: (1, 1)}
    return Frame(marker, int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big"), sampling)


def _digest(data: bytes, small: bool) -> str:
    """The digest of the decoded picture, with `small` at an eighth of its size."""
    digest = hashlib.sha256()
    with JpegImageFile(BytesIO(data)) as image:
        if small:
            image.draft(image.mode, (1, 1))
        for top in range(0, image.height, _STRIP_ROWS):
            digest.update(image.crop((0, top, image.width, min(top + _STRIP_ROWS, image.height))).tobytes())
            beat()
    return digest.hexdigest()
