"""Reading an output back before it is published: the streams, their packets and their times are what was meant."""

import hashlib
import re
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from PIL import Image

from veridact.errors import MediaError, VeridactError
from veridact.media.origin import first_time
from veridact.media.probe import codec_name
from veridact.media.video import MediaFile, demux, fraction, open_media
from veridact.render.audio.decode import decode_blocks, is_lossless
from veridact.render.audio.packets import sound_packets
from veridact.sandbox.heartbeat import beat

OFFSET_TOLERANCE = Fraction(1, 1000)
CUT_ANYHOW = ("pcm_", "adpcm_")
"""Codecs whose readers cut packets as they like, so that their number says nothing; the digest of the samples does."""
MATROSKA_TICK = Fraction(1, 1000)
TAGS = {
    name: re.compile(value, re.ASCII)
    for name, value in {
        "major_brand": ".{4}",
        "minor_version": r"\d+",
        "compatible_brands": "(.{4})*",
        "language": "[a-z]{3}",
        "handler_name": "(Video|Sound)Handler",
        "vendor_id": r"FFMP|(\[0\]){4}",
        "encoder": r"Lav[fc][\d.]*( [a-z0-9_]+)?",
        "duration": r"[\d:.]+",
    }.items()
}
"""Tags that muxers write of themselves, and their values; none of them is copied from the input but the language."""


@dataclass(frozen=True)
class ExpectedStream:
    """A stream the output must have; `pts` are presentation times in ticks of `time_base` (None: not compared, count
    only), and `begins` is when its first frame or sample is presented, in seconds."""

    type: str
    codec: str
    packets: int
    pts: Sequence[int] | None
    time_base: Fraction
    begins: Fraction | None


def stray_tags(opened: InputContainer) -> list[str]:
    """The names, in lower case, of the tags of a file and its streams that no muxer writes, or not with that value."""
    held = [(k.lower(), v) for holder in (opened, *opened.streams) for k, v in holder.metadata.items()]
    return sorted({name for name, value in held if name not in TAGS or not TAGS[name].fullmatch(value)})


def known_language(metadata: Mapping[str, str]) -> str | None:
    """The language of a stream where it is one of three letters; Matroska may hold any text in its place."""
    language = metadata.get("language", "")
    return language if TAGS["language"].fullmatch(language) else None


def rounded_to(tick: Fraction, at: Fraction) -> Fraction:
    """A time as whole ticks, halves away from zero: what Matroska's 1 ms time base makes of it."""
    ticks = at / tick
    whole = (2 * abs(ticks) + 1) // 2
    return (whole if ticks >= 0 else -whole) * tick


def check_output(path: Path, container: str, expected: Sequence[ExpectedStream]) -> None:
    """Raises when the written file is not what was meant: one stream more or less, another time, a stray tag."""
    with open_media(path) as media, demux(media) as opened:
        found = [(s.type, _family(codec_name(s))) for s in opened.streams]
        wanted = [(e.type, _family(e.codec)) for e in expected]
        if found != wanted:
            raise VeridactError(f"the output has the streams {found}, not {wanted}")
        if opened.chapters():
            raise VeridactError("the output has chapters")
        if stray_tags(opened):
            raise VeridactError("the output has tags that no muxer writes")
        for number, stream in enumerate(expected):
            begins = first_time(media, number)
            if stream.begins is not None and (begins is None or abs(begins - stream.begins) > OFFSET_TOLERANCE):
                raise VeridactError(f"output stream {number} begins at another time than in the input")
        _check_times(media, container, expected)


def _family(codec: str) -> str:
    """MP4 marks MPEG audio layers 2 and 3 alike, so that one is read back as the other."""
    return "mp3" if codec == "mp2" else codec


def _check_times(media: MediaFile, container: str, expected: Sequence[ExpectedStream]) -> None:
    times = [array("q") for _ in expected]
    with demux(media) as opened:
        bases = [fraction(s.time_base) for s in opened.streams]
        for packet in opened.demux():
            shown = opened.streams[packet.stream_index].type == "audio" or not packet.is_discard
            if packet.size and packet.pts is not None and shown:
                times[packet.stream_index].append(packet.pts)
    for number, (stream, found) in enumerate(zip(expected, times, strict=True)):
        if len(found) != stream.packets and not stream.codec.startswith(CUT_ANYHOW):
            raise VeridactError(f"output stream {number} has {len(found)} packets, not {stream.packets}")
        before: Fraction | None = None
        for ticks, pts in zip(sorted(found), stream.pts or (), strict=False):
            beat()
            wanted = pts * stream.time_base
            if container == "mkv":
                wanted = rounded_to(MATROSKA_TICK, wanted)
            if before is not None and wanted <= before:
                raise VeridactError("two frames fall on the same millisecond; choose container mp4 or mov")
            if ticks * bases[number] != wanted:
                raise VeridactError(f"output stream {number} has other presentation times than the input")
            before = wanted


def content_digest(frame_digests: Iterable[str]) -> str:
    """One digest for a stream of frames: SHA-256 over the digests of its frames, in presentation order."""
    found = hashlib.sha256()
    for digest in frame_digests:
        found.update(bytes.fromhex(digest))
    return found.hexdigest()


TIFF_STRUCTURE = frozenset({256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317, 320, 338, 339})
"""The TIFF tags that say how pixels are stored (TIFF 6.0, section 8); a written picture has no others."""

BESIDE_PIXELS = frozenset({"exif", "xmp", "icc_profile", "photoshop", "comment"})


def beside_pixels(image: Image.Image) -> set[str]:
    """The names of what a picture holds beside its pixels, as far as Pillow tells."""
    found = {str(name) for name in image.info} & BESIDE_PIXELS
    return found | ({"exif"} if image.getexif().keys() - TIFF_STRUCTURE else set())


SIGNATURES = (b"\xff\xd8\xff", b"ftyp", b"\x89PNG\r\n")


def hidden_picture(data: bytes) -> bool:
    """Whether a JPEG, PNG or MP4 signature occurs again behind the one the file begins with."""
    return any(data.find(signature, 16) >= 0 for signature in SIGNATURES)


def sound_digest(media: MediaFile, index: int) -> tuple[Literal["samples", "packets"], str]:
    """SHA-256 over the decoded samples (little-endian, interleaved) after a line with their rate, layout and form.

    For a lossy codec, whose decoders differ, it is over the packets' bytes instead, which decide what is heard.
    """
    digest = hashlib.sha256()
    with demux(media) as container:
        stream = container.streams[index]
        if not isinstance(stream, AudioStream):
            raise MediaError(f"stream {index} is no sound")
        if not is_lossless(codec_name(stream)):
            for packet in sound_packets(container, stream):
                digest.update(bytes(packet))
            return "packets", digest.hexdigest()
    for number, block in enumerate(decode_blocks(media, index)):
        if number == 0:
            digest.update(f"{block.rate_hz} {block.layout} {block.form}\n".encode())
        digest.update(np.ascontiguousarray(block.samples.T).tobytes())
    return "samples", digest.hexdigest()
