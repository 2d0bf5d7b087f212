"""MP4, MOV and M4A: the boxes that FFmpeg's muxer writes, with fixed contents where text could stand.

Every byte of `mdat` must belong to a sample (`iso_samples.py`). ISO/IEC 14496-12; QuickTime File Format.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from veridact.audit.structure import iso_samples
from veridact.audit.structure.codec_headers import check_avcc, check_esds, check_flac_blocks
from veridact.audit.structure.window import Window, check_zeros, name_of, require

CHILDREN: dict[str, frozenset[str]] = {
    "": frozenset({"ftyp", "free", "wide", "mdat", "moov"}),
    "moov": frozenset({"mvhd", "trak", "udta"}),
    "trak": frozenset({"tkhd", "edts", "mdia"}),
    "edts": frozenset({"elst"}),
    "mdia": frozenset({"mdhd", "hdlr", "minf"}),
    "minf": frozenset({"vmhd", "smhd", "hdlr", "dinf", "stbl"}),
    "dinf": frozenset({"dref"}),
    "stbl": frozenset({"stsd", "stts", "stss", "ctts", "stsc", "stsz", "stco", "co64", "sgpd", "sbgp"}),
    "udta": frozenset({"meta"}),
    "avc1": frozenset({"avcC", "pasp", "colr", "fiel", "btrt"}),
    "wave": frozenset({"frma", "mp4a", "esds", "alac", "enda", "dac3", "dec3", "\0\0\0\0"}),
}
"""The boxes that may stand in each box; those of a sample entry of sound are in `SOUND`."""

SOUND = frozenset({"esds", "alac", "dfLa", "dOps", "dac3", "dec3", "damr", "pcmC", "chan", "chnl", "btrt", "wave"})
VIDEO_ENTRY_BYTES, NAME_BEGINS, NAME_END = 78, 42, 74
SOUND_ENTRY_BYTES = {0: 28, 1: 44, 2: 64}
"""By the version of a sample entry (QuickTime File Format, sound sample descriptions)."""

BRANDS = frozenset(
    {b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"avc1", b"mp41", b"mp42", b"qt  ", b"M4A ", b"M4V ", b"dby1"}
)
FIXED = {
    "vmhd": {12}, "smhd": {8}, "btrt": {12}, "pasp": {8}, "fiel": {2}, "enda": {2}, "frma": {4}, "damr": {9},
    "pcmC": {6}, "dac3": {3}, "colr": {10, 11}, "alac": {28, 52}, "\0\0\0\0": {0}, "wide": {0}, "chan": {16},
    "mvhd": {100, 112}, "tkhd": {84, 96}, "mdhd": {24, 36},
}  # fmt: skip
"""The lengths that the body of a box may have."""

LISTS = {"stts": (8, 8), "ctts": (8, 8), "stss": (8, 4), "stsc": (8, 12), "stco": (8, 4), "co64": (8, 8)}
"""The bytes before the entries and of each entry; a 32-bit count stands before the first."""

SHORT = {"dec3": 16, "dOps": 280, "chnl": 80, "sgpd": 64, "sbgp": 1 << 20}
TEXTS = {
    "hdlr": re.compile(
        rb"\0{4}(\0{4}|mhlr|dhlr)(vide|soun|url )\0{12}(VideoHandler\0|SoundHandler\0|\x0cVideoHandler|"
        rb"\x0cSoundHandler|\x0bDataHandler)"
    ),
    "dref": re.compile(rb"\0{7}\x01\0\0\0\x0curl \0\0\0\x01"),
    "meta": re.compile(
        rb"\0{7}\x21hdlr\0{8}mdirappl\0{9}\0\0\0[\x08-\x40]ilst"
        rb"(\0\0\0[\x18-\x38]\xa9too\0\0\0[\x10-\x30]data\0\0\0\x01\0{4}Lavf[\d.]{0,16})?"
    ),
}
"""Boxes in which text could stand, with the contents that the muxer gives them."""


class Box(NamedTuple):
    """A box: its name, where it and its body begin, and where it ends."""

    name: str
    start: int
    begins: int
    end: int


def check(window: Window) -> None:
    """Raises `StrayError` for a box, or contents of one, that the muxer does not write, and for bytes of no sample."""
    tracks: list[dict[str, Box]] = []
    media: list[Box] = []
    for box in _walk(window, "", 0, window.size):
        if box.name == "trak":
            tracks.append({})
        elif box.name == "mdat":
            media.append(box)
        elif tracks:
            tracks[-1].setdefault(box.name, box)
    bodies = [(box.begins, box.end) for box in media]
    tables = [{name: (b.begins, b.end) for name, b in track.items()} for track in tracks]
    iso_samples.check(window, tables, bodies)


def _walk(window: Window, parent: str, begins: int, end: int) -> Iterator[Box]:
    """Every box in [begins, end) and below, checked, the outer ones first."""
    for box in _boxes(window, begins, end):
        allowed = CHILDREN.get(parent, SOUND)
        require(box.name in allowed, f"box {name_of(box.name.encode('latin-1'))} in {parent or 'the file'}", box.start)
        yield box
        if box.name in CHILDREN and box.name != "avc1":
            yield from _walk(window, box.name, box.begins, box.end)
        elif box.name == "stsd":
            yield from _sample_entries(window, box)
        elif box.name != "mdat":
            _check_leaf(window, box)


def _boxes(window: Window, begins: int, end: int) -> Iterator[Box]:
    """The boxes in the bytes [begins, end), which they must fill."""
    at = begins
    while at < end:
        require(at + 8 <= end, "trailing bytes", at)
        length, name, header = window.number(at, 4), window.at(at + 4, 4).decode("latin-1"), 8
        if length == 1:
            length, header = window.number(at + 8, 8), 16
        require(header <= length <= end - at, f"bytes that are no box, behind {at - begins} bytes of boxes", at)
        yield Box(name, at, at + header, at + length)
        at += length


def _sample_entries(window: Window, box: Box) -> Iterator[Box]:
    """The boxes of the one or two sample entries of a track."""
    require(window.at(box.begins, 4) == bytes(4), "a version of stsd", box.begins)
    for entry in _boxes(window, box.begins + 8, box.end):
        yield entry
        body = window.at(entry.begins, min(entry.end - entry.begins, VIDEO_ENTRY_BYTES))
        if entry.name == "avc1":
            require(len(body) == VIDEO_ENTRY_BYTES, "a sample entry that is cut short", entry.start)
            require(not any(body[NAME_BEGINS:NAME_END]), "a compressor's name", entry.start)
            yield from _walk(window, "avc1", entry.begins + VIDEO_ENTRY_BYTES, entry.end)
        else:
            version = int.from_bytes(body[8:10], "big")
            require(version in SOUND_ENTRY_BYTES and not any(body[10:16]), "a vendor of a sample entry", entry.start)
            yield from _walk(window, "sound", entry.begins + SOUND_ENTRY_BYTES[version], entry.end)


def _check_leaf(window: Window, box: Box) -> None:
    """Raises `StrayError` for a box that holds other than what the muxer writes into it."""
    name, length = box.name, box.end - box.begins
    shown = f"contents of box {name_of(name.encode('latin-1'))}"
    if name == "free":
        check_zeros(window, box.begins, length, shown)
        return
    if name == "stsz" or name in LISTS:
        before, each = LISTS.get(name, (12, 4))
        count = window.number(box.begins + before - 4, 4)
        fixed = name == "stsz" and window.number(box.begins + 4, 4) > 0
        require(length == before + (0 if fixed else each * count), shown, box.start)
        return
    body = window.at(box.begins, length)
    if name in FIXED:
        require(length in FIXED[name], shown, box.start)
        if name in {"mvhd", "tkhd", "mdhd"}:
            require(not any(body[4 : 20 if body[0] else 12]), "a time of creation", box.start)
    elif name in TEXTS:
        require(TEXTS[name].fullmatch(body) is not None, shown, box.start)
    elif name == "ftyp":
        brands = {body[:4], *(body[at : at + 4] for at in range(8, length, 4))}
        require(brands <= BRANDS and body[4:8] in {bytes(4), b"\0\0\2\0"}, shown, box.start)
    elif name == "esds":
        check_esds(body, box.start)
    elif name == "avcC":
        check_avcc(body, box.start)
    elif name == "dfLa":
        require(body[:4] == bytes(4), shown, box.start)
        check_flac_blocks(body[4:], box.start)
    elif name == "elst":
        each = 20 if body[0] else 12
        require(length == 8 + each * int.from_bytes(body[4:8], "big"), shown, box.start)
    elif name == "mp4a":
        require(body == bytes(4), shown, box.start)
    else:
        require(length <= SHORT[name], shown, box.start)
