"""FLAC, Ogg and MP3: frames and pages from the first byte to the last, and headers without comments."""

from veridact.audit.structure.codec_headers import VORBIS_MARK, check_comments, check_flac_blocks
from veridact.audit.structure.window import Window, require

PAGE_HEADER_BYTES = 27
MAX_HEADER_BYTES = 1 << 20
CONTINUED, FIRST = 1, 2
MPEG1_KBITS = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
}
MPEG2_KBITS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
RATES_HZ = (44100, 48000, 32000)
FLAC_CRC = 0x8005
STREAMINFO_BEGINS = 8
LONGEST_FRAME_BYTES = 1 << 18
"""Where STREAMINFO does not give it."""


def check_flac(window: Window) -> None:
    """Raises `StrayError` for metadata beside STREAMINFO, and for bytes behind the last frame (RFC 9639)."""
    require(window.at(0, 4) == b"fLaC", "no FLAC", 0)
    at, last = 4, False
    while not last:
        last = bool(window.at(at, 1)[0] & 0x80)
        at += 4 + window.number(at + 1, 3)
    check_flac_blocks(window.at(4, at - 4), 4)
    longest = window.number(STREAMINFO_BEGINS + 7, 3) or LONGEST_FRAME_BYTES
    begins = max(at, window.size - longest)
    tail = window.at(begins, window.size - begins)
    start = len(tail)
    while (start := tail.rfind(b"\xff", 0, start)) >= 0:
        if tail[start + 1 : start + 2] in {b"\xf8", b"\xf9"} and _flac_crc(tail[start:]) == 0:
            return
    require(at == window.size, "bytes behind the last frame", begins)


def _flac_crc(frame: bytes) -> int:
    """The CRC-16 of a frame, 0 where its own stands at its end (RFC 9639 §9.3)."""
    crc = 0
    for byte in frame:
        crc = (crc << 8 & 0xFFFF) ^ _CRC_TABLE[crc >> 8 ^ byte]
    return crc


def _crc_of_byte(byte: int) -> int:
    crc = byte << 8
    for _ in range(8):
        crc = (crc << 1 ^ (FLAC_CRC if crc & 0x8000 else 0)) & 0xFFFF
    return crc


_CRC_TABLE = [_crc_of_byte(byte) for byte in range(256)]


def check_mp3(window: Window) -> None:
    """Raises `StrayError` for whatever is no frame of MPEG audio: ID3, APE and Lyrics tags, text (ISO/IEC 11172-3)."""
    at = 0
    while at < window.size:
        require(at + 4 <= window.size, "trailing bytes", at)
        length = _mpeg_frame_bytes(window.at(at, 4))
        require(length > 0, f"bytes that are no frame ({_tag_name(window.at(at, 3))})", at)
        at += length
    require(at == window.size, "a frame that is cut short", min(at, window.size))


def _tag_name(begin: bytes) -> str:
    return {b"ID3": "an ID3 tag", b"TAG": "an ID3 tag", b"APE": "an APE tag"}.get(begin, "no tag")


def _mpeg_frame_bytes(header: bytes) -> int:
    """The length of a frame with that header, 0 for a header of none."""
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    bitrate, rate = header[2] >> 4, header[2] >> 2 & 3
    if header[0] != 0xFF or header[1] < 0xE0 or version == 1 or layer not in MPEG1_KBITS or rate == 3:
        return 0
    if bitrate in {0, 15}:
        return 0
    kbits = MPEG1_KBITS[layer][bitrate] if version == 3 else MPEG2_KBITS[bitrate]
    hz = RATES_HZ[rate] >> {3: 0, 2: 1, 0: 2}[version]
    samples = 576 if layer == 3 and version != 3 else 1152
    return samples // 8 * kbits * 1000 // hz + (header[2] >> 1 & 1)


def check_ogg(window: Window) -> None:
    """Raises `StrayError` for bytes between or behind pages, and for comments in a stream's headers (RFC 3533)."""
    at, packets = 0, dict[int, list[bytes]]()
    sequence: dict[int, int] = {}
    while at < window.size:
        head = window.at(at, min(PAGE_HEADER_BYTES, window.size - at))
        require(head[:5] == b"OggS\0" and len(head) == PAGE_HEADER_BYTES, "bytes that are no page", at)
        lacing = window.at(at + PAGE_HEADER_BYTES, head[26])
        serial, number = int.from_bytes(head[14:18], "little"), int.from_bytes(head[18:22], "little")
        require((serial not in sequence) == bool(head[5] & FIRST), "a page of no stream", at)
        require(number == sequence.get(serial, -1) + 1, "pages out of order", at)
        sequence[serial] = number
        body = at + PAGE_HEADER_BYTES + len(lacing)
        kept = packets.setdefault(serial, [b""])
        if len(kept) < 3:
            _collect(kept, window.at(body, sum(lacing)), lacing)
            require(sum(map(len, kept)) <= MAX_HEADER_BYTES, "long headers", at)
        at = body + sum(lacing)
    for kept in packets.values():
        _check_headers(kept[:-1])


def _collect(kept: list[bytes], body: bytes, lacing: bytes) -> None:
    """Adds the segments of a page to packets, the last of which is open."""
    position = 0
    for length in lacing:
        kept[-1] += body[position : position + length]
        position += length
        if length < 255:
            kept.append(b"")


def _check_headers(packets: list[bytes]) -> None:
    """Raises `StrayError` for comments in the second packet of a stream, where all codecs have them."""
    require(len(packets) >= 2, "a stream without headers", 0)
    first, second = packets[:2]
    if first[:8] == b"OpusHead":
        require(second[:8] == b"OpusTags", "headers of another form", 0)
        check_comments(second[8:], 0)
    elif first[:7] == b"\1vorbis":
        require(second[:7] == b"\3vorbis", "headers of another form", 0)
        check_comments(second[VORBIS_MARK:], 0)
    elif first[:5] == b"\x7fFLAC":
        check_flac_blocks(bytes([first[13] | 0x80]) + first[14:], 0)
        check_flac_blocks(bytes([second[0] | 0x80]) + second[1:], 0)
    else:
        check_comments(second, 0)
