"""Which container holds which sound: the tables, and the one answer that `locate` and `render` both give.

A copied codec is held where FFmpeg's muxer writes a header for it, which is tried in memory. Covered sound is encoded
anew where the container has a codec without loss, and so is sound that no container can copy. What the samples alone
tell (more than 24 bits, a damaged packet) is not asked here.
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

# FFmpeg's muxers by the manifest's names; the first that holds a codec is what a refusal recommends.
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
SUFFIXES = {
    "mp4": (".mp4", ".m4v"), "mov": (".mov",), "mkv": (".mkv",), "flac": (".flac",), "wav": (".wav",),
    "m4a": (".m4a",), "mp3": (".mp3",), "ogg": (".ogg", ".oga", ".opus"), "jpeg": (".jpg", ".jpeg"),
    "png": (".png",), "webp": (".webp",), "tiff": (".tif", ".tiff"), "bmp": (".bmp",), "gif": (".gif",),
}  # fmt: skip
VIDEO = ("mp4", "mov", "mkv")
ONE_STREAM = frozenset({"wav", "flac", "mp3"})
"""Containers of a single stream of sound."""

LOSSLESS_OF = {"mp4": "flac", "mkv": "flac", "flac": "flac", "ogg": "flac", "mov": "alac", "m4a": "alac", "wav": "pcm"}
"""What covered sound becomes in each container; one that is missing cannot hold it exactly."""

_FIRST_PACKETS = 64
_ALAC_LAYOUTS = frozenset({"mono", "stereo", "3.0", "4.0", "5.0", "5.1"})
_SAME_SPEAKERS = {"5.0(side)": "5.0", "5.1(side)": "5.1"}
_DEFAULT_LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")


@dataclass(frozen=True)
class Fit:
    """How a stream fits a container: `header` is its codec's, `holders` the containers that can copy it, best first."""

    index: int
    codec: str
    header: bytes | None
    container: str
    holders: tuple[str, ...]
    layout: str

    @property
    def copies(self) -> bool:
        """Whether the container can hold the codec as it is."""
        return self.container in self.holders

    def refusal(self, covered: bool, option: str = "set output.container to ", unless: str = "") -> str | None:
        """Why the sound cannot be written, with what helps; None where it can.

        `option` stands before the name of a container that can, `unless` after it where the sound is covered.
        """
        encodes = self.container in LOSSLESS_OF
        if not self.copies and self.holders and not (covered and encodes):
            return (
                f"{self.container} cannot hold the {self.codec} sound of stream {self.index}; {option}{self.holders[0]}"
            )
        if self.copies and (not covered or self.codec == "aac"):
            return None  # the packets of AAC are replaced, or it is encoded anew
        if self.container == "m4a" and alac_layout(self.layout) is None:
            return f"m4a cannot hold covered {self.layout} sound; {option}mkv or mp4"
        if encodes:
            return None
        return f"{self.container} cannot hold covered sound exactly; {option}flac, m4a or mkv{unless}"


def fit(media: MediaFile, index: int, container: str) -> Fit:
    """How stream `index` fits a container of the manifest; raises `MediaError` where it is no sound that decodes."""
    header = header_of(media, index)
    with demux(media) as source:
        stream = audio_stream(source, index)
        seen = container in VIDEO and any(s.type == "video" and not is_cover_art(s) for s in source.streams)
        holders = [name for name in MUXERS if (not seen or name in VIDEO) and _holds(stream, header, name)]
        layout = layout_name(stream.layout.name, stream.channels)
        return Fit(index, codec_name(stream), header, container, tuple(holders), layout)


def layout_name(name: str, channels: int) -> str:
    """The layout under FFmpeg's name; an unnamed one is taken for the usual one of that many channels."""
    unnamed = name.endswith("channels") or not name
    return _DEFAULT_LAYOUTS[channels - 1] if unnamed and channels <= len(_DEFAULT_LAYOUTS) else name


def alac_layout(layout: str) -> str | None:
    """The layout under which ALAC holds the same speakers, None where it cannot."""
    found = _SAME_SPEAKERS.get(layout, layout)
    return found if found in _ALAC_LAYOUTS else None


def audio_stream(container: InputContainer, index: int) -> AudioStream:
    """The audio stream of an open file; raises `MediaError` when there is none or FFmpeg has no decoder for it."""
    stream = container.streams[index] if index < len(container.streams) else None
    if not isinstance(stream, AudioStream) or stream.codec_context is None or not stream.sample_rate:
        raise MediaError(f"stream {index} is no sound that FFmpeg can decode; drop it in output.streams")
    return stream


def header_of(media: MediaFile, index: int) -> bytes | None:
    """The codec header of a stream of sound, for AAC without one that of its first packet (ADTS).

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
    """The AudioSpecificConfig of a packet with an ADTS header of one block (ISO/IEC 14496-3 §1.A.2.2), else None."""
    if len(packet) < 7 or packet[0] != 0xFF or packet[1] & 0xF6 != 0xF0 or packet[6] & 3:
        return None
    profile, index = packet[2] >> 6, packet[2] >> 2 & 15
    channels = (packet[2] & 1) << 2 | packet[3] >> 6
    return ((profile + 1) << 11 | index << 7 | channels << 3).to_bytes(2, "big") if channels else None


def _holds(stream: AudioStream, header: bytes | None, container: str) -> bool:
    """Whether FFmpeg writes a header for the stream's codec; WAV is held to PCM, which alone every player reads."""
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
    """The containers that the caller may choose for this source."""
    if manifest.source.kind == "audio":
        return rules.SOUND_CONTAINERS
    return rules.VIDEO_CONTAINERS[manifest.output.profile or ""]


def check_sound(media: MediaFile, manifest: Manifest) -> None:
    """Raises `MediaError` when the container cannot hold a kept sound, covered or not, naming one that can."""
    rendered = rendered_indexes(manifest)
    sounds = [s.index for s in manifest.source.streams if isinstance(s, AudioRecord) and s.index in rendered]
    container = manifest.output.container
    if len(sounds) > 1 and container in ONE_STREAM:
        raise MediaError(f"{container} holds one stream of sound and {len(sounds)} are kept; use --container mkv")
    for index in sounds:
        found = fit(media, index, container)
        refusal = found.refusal(not sound_plan(manifest, index).covers_nothing, "use --container ")
        if refusal is None:
            continue
        if found.holders and found.holders[0] not in _offered(manifest):
            raise MediaError(f"{refusal.partition(';')[0]}; convert the sound first, to FLAC for example")
        raise MediaError(refusal)
