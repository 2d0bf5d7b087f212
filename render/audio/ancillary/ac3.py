"""AC-3 and E-AC-3: time codes, additional information and auxiliary data (ETSI TS 102 366 §4.3, §4.4 and annex E).

frame       sync crc1 | bsi … addbsi | audio blocks | auxiliary bits, length(14), in use(1) | crcrsv(1) crc2(16)
"""

from collections.abc import Iterator

from veridact.render.audio.ancillary.bits import BitReader, UnreadableError, changed_bytes, clear, crc16, crc16_prefix

_SYNC = b"\x0b\x77"
_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
_LAST_AC3_BSID, _LAST_BSID = 10, 16
_ALTERNATE_SYNTAX_BSID = 6
_TAIL_BITS = 18
"""auxdatae, crcrsv (encinfo) and crc2, which end every frame."""


def configuration(header: bytes | None) -> None:
    """No header: a packet describes itself."""


def _frame_bytes(data: bytes, at: int) -> int:
    """The length of the frame at `at`; raises `UnreadableError` where it is none that is known."""
    if len(data) - at < 8 or data[at : at + 2] != _SYNC or data[at + 5] >> 3 > _LAST_BSID:
        raise UnreadableError("a packet is no AC-3 frame")
    if data[at + 5] >> 3 > _LAST_AC3_BSID:
        return 2 * ((data[at + 2] & 7) << 8 | data[at + 3]) + 2
    rate, code = data[at + 4] >> 6, data[at + 4] & 63
    if rate == 3 or code >> 1 >= len(_KBPS):
        raise UnreadableError("an AC-3 frame has no known size")
    kbps = _KBPS[code >> 1]
    return 2 * (kbps * 2, kbps * 320 // 147 + (code & 1), kbps * 3)[rate]


def _optional_text(bits: BitReader, width: int) -> Iterator[tuple[int, int]]:
    """A flag, and the range of the `width` bits that follow where it is set."""
    if bits.take(1):
        yield bits.position, bits.position + width
        bits.take(width)


def _additional(bits: BitReader) -> Iterator[tuple[int, int]]:
    """The range of addbsi, where there is one."""
    if bits.take(1):
        size = 8 * (bits.take(6) + 1)
        yield bits.position, bits.position + size
        bits.take(size)


def _ac3_ranges(bits: BitReader) -> Iterator[tuple[int, int]]:
    """The bits of an AC-3 frame's bsi that no decoder needs: language codes, time codes, xbsi2, addbsi."""
    bits.position = 40
    bsid = bits.take(5)
    bits.take(3)
    mode = bits.take(3)
    bits.take(2 * (mode & 1 and mode != 1) + 2 * bool(mode & 4) + 2 * (mode == 2) + 1)
    for _ in range(2 if mode == 0 else 1):
        bits.take(5)
        bits.optional(8)
        yield from _optional_text(bits, 8)
        bits.optional(7)
    bits.take(2)
    if bsid == _ALTERNATE_SYNTAX_BSID:
        bits.optional(14)
        if bits.take(1):
            bits.take(5)
            yield bits.position, bits.position + 9
            bits.take(9)
    else:
        yield from _optional_text(bits, 14)
        yield from _optional_text(bits, 14)
    yield from _additional(bits)


def _eac3_ranges(bits: BitReader) -> Iterator[tuple[int, int]]:
    """The bits of an E-AC-3 frame's bsi that no decoder needs: addbsi."""
    bits.position = 16
    kind = bits.take(2)
    bits.take(3 + 11)
    rate = bits.take(2)
    blocks = bits.take(2) if rate != 3 else bits.take(2) * 0 + 3
    mode, low = bits.take(3), bits.take(1)
    bits.take(5)
    for _ in range(2 if mode == 0 else 1):
        bits.take(5)
        bits.optional(8)
    if kind == 1:
        bits.optional(16)
    if bits.take(1):
        _mixing(bits, kind, mode, low, blocks)
    if bits.take(1):
        bits.take(5 + 4 * (mode == 2) + 2 * (mode >= 6))
        for _ in range(2 if mode == 0 else 1):
            bits.optional(8)
        bits.take(int(rate < 3))
    if kind == 0 and blocks != 3:
        bits.take(1)
    if kind == 2 and (blocks == 3 or bits.take(1)):
        bits.take(6)
    yield from _additional(bits)


def _mixing(bits: BitReader, kind: int, mode: int, low: int, blocks: int) -> None:
    """Skips the mixing metadata of an E-AC-3 frame (annex E, table E.1.2)."""
    bits.take(2 * (mode > 2) + 6 * (mode & 1 and mode > 2) + 6 * bool(mode & 4))
    if low:
        bits.optional(5)
    if kind != 0:
        return
    for _ in range(3 if mode == 0 else 2):
        bits.optional(6)
    definition = bits.take(2)
    if definition == 3:
        bits.take(8 * (bits.take(5) + 2))
    else:
        bits.take((0, 5, 12)[definition])
    for _ in range((2 if mode == 0 else 1) if mode < 2 else 0):
        bits.optional(14)
    if bits.take(1):
        if blocks == 0:
            bits.take(5)
        else:
            for _ in range((1, 2, 3, 6)[blocks]):
                bits.optional(5)


def _auxiliary(frame: bytes) -> tuple[int, int]:
    """The range of the auxiliary data before its length, which stands at the end of the frame; empty where it has none.

    Raises `UnreadableError` for a length that the frame has no room for.
    """
    end = len(frame) * 8 - _TAIL_BITS
    bits = BitReader(frame, end)
    if not bits.take(1):
        return end, end
    bits.position = end - 14
    length = bits.take(14)
    if length > end - 14:
        raise UnreadableError("the auxiliary data of an AC-3 frame is longer than the frame")
    return end - 14 - length, end - 14


def _clean_frame(frame: bytearray) -> None:
    """Clears one frame in place, and makes its checksums anew where that changed it."""
    before = bytes(frame)
    extended = frame[5] >> 3 > _LAST_AC3_BSID
    for start, end in (_eac3_ranges if extended else _ac3_ranges)(BitReader(before)):
        clear(frame, start, end)
    clear(frame, *_auxiliary(before))
    if frame == before:
        return
    first = 2
    if not extended:
        first = ((len(frame) >> 2) + (len(frame) >> 4)) * 2
        frame[2:4] = crc16_prefix(frame[4:first]).to_bytes(2, "big")
    checksum = crc16(frame[first:-2])
    if checksum == int.from_bytes(_SYNC, "big"):  # crcrsv keeps the sync word out of crc2
        frame[-3] ^= 1
        checksum = crc16(frame[first:-2])
    frame[-2:] = checksum.to_bytes(2, "big")


def clean(header: bytes | None, packets: Iterator[bytes]) -> Iterator[tuple[bytes, int]]:
    """Every packet, of one or more frames, with zeros for what no decoder needs; and how many bytes that changed.

    Checksums made anew are not counted.
    """
    for packet in packets:
        data, at = bytearray(packet), 0
        changed = 0
        while at == 0 or packet[at : at + 2] == _SYNC:
            end = at + _frame_bytes(packet, at)
            if end > len(packet):
                raise UnreadableError("an AC-3 frame is cut short")
            frame = data[at:end]
            _clean_frame(frame)
            data[at:end] = frame
            at = end
        data[at:] = bytes(len(data) - at)
        changed = changed_bytes(packet, data)
        yield bytes(data), changed
