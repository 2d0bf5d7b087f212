"""Copying a stream's codec delay into Matroska, which PyAV offers no parameter for.

Matroska stores the number of priming samples in the track header (CodecDelay, RFC 9559 §5.1.4.1), not in packets or
edit lists. A minimal Matroska file in memory is demuxed, and its stream serves as the muxer's template.
"""

import io
import struct

import av
from av.audio.stream import AudioStream

from veridact.media.probe import codec_name

_CODEC_IDS = {
    "aac": "A_AAC",
    "opus": "A_OPUS",
    "mp3": "A_MPEG/L3",
    "ac3": "A_AC3",
    "eac3": "A_EAC3",
    "flac": "A_FLAC",
    "alac": "A_ALAC",
}


def _element(identifier: str, body: bytes) -> bytes:
    """An EBML element (RFC 8794 §4) with an eight-byte size field; `identifier` in hex."""
    return bytes.fromhex(identifier) + (1 << 56 | len(body)).to_bytes(8, "big") + body


def _unsigned(identifier: str, value: int) -> bytes:
    return _element(identifier, value.to_bytes(8, "big"))


def stream_with_codec_delay(source: AudioStream, header: bytes | None, skip_samples: int) -> AudioStream | None:
    """A template stream like `source` whose first `skip_samples` are priming; None for a codec not in `_CODEC_IDS`."""
    identifier = _CODEC_IDS.get(codec_name(source))
    if identifier is None:
        return None
    private = header or b""
    delay_ns = (skip_samples * 1_000_000_000 + source.sample_rate // 2) // source.sample_rate
    audio = _element("b5", struct.pack(">d", source.sample_rate)) + _unsigned("9f", source.channels)
    track = (
        _unsigned("d7", 1)
        + _unsigned("73c5", 1)
        + _unsigned("83", 2)
        + _element("86", identifier.encode())
        + (_element("63a2", private) if private else b"")
        + _unsigned("56aa", delay_ns)
        + _element("e1", audio)
    )
    cluster = _unsigned("e7", 0) + _element("a3", bytes.fromhex("81000080") + b"\0")
    segment = _element("1549a966", _unsigned("2ad7b1", 1_000_000)) + _element("1654ae6b", _element("ae", track))
    file = _element("1a45dfa3", _element("4282", b"matroska"))
    file += _element("18538067", segment + _element("1f43b675", cluster))
    container = av.open(io.BytesIO(file), format="matroska")
    return container.streams.audio[0]
