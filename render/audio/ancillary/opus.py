"""Opus: the identification header cut to its fields (RFC 7845 §5.1), and the padding of packets (RFC 6716 §3.2.5)."""

from collections.abc import Iterator

from veridact.render.audio.ancillary.bits import UnreadableError, changed_bytes

_MAGIC = b"OpusHead"
_FIXED_BYTES = 19
_FAMILIES = frozenset({0, 1, 2, 255})
"""The channel mapping families whose table is a stream count, a coupled count and one byte a channel."""


def configuration(header: bytes | None) -> bytes:
    """OpusHead without what follows its channel mapping; raises `UnreadableError` for another layout."""
    if header is None or len(header) < _FIXED_BYTES or header[:8] != _MAGIC or header[8] >> 4:
        raise UnreadableError("its header is no OpusHead")
    family, channels = header[18], header[9]
    if family not in _FAMILIES:
        raise UnreadableError(f"its channel mapping family {family} is not known")
    size = _FIXED_BYTES + (2 + channels if family else 0)
    if len(header) < size:
        raise UnreadableError("its OpusHead is cut short")
    return header[:size]


def _length(data: bytes, at: int) -> tuple[int, int]:
    """A frame length of one or two bytes (RFC 6716 §3.2.1) and the position after it."""
    if at >= len(data) or (data[at] >= 252 and at + 1 >= len(data)):
        raise UnreadableError("an Opus packet ends within its frame lengths")
    return (data[at], at + 1) if data[at] < 252 else (data[at] + 4 * data[at + 1], at + 2)


def _padding(data: bytes, at: int, delimited: bool) -> tuple[int, int]:
    """The half-open range of the padding in the Opus packet that begins at `at`.

    A self-delimited packet (RFC 6716 appendix B) ends where its padding ends; any other at the end of `data`.
    """
    if at >= len(data):
        raise UnreadableError("an Opus packet has fewer streams than its header says")
    code = data[at] & 3
    at += 1
    count, variable, padding = (1, False, 0) if code == 0 else (2, code == 2, 0)
    if code == 3:
        if at >= len(data):
            raise UnreadableError("an Opus packet ends within its header")
        count, variable, padded = data[at] & 63, bool(data[at] >> 7), data[at] >> 6 & 1
        at += 1
        while padded:
            if at >= len(data):
                raise UnreadableError("an Opus packet ends within its padding length")
            padded = data[at] == 255
            padding += 254 if padded else data[at]
            at += 1
    sizes = []
    for _ in range(count - 1 if variable else 0):
        size, at = _length(data, at)
        sizes.append(size)
    if not delimited:
        end = len(data)
        if at + sum(sizes) + padding > end:
            raise UnreadableError("an Opus packet is shorter than its frames and padding")
        return end - padding, end
    size, at = _length(data, at)
    end = at + (sum(sizes) + size if variable else count * size) + padding
    if end > len(data):
        raise UnreadableError("an Opus packet is shorter than its frames and padding")
    return end - padding, end


def clean(header: bytes | None, packets: Iterator[bytes]) -> Iterator[tuple[bytes, int]]:
    """Every packet with zeros for padding, and how many bytes that changed."""
    head = configuration(header)
    streams = head[19] if head[18] else 1
    for packet in packets:
        data, at = bytearray(packet), 0
        for number in range(streams):
            start, at = _padding(packet, at, number < streams - 1)
            data[start:at] = bytes(at - start)
        yield bytes(data), changed_bytes(packet, data)
