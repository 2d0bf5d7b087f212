"""Which container can store which audio codec: the tables, and the one decision that `locate` and `render` share.

A codec can be copied into a container when FFmpeg's muxer writes a header for it, which is tried in memory. Covered
audio is re-encoded where the container has a lossless codec, and so is audio that no container can copy. What only the
samples show (more than 24 bits, a damaged packet) is not checked here.
"""

import io
from dataclasses import dataclass

import av
from av.audio.stream import AudioStream
from av.container import InputContainer

from veridact.errors import MediaError
from veridact.media.probe import codec_name
from veridact.media.video import MediaFile, demux, is_cover_art
from veridact.schema import rules
from veridact.schema.manifest import AudioStream as AudioRecord
from veridact.schema.manifest import Manifest
from veridact.schema.plan.audio import sound_plan
from veridact.schema.plan.dispositions import rendered_indexes

MUXERS = {
    "m4a": "ipod",
    "flac": "flac",
    "wav": "wav",
    "ogg": "ogg",
    "mp3": "mp3",
    "mp4": "mp4",
    "mov": "mov",
    "mkv": "matroska",
}
"""FFmpeg's muxer for each container of the manifest, in the order in which error messages recommend them."""

SUFFIXES = {
    "mp4": (".mp4", ".m4v"), "mov": (".mov",), "mkv": (".mkv",), "flac": (".flac",), "wav": (".wav",),
    "m4a": (".m4a",), "mp3": (".mp3",), "ogg": (".ogg", ".oga", ".opus"), "jpeg": (".jpg", ".jpeg"),
    "png": (".png",), "webp": (".webp",), "tiff": (".tif", ".tiff"), "bmp": (".bmp",), "gif": (".gif",),
}  # fmt: skip
"""The file name suffixes of each container, the usual one first."""

VIDEO = ("mp4", "mov", "mkv")
ONE_STREAM = frozenset({"wav", "flac", "mp3"})
"""Containers with exactly one audio stream."""

LOSSLESS_OF = {"mp4": "flac", "mkv": "flac", "flac": "flac", "ogg": "flac", "mov": "alac", "m4a": "alac", "wav": "pcm"}
"""The lossless codec of covered audio in each container; a container not listed has none."""

FLAC_ONLY = frozenset({"mp4", "flac", "ogg"})
"""Containers whose one lossless codec here is FLAC."""

MAX_FLAC_CHANNELS = 8
"""RFC 9639 §9.1.3."""

_FIRST_PACKETS = 64
_ALAC_LAYOUTS = frozenset({"mono", "stereo", "3.0", "4.0", "5.0", "5.1"})
_SAME_SPEAKERS = {"5.0(side)": "5.0", "5.1(side)": "5.1"}
_DEFAULT_LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")


@dataclass(frozen=True)
class Fit:
    """Whether a container can store an audio stream.

    `header` is the codec header (extradata), `holders` the containers that can copy the stream, best first.
    """

    index: int
    codec: str
    header: bytes | None
    container: str
    holders: tuple[str, ...]
    layout: str
    channels: int

    @property
    def copies(self) -> bool:
        """Whether the container can store the stream without re-encoding."""
        return self.container in self.holders

    def refusal(self, covered: bool, option: str = "set output.container to ", alternative: str = "") -> str | None:
        """Why the stream cannot be written, with the remedy; None where it can.

        In the message, `option` precedes the name of a container that can store the stream, and `alternative` follows
        it where the stream is `covered`.
        """
        encodes = self.container in LOSSLESS_OF
        if not self.copies and self.holders and not (covered and encodes):
            return (
                f"{self.container} cannot hold the {self.codec} sound of stream {self.index}; {option}{self.holders[0]}"
            )
        if self.copies and (not covered or self.codec == "aac"):
            return None  # AAC packets are replaced, or the stream is re-encoded
        if self.container == "m4a" and alac_layout(self.layout) is None:
            return f"m4a cannot hold covered {self.layout} sound; {option}mkv or mp4"
        if self.container in FLAC_ONLY and self.channels > MAX_FLAC_CHANNELS:
            return f"{self.container} cannot hold covered sound of {self.channels} channels; {option}mkv or mov"
        if encodes:
            return None
        return f"{self.container} cannot hold covered sound exactly; {option}flac, m4a or mkv{alternative}"


def fit(media: MediaFile, index: int, container: str) -> Fit:
    """Whether `container` can store stream `index`; raises `MediaError` where that is no audio stream that decodes."""
    header = codec_header(media, index)
    with demux(media) as source:
        stream = audio_stream(source, index)
        has_video = container in VIDEO and any(s.type == "video" and not is_cover_art(s) for s in source.streams)
        holders = [name for name in MUXERS if (not has_video or name in VIDEO) and _can_copy(stream, header, name)]
        if "mp3" in holders and not _is_layer_3(source, stream):
            holders.remove("mp3")
        layout = layout_name(stream.layout.name, stream.channels)
        return Fit(index, codec_name(stream), header, container, tuple(holders), layout, stream.channels)


