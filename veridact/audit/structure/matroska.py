"""Matroska: the elements that FFmpeg's muxer writes, each where it belongs (RFC 9559, RFC 8794)."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from veridact.audit.structure.codec_headers import check_avcc, check_flac_blocks, check_h264_sample, check_vorbis
from veridact.audit.structure.window import Window, check_zeros, require

SEGMENT, INFO, TRACKS, TRACK, CUES, CLUSTER, TAGS = (
    0x18538067, 0x1549A966, 0x1654AE6B, 0xAE, 0x1C53BB6B, 0x1F43B675, 0x1254C367,
)  # fmt: skip
VOID, CRC, CODEC_ID, CODEC_PRIVATE, NUMBER, SIMPLE_BLOCK, BLOCK = 0xEC, 0xBF, 0x86, 0x63A2, 0xD7, 0xA3, 0xA1
CHILDREN: dict[int, frozenset[int]] = {
    0: frozenset({0x1A45DFA3, SEGMENT}),
    0x1A45DFA3: frozenset({0x4282, 0x4285, 0x4286, 0x4287, 0x42F2, 0x42F3, 0x42F7}),
    SEGMENT: frozenset({0x114D9B74, INFO, TRACKS, CUES, CLUSTER, TAGS}),
    0x114D9B74: frozenset({0x4DBB}),
    0x4DBB: frozenset({0x53AB, 0x53AC}),
    INFO: frozenset({0x2AD7B1, 0x4489, 0x4D80, 0x5741}),
    TRACKS: frozenset({TRACK}),
    TRACK: frozenset(
        {
            NUMBER, 0x73C5, 0x83, 0x88, 0x55AA, 0x55AE, 0x9C, 0x22B59C, CODEC_ID, CODEC_PRIVATE, 0x56AA, 0x56BB,
            0x23E383, 0x55EE, 0xE0, 0xE1, 0xB9,
        }
    ),
    0xE0: frozenset({0xB0, 0xBA, 0x54B0, 0x54BA, 0x54B2, 0x9A, 0x9D, 0x53C0, 0x55B0, 0x7670, 0x2EB524}),
    0x55B0: frozenset({0x55B1, 0x55B2, 0x55B7, 0x55B8, 0x55B9, 0x55BA, 0x55BB}),
    0x7670: frozenset({0x7671, 0x7673, 0x7674, 0x7675}),
    0xE1: frozenset({0xB5, 0x78B5, 0x9F, 0x6264}),
    CUES: frozenset({0xBB}),
    0xBB: frozenset({0xB3, 0xB7}),
    0xB7: frozenset({0xF7, 0xF1, 0xF0, 0xB2}),
    CLUSTER: frozenset({0xE7, SIMPLE_BLOCK, 0xA0, 0xAB}),
    0xA0: frozenset({BLOCK, 0x9B, 0xFB, 0x75A2}),
    TAGS: frozenset({0x7373}),
    0x7373: frozenset({0x63C0, 0x67C8}),
    0x63C0: frozenset({0x63C5}),
    0x67C8: frozenset({0x45A3, 0x4487}),
}  # fmt: skip
"""The elements that may stand in each element, 0 for the file; Void and CRC-32 may stand in any."""

NAMES = {
    0x1941A469: "Attachments", 0x1043A770: "Chapters", 0x536E: "Name", 0x7BA9: "Title", 0x73A4: "SegmentUUID",
    0x4461: "DateUTC", 0x75A1: "BlockAdditions", 0x258688: "CodecName", 0x7446: "AttachmentLink",
}  # fmt: skip
TEXTS = {
    0x4282: re.compile(rb"matroska"),
    0x4D80: re.compile(rb"Lavf[\d.]*"),
    0x5741: re.compile(rb"Lavf[\d.]*"),
    0x22B59C: re.compile(rb"[a-z]{3}"),
    CODEC_ID: re.compile(rb"[VA]_[A-Z0-9/_.]{1,30}"),
    0x45A3: re.compile(rb"DURATION"),
    0x4487: re.compile(rb"\d\d:\d\d:\d\d\.\d{9}\0*"),
}
"""Elements of text, with the values that the muxer writes; of the tags only the duration of a track."""

NUMBER_BYTES = 8
MAX_CONFIG_BYTES = 1024
H264 = b"V_MPEG4/ISO/AVC"


class Element(NamedTuple):
    """An EBML element: its ID, and where it, its body and the next element begin."""

    identifier: int
    start: int
    begins: int
    end: int


def check(window: Window) -> None:
    """Raises `StrayError` for an element that the muxer does not write there, and for a block of no track."""
    codecs: dict[int, bytes] = {}
    track = 0
    for element in _walk(window, 0, 0, window.size):
        match element.identifier:
            case 0xD7:
                track = window.number(element.begins, element.end - element.begins)
            case 0x86:
                codecs[track] = window.at(element.begins, element.end - element.begins)
            case 0x63A2:
                body = window.at(element.begins, element.end - element.begins)
                _check_private(codecs.get(track, b""), body, element.start)
            case 0xA3 | 0xA1:
                _check_block(window, element, codecs)


def _walk(window: Window, parent: int, begins: int, end: int) -> Iterator[Element]:
    """Every element in [begins, end) and below, checked, the outer ones first."""
    for element in _elements(window, begins, end):
        identifier, length = element.identifier, element.end - element.begins
        name = f"element {NAMES.get(identifier, f'{identifier:X}')}"
        if identifier == VOID:
            check_zeros(window, element.begins, length, "contents of Void")
            continue
        if identifier == CRC:
            require(length == 4, "contents of CRC-32", element.start)
            continue
        require(identifier in CHILDREN[parent], name, element.start)
        yield element
        if identifier in CHILDREN:
            yield from _walk(window, identifier, element.begins, element.end)
        elif identifier in TEXTS:
            require(length <= MAX_CONFIG_BYTES, name, element.start)
            good = TEXTS[identifier].fullmatch(window.at(element.begins, length))
            require(good is not None, f"contents of {name}", element.start)
        elif identifier not in {SIMPLE_BLOCK, BLOCK, CODEC_PRIVATE}:
            require(length <= NUMBER_BYTES, f"contents of {name}", element.start)


def _elements(window: Window, begins: int, end: int) -> Iterator[Element]:
    """The elements in the bytes [begins, end), which they must fill."""
    at = begins
    while at < end:
        identifier, body = _variable(window, at, end, 4, False)
        length, body = _variable(window, body, end, 8, True)
        require(length <= end - body, "an element that leads out of its parent, or trailing bytes", at)
        yield Element(identifier, at, body, body + length)
        at = body + length


def _variable(window: Window, at: int, end: int, most: int, masked: bool) -> tuple[int, int]:
    """An EBML variable-size integer of up to `most` bytes, with or without its length marker, and the offset behind."""
    first = window.at(at, 1)[0]
    length = 9 - first.bit_length()
    require(length <= most and at + length <= end, "bytes that are no element", at)
    value = window.number(at, length)
    return (value & (1 << 7 * length) - 1 if masked else value), at + length


def _check_private(codec: bytes, body: bytes, at: int) -> None:
    """Raises `StrayError` for a codec's configuration that holds more than decoding needs."""
    if codec == H264:
        check_avcc(body, at)
    elif codec == b"A_FLAC":
        require(body[:4] == b"fLaC", "a FLAC configuration of another form", at)
        check_flac_blocks(body[4:], at)
    elif codec == b"A_VORBIS":
        check_vorbis(body, at)
    else:
        require(len(body) <= MAX_CONFIG_BYTES, "a long codec configuration", at)


def _check_block(window: Window, element: Element, codecs: dict[int, bytes]) -> None:
    """Raises `StrayError` for a block of no track, with lacing, or with stray NAL units."""
    track, at = _variable(window, element.begins, element.end, 8, True)
    require(track in codecs, "a block of no track", element.start)
    require(at + 3 <= element.end and not window.at(at + 2, 1)[0] & 0x06, "a block with lacing", element.start)
    if codecs[track] == H264:
        check_h264_sample(window, at + 3, element.end - at - 3)
