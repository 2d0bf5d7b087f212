"""FLAC: the stream information alone, and packets proven to end where their sound ends."""

from collections.abc import Iterator

from veridact.render.audio.ancillary.bits import UnreadableError, crc16

_STREAMINFO_BYTES = 34
_MARK = b"fLaC"


def configuration(header: bytes | None) -> bytes:
    """The STREAMINFO block alone (RFC 9639 §8.2), without tags, pictures, application data or padding."""
    data = header or b""
    if data[:4] == _MARK and len(data) >= 8 + _STREAMINFO_BYTES and not data[4] & 0x7F:
        data = data[8 : 8 + int.from_bytes(data[5:8], "big")]
    if len(data) != _STREAMINFO_BYTES:
        raise UnreadableError("its header is no FLAC stream information")
    return data


def clean(header: bytes | None, packets: Iterator[bytes]) -> Iterator[tuple[bytes, int]]:
    """Every packet as it is: the checksum that ends a frame (RFC 9639 §9.3) shows that nothing follows it.

    Raises `UnreadableError` for a packet that does not end with its checksum.
    """
    for packet in packets:
        if len(packet) < 2 or crc16(packet):
            raise UnreadableError("a FLAC packet does not end with its checksum")
        yield packet, 0
