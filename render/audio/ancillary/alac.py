"""ALAC: the configuration cut to its fields, and packets proven to hold nothing but channel elements.

FFmpeg's decoder refuses a packet with data or fill elements, and one that ends before its end tag. So a packet that
decodes whole, and does not without its last byte, holds sound alone.
"""

from collections.abc import Iterator

import av
from av.audio.codeccontext import AudioCodecContext
from av.packet import Packet

from veridact.render.audio.ancillary.bits import UnreadableError

_COOKIE_BYTES = 36


def configuration(header: bytes | None) -> bytes:
    """The 24 bytes of ALACSpecificConfig in their box, without the channel layout and whatever else may follow."""
    data = header or b""
    if len(data) < _COOKIE_BYTES or data[4:8] != b"alac":
        raise UnreadableError("its header is no ALAC configuration")
    return _COOKIE_BYTES.to_bytes(4, "big") + b"alac" + bytes(4) + data[12:_COOKIE_BYTES]


def clean(header: bytes | None, packets: Iterator[bytes]) -> Iterator[tuple[bytes, int]]:
    """Every packet as it is; raises `UnreadableError` for one that may hold more than sound."""
    decoder = av.CodecContext.create("alac", "r")
    decoder.extradata = configuration(header)
    decoder.thread_count = 1
    for packet in packets:
        if not _decodes(decoder, packet) or _decodes(decoder, packet[:-1]):
            raise UnreadableError("an ALAC packet holds more than its channels")
        yield packet, 0


def _decodes(decoder: AudioCodecContext, data: bytes) -> bool:
    """Whether a packet decodes; no packet depends on another."""
    try:
        return bool(data) and bool(decoder.decode(Packet(data)))
    except av.FFmpegError:
        return False
