"""Format detection by a file's first bytes; its name is ignored."""

from dataclasses import dataclass
from typing import Literal

from veridact.media.guards import mp3


@dataclass(frozen=True)
class Format:
    """A file format: `name` is FFmpeg's demuxer or, where `library` is pillow, Pillow's format."""

    library: Literal["ffmpeg", "pillow"]
    name: str


def _iso_media(head: bytes) -> Format | None:
    """MP4, MOV and 3GP, AVIF or HEIF, by the first box and its major brand (ISO/IEC 14496-12 §4.3)."""
    if head[4:8] not in {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp"}:
        return None
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    if brand in {b"avif", b"avis"}:
        return Format("pillow", "AVIF")
    if brand in {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}:
        return Format("pillow", "HEIF")
    return Format("ffmpeg", "mov")


def _after_id3(head: bytes) -> bytes:
    """The bytes after an ID3v2 tag, as far as `head` reaches."""
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return head[10 + size :]


_MAGIC: tuple[tuple[int, bytes, Format], ...] = (
    (0, b"\xff\xd8\xff", Format("pillow", "JPEG")),
    (0, b"\x89PNG\r\n\x1a\n", Format("pillow", "PNG")),
    (0, b"GIF8", Format("pillow", "GIF")),
    (0, b"II*\0", Format("pillow", "TIFF")),
    (0, b"MM\0*", Format("pillow", "TIFF")),
    (8, b"WEBP", Format("pillow", "WEBP")),
    (0, b"\x1aE\xdf\xa3", Format("ffmpeg", "matroska")),
    (8, b"AVI ", Format("ffmpeg", "avi")),
    (8, b"WAVE", Format("ffmpeg", "wav")),
    (0, b"OggS", Format("ffmpeg", "ogg")),
    (0, b"fLaC", Format("ffmpeg", "flac")),
    (0, b"#!AMR", Format("ffmpeg", "amr")),
    (0, b"\0\0\x01\xba", Format("ffmpeg", "mpeg")),
)
"""Offset, signature and format; a signature at offset 8 is a form type of RIFF or RF64."""


def _mpeg_audio(head: bytes) -> Format | None:
    """ADTS or MP3, by the sync word of the first frame."""
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return Format("ffmpeg", "aac")
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return Format("ffmpeg", "mp3")
    return None


_TS_SYNC = 0x47
_TS_PACKETS = 5
"""Packets that must follow one another for a transport stream that begins inside one."""


def _transport_stream(head: bytes) -> Format | None:
    """MPEG-TS with packets of 188 or 192 bytes, the latter after a timestamp; it may begin inside a packet."""
    for packet in (188, 192):
        start = packet - 188
        if len(head) > start + 2 * packet and all(head[start + i * packet] == _TS_SYNC for i in range(3)):
            return Format("ffmpeg", "mpegts")
        for first in range(packet):
            if head[first : first + _TS_PACKETS * packet : packet] == bytes([_TS_SYNC]) * _TS_PACKETS:
                return Format("ffmpeg", "mpegts")
    return None


def sniff(head: bytes) -> Format | None:
    """The format of a file that begins with `head` (64 KiB are enough), or None when it is not supported."""
    if head[:3] == b"ID3" and len(head) >= 10:
        rest = _after_id3(head)
        return sniff(rest) if rest[:4] == b"fLaC" else _mpeg_audio(rest) or Format("ffmpeg", "mp3")
    for offset, magic, file_format in _MAGIC:
        if head[offset : offset + len(magic)] == magic and (offset == 0 or head[:4] in {b"RIFF", b"RF64"}):
            return file_format
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return Format("pillow", "BMP")
    if (found := _transport_stream(head)) is not None:
        return found
    if head[:4] == b"\0\0\0\x01" and len(head) > 4:
        return Format("ffmpeg", "hevc" if head[4] in {0x40, 0x42, 0x44, 0x46} else "h264")
    return _iso_media(head) or _mpeg_audio(head) or (Format("ffmpeg", "mp3") if mp3.starts_mid_frame(head) else None)
