"""JPEG: the segments that decoding needs, no application data, nothing behind the picture (ITU-T T.81, annex B)."""

import io
from typing import NamedTuple

from PIL import Image

from veridact.audit.structure.window import Window, require
from veridact.sandbox.heartbeat import beat

SOF0, DHT, SOI, EOI, SOS, DQT, APP0 = 0xC0, 0xC4, 0xD8, 0xD9, 0xDA, 0xDB, 0xE0
JFIF_BYTES, THUMBNAIL = 14, 12
NAMES = {0xFE: "COM", 0xDD: "DRI", **{0xE0 + n: f"APP{n}" for n in range(16)}}
SEARCH_BYTES = 1 << 16
TAIL_BYTES = 3
FILLINGS = tuple(bytes((n * 37 + k * 101) % 255 for k in range(TAIL_BYTES)) for n in range(32))
"""What is put in the place of the last one, two and three bytes of a scan: where the picture stays the same under all
of them, no block reads those bytes. The last block ends within the last byte or the one before."""


class Segment(NamedTuple):
    """A segment: its marker, where its body begins, and the body."""

    marker: int
    begins: int
    body: bytes


def check(window: Window) -> None:
    """Raises `StrayError` for whatever is not needed to decode the one baseline picture."""
    require(window.at(0, 2) == bytes([0xFF, SOI]), "no JPEG", 0)
    at, segments = 2, list[Segment]()
    while not segments or segments[-1].marker != SOS:
        marker = window.at(at, 2)
        require(marker[0] == 0xFF, "bytes between segments", at)
        require(marker[1] in _CHECKS, f"segment {NAMES.get(marker[1], f'{marker[1]:02x}')}", at)
        length = window.number(at + 2, 2)
        segments.append(Segment(marker[1], at + 4, window.at(at + 4, max(0, length - 2))))
        at += 2 + length
    tables = [table for s in segments for table in _CHECKS[s.marker](s)]
    require(len(tables) == len(set(tables)), "a table that is defined twice", segments[0].begins)
    require(set(tables) == _used(segments), "a table that no component uses", segments[0].begins)
    end = _end_of_scan(window, at)
    require(window.at(end, 2) == bytes([0xFF, EOI]), "a second scan or segment", end)
    require(end + 2 == window.size, "trailing bytes", end + 2)
    _check_scan_is_read(window, at, end)


Table = tuple[int, int]
"""The marker of a table and its class and number in one byte."""


def _jfif(s: Segment) -> list[Table]:
    """JFIF without a thumbnail; its density may be any (JFIF 1.02)."""
    good = len(s.body) == JFIF_BYTES and s.body[:5] == b"JFIF\0" and not any(s.body[THUMBNAIL:])
    require(good, "segment APP0 that is not plain JFIF", s.begins)
    return []


def _quantisation(s: Segment) -> list[Table]:
    found, at = list[Table](), 0
    while at < len(s.body):
        found.append((DQT, s.body[at] & 15))
        at += 1 + 64 * (1 + (s.body[at] >> 4))
    require(at == len(s.body), "a DQT segment of another length", s.begins)
    return found


def _huffman(s: Segment) -> list[Table]:
    found, at = list[Table](), 0
    while at + 17 <= len(s.body):
        found.append((DHT, s.body[at]))
        at += 17 + sum(s.body[at + 1 : at + 17])
    require(at == len(s.body), "a DHT segment of another length", s.begins)
    return found


def _frame(s: Segment) -> list[Table]:
    require(len(s.body) > 5 and len(s.body) == 6 + 3 * s.body[5], "a frame header of another length", s.begins)
    return []


def _scan(s: Segment) -> list[Table]:
    require(len(s.body) > 0 and len(s.body) == 4 + 2 * s.body[0], "a scan header of another length", s.begins)
    return []


_CHECKS = {APP0: _jfif, DQT: _quantisation, DHT: _huffman, SOF0: _frame, SOS: _scan}


def _used(segments: list[Segment]) -> set[Table]:
    """The tables that the components of the frame and of its scan name."""
    frames = [s.body for s in segments if s.marker == SOF0]
    require(len(frames) == 1 and sum(s.marker == APP0 for s in segments) <= 1, "a segment that occurs twice", 2)
    scan = segments[-1].body
    quantisation = {(DQT, number) for number in frames[0][8::3]}
    selectors = scan[2 : 2 + 2 * scan[0] : 2]
    return quantisation | {(DHT, s >> 4) for s in selectors} | {(DHT, 0x10 | s & 15) for s in selectors}


def _end_of_scan(window: Window, at: int) -> int:
    """Where the entropy-coded data from an offset on ends: at the first marker, for 0xFF 0x00 is a byte of data."""
    while at + 2 <= window.size:
        piece = window.at(at, min(SEARCH_BYTES, window.size - at))
        found = piece.find(b"\xff")
        while 0 <= found < len(piece) - 1:
            if piece[found + 1]:
                return at + found
            found = piece.find(b"\xff", found + 2)
        at += found if found >= 0 else len(piece)
        if len(piece) < 2:
            break
    return window.size


def _check_scan_is_read(window: Window, begins: int, end: int) -> None:
    """Raises `StrayError` where bytes follow the last block of the scan [begins, end), so that none reads them."""
    head, scan = window.at(0, begins), window.at(begins, end - begins)
    shown = _decoded(head + scan + bytes([0xFF, EOI]))
    for length in range(1, min(TAIL_BYTES, len(scan)) + 1):
        kept = scan[:-length] + (b"\0" if scan[:-length].endswith(b"\xff") else b"")
        for filling in FILLINGS:
            beat()
            if _decoded(head + kept + filling[:length] + bytes([0xFF, EOI])) != shown:
                return
    require(False, "bytes behind the last block of the picture", end)


def _decoded(data: bytes) -> bytes:
    """The samples of a JPEG; empty where it does not decode."""
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            image.draft("YCbCr", image.size)  # as stored: nothing is clipped on the way to RGB
            return image.tobytes()
    except (OSError, SyntaxError, ValueError):
        return b""
