"""AC-3 and E-AC-3: time codes, additional information and auxiliary data (ETSI TS 102 366 §4.3, §4.4 and annex E).

frame       sync crc1 | bsi … addbsi | audio blocks | auxiliary bits, length(14), in use(1) | crcrsv(1) crc2(16)
"""

from collections.abc import Iterator

from veridact.render.audio.ancillary.ac3_blocks import Blocks
from veridact.render.audio.ancillary.bits import BitReader, UnreadableError, changed_bytes, clear, crc16, crc16_prefix

_SYNC = b"\x0b\x77"
_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
_LAST_BSID = 10
_ALTERNATE_SYNTAX_BSID = 6
_HEADER_BYTES = 7
_TAIL_BITS = 18
"""auxdatae, crcrsv and crc2, which end every frame."""


def configuration(header: bytes | None) -> None:
    """No header: a packet describes itself."""


def _frame_bytes(data: bytes, at: int) -> int:
    """The length of the frame at `at`; raises `UnreadableError` where it is none that is known."""
    if len(data) - at < 8 or data[at : at + 2] != _SYNC or data[at + 5] >> 3 > _LAST_BSID:
        raise UnreadableError("a packet is no AC-3 frame")
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


def _low(frame: bytes) -> int:
    """Whether an AC-3 frame has a low-frequency channel."""
    mode = frame[6] >> 5
    return BitReader(frame, 51 + 2 * (mode & 1 and mode != 1) + 2 * bool(mode & 4) + 2 * (mode == 2)).take(1)


def _ranges(bits: BitReader) -> Iterator[tuple[int, int]]:
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
    bits = BitReader(before)
    for start, end in _ranges(bits):
        clear(frame, start, end)
    start, end = _auxiliary(before)
    blocks = Blocks(before, bits.position, frame[4] >> 6, frame[6] >> 5, _low(before))
    for skipped in blocks.skipped:
        clear(frame, *skipped)
    if blocks.end > start:
        raise UnreadableError("the audio blocks of an AC-3 frame reach into its auxiliary data")
    clear(frame, blocks.end, end)
    if frame == before:
        return
    middle = ((len(frame) >> 2) + (len(frame) >> 4)) * 2
    frame[2:4] = crc16_prefix(frame[4:middle]).to_bytes(2, "big")
    checksum = crc16(frame[middle:-2])
    if checksum == int.from_bytes(_SYNC, "big"):  # crcrsv keeps the sync word out of crc2
        frame[-3] ^= 1
        checksum = crc16(frame[middle:-2])
    frame[-2:] = checksum.to_bytes(2, "big")


def clean(header: bytes | None, packets: Iterator[bytes]) -> Iterator[tuple[bytes, int]]:
    """Every packet, of one or more frames, with zeros for what no decoder needs; and how many bytes that changed.

    Bytes of checksums are counted too.
    """
    for packet in packets:
        data, at = bytearray(packet), 0
        while at == 0 or packet[at : at + 2] == _SYNC:
            end = at + _frame_bytes(packet, at)
            if end > len(packet):  # cut short at the end of a recording: no decoder reads more than its header
                data[at + _HEADER_BYTES :] = bytes(len(data) - at - _HEADER_BYTES)
                at = len(data)
                break
            frame = data[at:end]
            try:
                _clean_frame(frame)
            except UnreadableError:
                if not crc16(frame[2:]):
                    raise
                frame[_HEADER_BYTES:] = bytes(len(frame) - _HEADER_BYTES)  # damaged: its checksum says so
            data[at:end] = frame
            at = end
        data[at:] = bytes(len(data) - at)
        yield bytes(data), changed_bytes(packet, data)
