"""Reading an output back before it is published: its streams, packets and timestamps must be those intended."""

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
from veridact.render.audio.packets import audio_packets
from veridact.sandbox.heartbeat import beat

OFFSET_TOLERANCE = Fraction(1, 1000)
REPACKETIZED = ("pcm_", "adpcm_")
"""Codecs that demuxers cut into packets of any size: not the packets are compared but the digest of the samples."""

MATROSKA_TICK_SECONDS = Fraction(1, 1000)
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
"""Tags that muxers write by themselves, with the values they may have; only the language comes from the input."""


@dataclass(frozen=True)
class ExpectedStream:
    """A stream that the output must have.

    `pts` are its presentation times in ticks of `time_base`, or None where only packets are counted; `begins` is the
    presentation time of its first frame or sample in seconds, or None where it is not compared.
    """

    type: str
    codec: str
    packets: int
    pts: Sequence[int] | None
    time_base: Fraction
    begins: Fraction | None


def stray_tags(opened: InputContainer) -> list[str]:
    """The lower-case names of the tags, of a file and its streams, that no muxer writes by itself with that value."""
    tags = [(k.lower(), v) for owner in (opened, *opened.streams) for k, v in owner.metadata.items()]
    return sorted({name for name, value in tags if name not in TAGS or not TAGS[name].fullmatch(value)})


def language_code(metadata: Mapping[str, str]) -> str | None:
    """The language of a stream if it is a three-letter code; Matroska allows any text there."""
    language = metadata.get("language", "")
    return language if TAGS["language"].fullmatch(language) else None


def round_to_tick(tick: Fraction, seconds: Fraction) -> Fraction:
    """A time rounded to whole ticks, halves away from zero, as FFmpeg's Matroska muxer rounds to 1 ms."""
    ticks = seconds / tick
    whole = (2 * abs(ticks) + 1) // 2
    return (whole if ticks >= 0 else -whole) * tick


def check_output(path: Path, container: str, expected: Sequence[ExpectedStream]) -> None:
    """Raises `VeridactError` when the written file has other streams, times, chapters or tags than intended."""
    with open_media(path) as media, demux(media) as opened:
        written = [(s.type, _family(codec_name(s))) for s in opened.streams]
        intended = [(e.type, _family(e.codec)) for e in expected]
        if written != intended:
            raise VeridactError(f"the output has the streams {written}, not {intended}")
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
    """The codec, MP2 as MP3: MP4 marks MPEG audio layers 2 and 3 alike, so that one is read back as the other."""
    return "mp3" if codec == "mp2" else codec


def _check_times(media: MediaFile, container: str, expected: Sequence[ExpectedStream]) -> None:
    """Compares the number of packets of each stream and its presentation times, in Matroska rounded to 1 ms."""
    times = [array("q") for _ in expected]
    with demux(media) as opened:
        bases = [fraction(s.time_base) for s in opened.streams]
        for packet in opened.demux():
            presented = opened.streams[packet.stream_index].type == "audio" or not packet.is_discard
            if packet.size and packet.pts is not None and presented:
                times[packet.stream_index].append(packet.pts)
    for number, (stream, written) in enumerate(zip(expected, times, strict=True)):
        if len(written) != stream.packets and not stream.codec.startswith(REPACKETIZED):
            raise VeridactError(f"output stream {number} has {len(written)} packets, not {stream.packets}")
        previous: Fraction | None = None
        for ticks, pts in zip(sorted(written), stream.pts or (), strict=False):
            beat()
            intended = pts * stream.time_base
            if container == "mkv":
                intended = round_to_tick(MATROSKA_TICK_SECONDS, intended)
            if previous is not None and intended <= previous:
                raise VeridactError("two frames fall on the same millisecond; choose container mp4 or mov")
            if ticks * bases[number] != intended:
                raise VeridactError(f"output stream {number} has other presentation times than the input")
            previous = intended


def content_digest(frame_digests: Iterable[str]) -> str:
    """One digest for a stream of frames: SHA-256 over the digests of its frames, in presentation order."""
    total = hashlib.sha256()
    for digest in frame_digests:
        total.update(bytes.fromhex(digest))
    return total.hexdigest()


TIFF_STRUCTURE = frozenset({256, 257, 258, 259, 262, 273, 277, 278, 279, 282, 283, 284, 296, 317, 320, 338, 339})
"""The TIFF tags that say how pixels are stored and at which density (TIFF 6.0, section 8); a written picture has no
others."""

PICTURE_METADATA = frozenset({"exif", "xmp", "icc_profile", "photoshop", "comment"})


def picture_metadata(image: Image.Image) -> set[str]:
    """The names of the metadata in a picture, as far as Pillow reads it."""
    names = {str(name) for name in image.info} & PICTURE_METADATA
    return names | ({"exif"} if image.getexif().keys() - TIFF_STRUCTURE else set())


def audio_digest(media: MediaFile, index: int) -> tuple[Literal["samples", "packets"], str]:
    """What the digest of an audio stream is over, and the digest (SHA-256).

    For a lossless codec it is over the decoded samples (little-endian, interleaved), after a line with their rate,
    layout and sample format. For a lossy codec, whose decoders differ, it is over the packets. Raises `MediaError`.
    """
    digest = hashlib.sha256()
    with demux(media) as container:
        stream = container.streams[index]
        if not isinstance(stream, AudioStream):
            raise MediaError(f"stream {index} is no sound")
        if not is_lossless(codec_name(stream)):
            for packet in audio_packets(container, stream):
                digest.update(bytes(packet))
            return "packets", digest.hexdigest()
    for number, block in enumerate(decode_blocks(media, index)):
        if number == 0:
            digest.update(f"{block.rate_hz} {block.layout} {block.sample_format}\n".encode())
        digest.update(np.ascontiguousarray(block.samples.T).tobytes())
    return "samples", digest.hexdigest()
