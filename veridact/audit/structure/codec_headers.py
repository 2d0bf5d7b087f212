"""Codec configurations and bitstreams as they may stand in an output: what decoding needs, no text, no padding."""

import re
from collections.abc import Iterator

from veridact.audit.structure.window import Window, require

SPS_EXTENSION_PROFILES = frozenset({100, 110, 122, 144, 244})
SLICE, IDR, SEI, SPS, PPS, DELIMITER = 1, 5, 6, 7, 8, 9
PICTURES = frozenset({SLICE, IDR, SPS, PPS, DELIMITER})
TIMING = frozenset({0, 1, 6, 45})
"""SEI of buffering, picture timing, recovery points and frame packing, which hold numbers only (H.264, annex D)."""

USER_DATA = 5
X264 = re.compile(rb"\xdc\x45\xe9\xbd\xe6\xd9\x48\xb7\x96\x2c\xd8\x20\xd9\x23\xee\xefx264 - core [ -~]{0,2000}\0?")
"""The note on its version that x264 writes, under its own UUID."""

STREAMINFO_BYTES = 34
VENDOR = re.compile(rb"(Lavf|Lavc|ffmpeg|reference libFLAC|libopus|Xiph\.Org libVorbis)[ -~]{0,40}")


def check_avcc(body: bytes, at: int) -> None:
    """An AVCDecoderConfigurationRecord: parameter sets and nothing behind them (ISO/IEC 14496-15, 5.3.3.1)."""
    require(len(body) > 6, "an H.264 configuration that is cut short", at)
    end = _skip_sets(body, 5, 0x1F)
    end = _skip_sets(body, end, 0xFF)
    if body[1] in SPS_EXTENSION_PROFILES and len(body) - end == 4:
        require(body[end + 3] == 0, "parameter sets of another kind", at)
        end += 4
    require(end == len(body), "bytes behind the parameter sets", at)


def _skip_sets(body: bytes, at: int, mask: int) -> int:
    """The offset behind a counted list of parameter sets that begins at `at`."""
    count = body[at] & mask if at < len(body) else 0
    at += 1
    for _ in range(count):
        at += 2 + int.from_bytes(body[at : at + 2], "big")
    return at


def check_h264_sample(window: Window, begins: int, length: int) -> None:
    """Raises `StrayError` for a NAL unit, of 4-byte lengths, that holds no picture (H.264, table 7-1)."""
    at = begins
    while at < begins + length:
        size = window.number(at, 4)
        require(0 < size <= begins + length - at - 4, "a NAL unit that leads out of its sample", at)
        kind = window.at(at + 4, 1)[0] & 0x1F
        if kind == SEI:
            _check_sei(window.at(at + 5, size - 1), at)
        else:
            require(kind in PICTURES, f"NAL unit of type {kind}", at)
        at += 4 + size


def _check_sei(escaped: bytes, at: int) -> None:
    """Raises `StrayError` for supplemental information other than timing and x264's own note."""
    data = escaped.replace(b"\0\0\3", b"\0\0")
    for kind, payload in _sei_messages(data, at):
        good = kind in TIMING or (kind == USER_DATA and X264.fullmatch(payload) is not None)
        require(good, f"supplemental information of type {kind}", at)


