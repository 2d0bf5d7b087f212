"""MP3: what lies between the main data of one frame and that of the next (ISO/IEC 11172-3 §2.4.1.7 and annex C.1.5.4).

    frames      |header side|.....data.....|header side|.....data.....|
    main data            <── frame 1 ──>  anc  <── frame 2 ──>  anc

The main data of a frame begins `main_data_begin` bytes before its own data area, headers not counted, and is as long as
its granules say. No other byte of a data area is decoded: there encoders write their name, and broadcasters text.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from veridact.render.audio.ancillary.bits import BitReader, UnreadableError, changed_bytes, clear, crc16

_KBPS = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates of layer III in kbit/s by index, for MPEG-1 and for MPEG-2 and 2.5; index 0 is the free format."""
_RATES_HZ = (44100, 48000, 32000)
_RATE_SHIFT = {3: 0, 2: 1, 0: 2}
_RESERVOIR_BYTES = 511


def configuration(header: bytes | None) -> None:
    """No header: a packet describes itself."""


@dataclass
class _Frame:
    """Where a frame lies in its packet, and what its side information says; `lengths` are bits of main data."""

    start: int
    data_start: int
    end: int
    main_data_begin: int
    bits: int
    private: tuple[int, int]
    protected: bool


@dataclass
class _Packet:
    """A packet not yet complete: `areas` maps positions in the stream of data areas to positions in the packet."""

    original: bytes
    data: bytearray
    areas: list[tuple[int, int, int]] = field(default_factory=list)
    used: list[tuple[int, int]] = field(default_factory=list)


def _frame(data: bytes, at: int) -> _Frame:
    """The frame that begins at byte `at`; one that is cut short has no main data.

    Raises `UnreadableError` where no frame of layer III begins.
    """
    head = int.from_bytes(data[at : at + 4], "big")
    version, index = head >> 19 & 3, head >> 12 & 15
    if len(data) - at < 4 or head >> 21 != 0x7FF or version == 1 or head >> 17 & 3 != 1 or index == 15:
        raise UnreadableError("a packet is no MP3 frame")
    if head >> 10 & 3 == 3:
        raise UnreadableError("an MP3 frame has no sample rate")
    first, mono, protected = version == 3, head >> 6 & 3 == 3, not head >> 16 & 1
    rate_hz = _RATES_HZ[head >> 10 & 3] >> _RATE_SHIFT[version]
    size = (144 if first else 72) * _KBPS[first][index] * 1000 // rate_hz + (head >> 9 & 1)
    end = at + size if index else len(data)
    side = at + 4 + 2 * protected
    side_bytes = (17 if mono else 32) if first else (9 if mono else 17)
    if side + side_bytes > end:
        raise UnreadableError("an MP3 frame has no room for its side information")
    if end > len(data):  # cut short at the end of a recording: no decoder reads more than its header
        return _Frame(at, at + 4, len(data), 0, 0, (at * 8, at * 8), False)
    bits = BitReader(data[side : side + side_bytes])
    main_data_begin = bits.take(9 if first else 8)
    private = (5 if mono else 3) if first else (1 if mono else 2)
    private_start = side * 8 + bits.position
    bits.take(private + (4 if first else 0) * (1 if mono else 2))
    total = 0
    for _ in range((2 if first else 1) * (1 if mono else 2)):
        total += bits.take(12)
        bits.take(47 if first else 51)
    return _Frame(
        at, side + side_bytes, end, main_data_begin, total, (private_start, private_start + private), protected
    )


def _frames(data: bytes) -> Iterator[_Frame]:
    """The frames of a packet: usually one; what follows the last is no frame."""
    at = 0
    while at == 0 or data[at : at + 1] == b"\xff":
        frame = _frame(data, at)
        yield frame
        at = frame.end


def _cleared(packet: _Packet) -> tuple[bytes, int]:
    """The packet with zeros wherever no main data lies."""
    kept = bytearray(len(packet.data))
    for start, begin, end in packet.areas:
        for first, last in packet.used:
            low, high = max(first, start * 8), min(last, (start + end - begin) * 8)
            if low >= high:
                continue
            whole = high // 8
            kept[begin + low // 8 - start : begin + whole - start] = b"\xff" * (whole - low // 8)
            if high % 8:
                kept[begin + whole - start] |= 0xFF00 >> high % 8 & 0xFF
    at = 0
    for _, begin, end in packet.areas:
        kept[at:begin] = b"\xff" * (begin - at)
        at = end
    mask, value = int.from_bytes(kept, "big"), int.from_bytes(packet.data, "big")
    data = (value & mask).to_bytes(len(packet.data), "big")
    return data, changed_bytes(packet.original, data)


def _without_private_bits(data: bytearray, frame: _Frame) -> None:
    """Clears the private bits of header and side information, and makes the checksum over them anew where one is."""
    before = bytes(data[frame.start : frame.data_start])
    clear(data, frame.start * 8 + 23, frame.start * 8 + 24)
    clear(data, *frame.private)
    if frame.protected and before != data[frame.start : frame.data_start]:
        checked = data[frame.start + 2 : frame.start + 4] + data[frame.start + 6 : frame.data_start]
        data[frame.start + 4 : frame.start + 6] = crc16(checked, 0xFFFF).to_bytes(2, "big")


def clean(header: bytes | None, packets: Iterator[bytes]) -> Iterator[tuple[bytes, int]]:
    """Every packet with zeros outside of main data, and how many bytes that changed.

    A packet is given out once no later frame can have main data in it, which is a few packets on.
    """
    waiting: deque[_Packet] = deque()
    position = 0  # of the next data area in the stream of all data areas, in bytes
    for original in packets:
        packet = _Packet(original, bytearray(original))
        waiting.append(packet)
        for frame in _frames(original):
            start = position - frame.main_data_begin
            for earlier in waiting:
                earlier.used.append((start * 8, start * 8 + frame.bits))
            packet.areas.append((position, frame.data_start, frame.end))
            position += frame.end - frame.data_start
            _without_private_bits(packet.data, frame)
        while (
            waiting[0].areas[-1][0] + waiting[0].areas[-1][2] - waiting[0].areas[-1][1] <= position - _RESERVOIR_BYTES
        ):
            yield _cleared(waiting.popleft())
    while waiting:
        yield _cleared(waiting.popleft())
