"""Whether what is proposed can be written, asked of the muxers themselves: `render` shall not refuse it later."""

import io
from collections.abc import Sequence

import av
from av.audio.stream import AudioStream as AvAudioStream

from schema.errors import MediaError
from schema.manifest import Container, Manifest, OutputStream
from schema.media import MediaFile, demux
from schema.probe import codec_name

MUXERS: dict[Container, str] = {
    "mp4": "mp4", "mov": "mov", "mkv": "matroska", "m4a": "ipod",
    "ogg": "ogg", "wav": "wav", "mp3": "mp3", "flac": "flac",
}  # fmt: skip
OFFERED: tuple[Container, ...] = ("mp4", "mov", "mkv")


def _holds(container: Container, stream: AvAudioStream) -> bool:
    try:
        with av.open(io.BytesIO(), "w", format=MUXERS[container]) as output:
            output.add_stream_from_template(stream)
            output.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True


def _kept(streams: Sequence[OutputStream]) -> set[int]:
    return {s.index for s in streams if s.disposition == "render"}


def check_copies(media: MediaFile, manifest: Manifest) -> None:
    """Raises `MediaError` when the container cannot hold a kept sound, naming one that can."""
    container = manifest.output.container
    if media.format.library == "pillow":
        return
    kept = _kept(manifest.output.streams or ())
    with demux(media) as source:
        for stream in source.streams.audio:
            if stream.index not in kept or _holds(container, stream):
                continue
            able = [c for c in OFFERED if _holds(c, stream)]
            advice = f"use --container {able[0]}" if able else "convert the sound first, to FLAC for example"
            raise MediaError(
                f"{container} cannot hold the {codec_name(stream)} sound of stream {stream.index}; {advice}"
            )
