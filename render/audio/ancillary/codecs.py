"""The codecs whose streams can be copied without anything but sound: how each is read, in one table.

header = configuration("aac", header)                    written anew from what decoding needs
for packet, changed in clean("aac", header, packets):    zeros for what is no sound, in packets of the same size
leak = first_leak("aac", header, packets)                what is left of it in a finished stream
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from veridact.render.audio.ancillary import aac, aac_config, ac3, alac, fixed, flac, mp3, opus, vorbis
from veridact.render.audio.ancillary.bits import UnreadableError

_MUXER_VENDOR = re.compile(rb"\x03vorbis.{4}(ffmpeg|Lav[fc][\d.]*)?\0{4}\x01", re.DOTALL)
"""The comment header that FFmpeg's Ogg muxer writes by itself."""


@dataclass(frozen=True)
class Syntax:
    """How a codec is read.

    `configuration` writes a header anew; `clean` yields each packet with its ancillary data zeroed and the number of
    bytes that changed, in order, though it may read ahead. `independent` packets are understood one by one.
    """

    configuration: Callable[[bytes | None], bytes | None]
    clean: Callable[[bytes | None, Iterator[bytes]], Iterator[tuple[bytes, int]]]
    independent: bool = True


_PCM = Syntax(fixed.no_configuration, fixed.as_they_are)
_ADPCM = Syntax(fixed.adpcm_configuration, fixed.as_they_are)
_SYNTAX = {
    "aac": Syntax(aac_config.configuration, aac.clean),
    "ac3": Syntax(ac3.configuration, ac3.clean),
    "alac": Syntax(alac.configuration, alac.clean),
    "amr_nb": Syntax(fixed.no_configuration, fixed.clean_amr_nb),
    "amr_wb": Syntax(fixed.no_configuration, fixed.clean_amr_wb),
    "flac": Syntax(flac.configuration, flac.clean),
    "gsm": _PCM,
    "gsm_ms": _PCM,
    "mp3": Syntax(mp3.configuration, mp3.clean, independent=False),
    "opus": Syntax(opus.configuration, opus.clean),
    "vorbis": Syntax(vorbis.configuration, vorbis.clean),
}


def syntax(codec: str) -> Syntax:
    """How a codec is read; raises `UnreadableError` for one that is not."""
    if codec.startswith(("pcm_", "adpcm_")):
        return _PCM if codec.startswith("pcm_") else _ADPCM
    if codec not in _SYNTAX:
        raise UnreadableError(f"{codec} is not read as far as its ancillary data")
    return _SYNTAX[codec]


def configuration(codec: str, header: bytes | None) -> bytes | None:
    """The header written anew from what decoding needs; raises `UnreadableError`."""
    return syntax(codec).configuration(header)


def clean(codec: str, header: bytes | None, packets: Iterator[bytes]) -> Iterator[tuple[bytes, int]]:
    """Every packet with zeros for what is no sound, and how many bytes that changed; raises `UnreadableError`."""
    return syntax(codec).clean(header, packets)


def first_leak(codec: str, header: bytes | None, packets: Iterator[bytes]) -> str | None:
    """What a finished stream holds that is no sound, in words; None for nothing. Raises `UnreadableError`."""
    canonical = configuration(codec, header)
    if (header or None) != canonical and not _is_muxers(codec, header, canonical):
        return "its codec header holds more than decoding needs"
    for number, (_, changed) in enumerate(clean(codec, canonical, packets)):
        if changed:
            return f"packet {number} holds {changed} bytes that are no sound"
    return None


def _is_muxers(codec: str, header: bytes | None, canonical: bytes | None) -> bool:
    """Whether a header differs from the canonical one only in the vendor that FFmpeg's Ogg muxer writes."""
    if codec != "vorbis":
        return False
    identification, comment, setup = vorbis.split(header)
    rest = vorbis.join(identification, vorbis.EMPTY_COMMENT, setup)
    return rest == canonical and _MUXER_VENDOR.fullmatch(comment) is not None
