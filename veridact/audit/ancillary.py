"""Whether the sound of a finished file holds nothing but sound, read by the same code that cleaned it."""

import os
import re
from collections.abc import Iterator

from av.audio.stream import AudioStream

from veridact.errors import MediaError
from veridact.media.containers import codec_header
from veridact.media.probe import codec_name
from veridact.media.video import MediaFile, demux
from veridact.render.audio.ancillary import codecs
from veridact.render.audio.ancillary.bits import UnreadableError
from veridact.render.audio.packets import audio_packets
from veridact.sandbox.heartbeat import beat

_MAX_HEAD_BYTES = 1 << 20
_XING = re.compile(rb"(\xff[\xe0-\xff].{2}\0*(Xing|Info).{116}Lav[fc][\d.]*\0*.{27}\0*)?", re.DOTALL)
"""The frame that FFmpeg's MP3 muxer puts first: counts, positions, its name and the numbers of LAME's tag."""

_FLAC_HEAD = re.compile(
    rb"fLaC[\0\x80]\0\0\x22.{34}"
    rb"([\x04\x84]\0.{2}.\0{3}(ffmpeg|Lav[fc][\d.]*)"
    rb"(\0{4}|\x01\0{3}.\0{3}WAVEFORMATEXTENSIBLE_CHANNEL_MASK=0x[0-9A-Fa-f]+))?"
    rb"([\x01\x81].{3}\0*)?",
    re.DOTALL,
)
"""What FFmpeg's FLAC muxer puts first: STREAMINFO, its own name, at most the speakers as a comment, and zeros."""

_HEADS = {"mp3": _XING, "flac": _FLAC_HEAD}


def stream_leak(media: MediaFile, index: int) -> str | None:
    """What audio stream `index` holds that is no sound, in words; None for nothing.

    Raises `MediaError` for a stream that cannot be read that far.
    """
    header = codec_header(media, index)
    with demux(media) as container:
        stream = container.streams[index]
        if not isinstance(stream, AudioStream):
            raise MediaError(f"stream {index} is no sound")
        packets = (bytes(p) for p in audio_packets(container, stream) if p.size)
        try:
            return codecs.first_leak(codec_name(stream), header, _beating(packets))
        except UnreadableError as e:
            raise MediaError(f"whether stream {index} holds only sound is not known: {e}; convert it") from None


def file_leak(media: MediaFile, container: str) -> str | None:
    """What stands before or after the packets of an MP3 or FLAC file beside its muxer's header; None for nothing."""
    head = _HEADS.get(container)
    if head is None:
        return None
    with demux(media) as opened:
        packets = audio_packets(opened, opened.streams.audio[0])
        places = [(p.pos, p.size) for p in packets if p.size and p.pos is not None]
    start, end = (places[0][0], sum(places[-1])) if places else (0, 0)
    if start > _MAX_HEAD_BYTES or not head.fullmatch(os.pread(media.fd, start, 0)):
        return "more than the muxer's header stands before the sound"
    return None if end == media.size else "something stands behind the sound"


def _beating(packets: Iterator[bytes]) -> Iterator[bytes]:
    """The packets, with a heartbeat for each."""
    for packet in packets:
        beat()
        yield packet