def layout_name(name: str, channels: int) -> str:
    """FFmpeg's name of a channel layout; an unnamed one is taken for the default layout of that many channels.

    For codecs that have no unnamed layouts; `kept_layout` is for all others.
    """
    unnamed = name.endswith("channels") or not name
    return _DEFAULT_LAYOUTS[channels - 1] if unnamed and channels <= len(_DEFAULT_LAYOUTS) else name


def kept_layout(name: str, channels: int) -> str:
    """FFmpeg's name of a channel layout; three or more unnamed channels stay so, since nothing says who hears them."""
    return layout_name(name, channels) if channels <= 2 else name or f"{channels} channels"


def alac_layout(layout: str) -> str | None:
    """ALAC's layout with the same speakers, or None where it has none."""
    equivalent = _SAME_SPEAKERS.get(layout, layout)
    return equivalent if equivalent in _ALAC_LAYOUTS else None


def audio_stream(container: InputContainer, index: int) -> AudioStream:
    """Audio stream `index` of an open file; raises `MediaError` when it is none or FFmpeg has no decoder for it."""
    stream = container.streams[index] if index < len(container.streams) else None
    if not isinstance(stream, AudioStream) or stream.codec_context is None or not stream.sample_rate:
        raise MediaError(f"stream {index} is no sound that FFmpeg can decode; drop it in output.streams")
    return stream


def codec_header(media: MediaFile, index: int) -> bytes | None:
    """The codec header (extradata) of an audio stream; for AAC without one, it is made from the first ADTS header.

    Raises `MediaError` for AAC that has neither.
    """
    with demux(media) as source:
        stream = audio_stream(source, index)
        header = stream.codec_context.extradata
        if codec_name(stream) != "aac" or header:
            return header
        for number, packet in enumerate(source.demux(stream)):
            data = bytes(packet)
            if len(data) > 1 and data[0] == 0xFF and data[1] & 0xF6 == 0xF0:
                header = adts_config(data)
                break
            if number >= _FIRST_PACKETS:
                break
    if header is None:
        raise MediaError(f"stream {index} has AAC packets without a header; remux it: ffmpeg -i IN -c copy OUT.mkv")
    return header


def adts_config(packet: bytes) -> bytes | None:
    """The AudioSpecificConfig of an ADTS packet with one raw data block (ISO/IEC 14496-3 §1.A.2.2), else None."""
    if len(packet) < 7 or packet[0] != 0xFF or packet[1] & 0xF6 != 0xF0 or packet[6] & 3:
        return None
    profile, index = packet[2] >> 6, packet[2] >> 2 & 15
    channels = (packet[2] & 1) << 2 | packet[3] >> 6
    return ((profile + 1) << 11 | index << 7 | channels << 3).to_bytes(2, "big") if channels else None


def _is_layer_3(source: InputContainer, stream: AudioStream) -> bool:
    """Whether the first packet is MPEG audio layer III; MPEG-TS announces layers I and II as the same codec.

    The layer stands in bits 14 and 13 of the frame header, 01 for III (ISO/IEC 11172-3 §2.4.2.3).
    """
    data = next((bytes(p) for p in source.demux(stream) if p.size), b"")
    return len(data) > 1 and data[1] >> 1 & 3 == 1


def _can_copy(stream: AudioStream, header: bytes | None, container: str) -> bool:
    """Whether FFmpeg's muxer accepts the stream's codec; WAV is restricted to PCM, which every player reads."""
    if container == "wav" and not codec_name(stream).startswith(("pcm_", "adpcm_")):
        return False
    try:
        with av.open(io.BytesIO(), "w", format=MUXERS[container]) as trial:
            copy = trial.add_stream_from_template(stream)
            if header is not None and not copy.codec_context.extradata:
                copy.codec_context.extradata = header
            trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True


def _offered(manifest: Manifest) -> frozenset[str]:
    """The containers that the manifest's rules allow for this source."""
    if manifest.source.kind == "audio":
        return rules.AUDIO_CONTAINERS
    return rules.VIDEO_CONTAINERS[manifest.output.profile or ""]


def check_audio(media: MediaFile, manifest: Manifest) -> None:
    """Raises `MediaError` when the output's container cannot store a rendered audio stream, naming one that can."""
    kept = rendered_indexes(manifest)
    audio = [s.index for s in manifest.source.streams if isinstance(s, AudioRecord) and s.index in kept]
    container = manifest.output.container
    if len(audio) > 1 and container in ONE_STREAM:
        raise MediaError(f"{container} holds one stream of sound and {len(audio)} are kept; use --container mkv")
    for index in audio:
        covered = not sound_plan(manifest, index).covers_nothing
        fitting = fit(media, index, container)
        refusal = fitting.refusal(covered, "use --container ")
        if refusal is None:
            continue
        if fitting.holders and fitting.holders[0] not in _offered(manifest):
            raise MediaError(f"{refusal.partition(';')[0]}; convert the sound first, to FLAC for example")
        raise MediaError(refusal)