def _sei_messages(data: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """The type and payload of each SEI message; raises `StrayError` for bytes behind the last."""
    position = 0
    while data[position:] not in {b"\x80", b""}:
        numbers = []
        for _ in range(2):
            number = 0
            while data[position : position + 1] == b"\xff":
                number, position = number + 255, position + 1
            require(position < len(data), "supplemental information that is cut short", at)
            numbers.append(number + data[position])
            position += 1
        require(position + numbers[1] <= len(data), "supplemental information that is cut short", at)
        yield numbers[0], data[position : position + numbers[1]]
        position += numbers[1]


def check_flac_blocks(body: bytes, at: int) -> None:
    """FLAC metadata blocks: STREAMINFO, and a vendor without comments (RFC 9639 §8)."""
    position, last = 0, False
    while position < len(body):
        require(not last, "bytes behind the FLAC metadata", at)
        last, kind = bool(body[position] & 0x80), body[position] & 0x7F
        length = int.from_bytes(body[position + 1 : position + 4], "big")
        block = body[position + 4 : position + 4 + length]
        require(len(block) == length, "FLAC metadata that is cut short", at)
        if kind == 0:
            require(length == STREAMINFO_BYTES, "a STREAMINFO of another length", at)
        elif kind == 4:
            check_comments(block, at)
        else:
            require(kind == 1 and not any(block), f"FLAC metadata of type {kind}", at)
        position += 4 + length
    require(last, "FLAC metadata without an end", at)


COMMENT = re.compile(rb"encoder=Lav[fc][ -~]{0,40}|language=[a-z]{3}")


def check_comments(body: bytes, at: int) -> None:
    """A Vorbis comment header: a library as the vendor, no comment but a language, zeros behind (Vorbis I, section 5).

    Behind the list may stand a framing bit and zeros.
    """
    vendor, position = _counted(body, 0, at)
    require(not vendor or VENDOR.fullmatch(vendor) is not None, "a vendor that is no library", at)
    count = int.from_bytes(body[position : position + 4], "little")
    position += 4
    for _ in range(count):
        comment, position = _counted(body, position, at)
        require(COMMENT.fullmatch(comment) is not None, "a comment", at)
    require(body[position:] in {b"", b"\1"} or not any(body[position:]), "bytes behind the comments", at)


def _counted(body: bytes, position: int, at: int) -> tuple[bytes, int]:
    """The bytes behind a little-endian 4-byte length, and the offset behind them."""
    begins = position + 4
    end = begins + int.from_bytes(body[position:begins], "little")
    require(begins <= end <= len(body), "a comment that is cut short", at)
    return body[begins:end], end


def check_vorbis(body: bytes, at: int) -> None:
    """A Vorbis configuration, three headers behind their lengths in Xiph lacing (RFC 9559, A_VORBIS)."""
    position, sizes = 1, list[int]()
    for _ in range(2):
        size = 0
        while body[position : position + 1] == b"\xff":
            size, position = size + 255, position + 1
        require(body[:1] == b"\2" and position < len(body), "a Vorbis configuration that is cut short", at)
        sizes.append(size + body[position])
        position += 1
    check_comments(body[position + sizes[0] + VORBIS_MARK : position + sizes[0] + sizes[1]], at)


VORBIS_MARK = 7
"""The bytes of the type and name before each Vorbis header."""

VORBIS_OBJECT = 0xDD
MAX_ASC_BYTES = 64


def check_esds(body: bytes, at: int) -> None:
    """An elementary stream descriptor: the decoder's configuration and nothing behind it (ISO/IEC 14496-1, 7.2.6)."""
    require(body[:4] == bytes(4), "a version of esds", at)
    tag, stream, rest = _descriptor(body[4:], at)
    require((tag, rest) == (3, b"") and not any(stream[2:3]), "bytes behind the stream's description", at)
    tag, decoder, rest = _descriptor(stream[3:], at)
    require(tag == 4 and _descriptor(rest, at) == (6, b"\2", b""), "bytes behind the decoder's description", at)
    if len(decoder) > 13:
        tag, config, rest = _descriptor(decoder[13:], at)
        require((tag, rest) == (5, b""), "bytes behind the decoder's configuration", at)
        if decoder[0] == VORBIS_OBJECT:
            check_vorbis(config, at)
        else:
            require(len(config) <= MAX_ASC_BYTES, "a long codec configuration", at)


def _descriptor(data: bytes, at: int) -> tuple[int, bytes, bytes]:
    """The tag and body of a descriptor, and the bytes behind it."""
    length, position = 0, 1
    while position < len(data):
        length, position = length << 7 | data[position] & 0x7F, position + 1
        if not data[position - 1] & 0x80:
            break
    require(bool(data) and position + length <= len(data), "a descriptor that is cut short", at)
    return data[0], data[position : position + length], data[position + length :]
