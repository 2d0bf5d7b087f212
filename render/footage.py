"""Video files: every stream that the manifest renders is encoded or copied, all others are dropped and named."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial

from av.audio.stream import AudioStream as AvAudioStream
from av.container import InputContainer

from render import check, mux, segments, timeline
from render.account import OutputStreamRecord, Rendered, StreamOutcome, safe_names
from render.check import ExpectedStream
from render.encoder import PROFILES
from render.mux import CopiedAudio
from render.place import Place
from render.video import EncodedVideo, encode_stream
from schema.errors import BindingError
from schema.manifest import AudioStream, Manifest, VideoStream
from schema.media import MediaFile, demux
from schema.probe import codec_name, other_record

Tell = Callable[[str, int, int], None]
"""Called with what is being counted, how far it is and how far it goes."""

OutStream = EncodedVideo | CopiedAudio


def render_footage(media: MediaFile, manifest: Manifest, place: Place, jobs: int, tell: Tell) -> Rendered:
    """Renders a video file to `place.new_output` and checks what was written."""
    with ExitStack() as stack:
        source = stack.enter_context(demux(media))
        check_streams(source, manifest)
        streams = list(_streams(media, manifest, place, jobs, tell, stack))
        mux.write(place.new_output, manifest.output.container, streams)
        outputs = [_output_record(media, s) for s in streams]
        check.check_output(
            place.new_output,
            manifest.output.container,
            [_expected(s, o) for s, o in zip(streams, outputs, strict=True)],
        )
        return Rendered(
            encoder=PROFILES[manifest.output.profile or ""].described,
            streams=list(_outcomes(source, manifest)),
            outputs=outputs,
            covered=_covered(streams),
            warnings=[
                f"stream {s.record.index}: an odd side was made even by repeating its last row or column"
                for s in streams
                if isinstance(s, EncodedVideo) and s.widened
            ],
        )


def rendered_indexes(manifest: Manifest) -> list[int]:
    """The input streams that the output has, in the order of the input."""
    return sorted(s.index for s in manifest.output.streams or () if s.disposition == "render")


def _streams(
    media: MediaFile, manifest: Manifest, place: Place, jobs: int, tell: Tell, stack: ExitStack
) -> Iterator[OutStream]:
    for index in rendered_indexes(manifest):
        record = manifest.source.streams[index]
        if isinstance(record, VideoStream):
            progress = partial(_tell_frame, tell, record.frames)
            yield encode_stream(media, manifest, record, timeline.read(media, record), place.folder, jobs, progress)
        else:
            container = stack.enter_context(demux(media))
            stream = container.streams[index]
            if not isinstance(stream, AvAudioStream):
                raise BindingError(f"stream {index} is no audio stream in this file")
            yield CopiedAudio(container, stream)


def _tell_frame(tell: Tell, frames: int, number: int) -> None:
    tell("frames", number + 1, frames)


def check_streams(source: InputContainer, manifest: Manifest) -> None:
    """Refuses a file whose streams are not those that the manifest lists."""
    if len(source.streams) != len(manifest.source.streams):
        raise BindingError(
            f"the file has {len(source.streams)} streams, the manifest {len(manifest.source.streams)}; run locate again"
        )
    for stream, record in zip(source.streams, manifest.source.streams, strict=True):
        kind = record.type if isinstance(record, VideoStream | AudioStream) else None
        if kind is not None and (stream.type, codec_name(stream)) != (kind, record.codec):
            raise BindingError(f"stream {record.index} is not the {record.codec} {kind} that the manifest lists")


def _output_record(media: MediaFile, stream: OutStream) -> OutputStreamRecord:
    if isinstance(stream, EncodedVideo):
        whole = [segments.read(path) for path in stream.paths]
        frames = [digest for segment in whole for digest in segment.frame_digests]
        codec = PROFILES[stream.spec.profile].decoder
        return OutputStreamRecord("video", codec, len(frames), check.content_digest(frames))
    digest, packets = hashlib.sha256(), 0
    with demux(media) as container:
        for packet in container.demux(container.streams[stream.stream.index]):
            if packet.size:
                digest.update(packet)
                packets += 1
    return OutputStreamRecord("audio", codec_name(stream.stream), packets, digest.hexdigest())


def _expected(stream: OutStream, made: OutputStreamRecord) -> ExpectedStream:
    times = None
    if isinstance(stream, EncodedVideo):
        times = [pts * stream.spec.time_base for pts in stream.pts]
    return ExpectedStream(made.type, made.codec, made.packets, times)


def _covered(streams: Sequence[OutStream]) -> dict[int, tuple[int, int]]:
    total: dict[int, tuple[int, int]] = {}
    for stream in streams:
        for path in stream.paths if isinstance(stream, EncodedVideo) else ():
            for track, (frames, pixels) in segments.read(path).covered.items():
                before = total.get(track, (0, 0))
                total[track] = (before[0] + frames, before[1] + pixels)
    return total


def _outcomes(source: InputContainer, manifest: Manifest) -> Iterator[StreamOutcome]:
    """What became of each stream, and the names of the metadata that went; the file's own go with its first stream."""
    rendered = rendered_indexes(manifest)
    for stream, record in zip(source.streams, manifest.source.streams, strict=True):
        names = [n for n in stream.metadata if n.lower() != "language" or record.index not in rendered]
        if record.index == 0:
            names += [*source.metadata, *(["chapters"] if source.chapters() else [])]
        if record.index in rendered:
            how = "re-encoded" if isinstance(record, VideoStream) else "copied"
            why = "covers are painted" if how == "re-encoded" else "no range touches it"
        elif isinstance(record, VideoStream | AudioStream):
            how, why = "dropped", "the manifest does not render it"
        else:
            how, why = "dropped", f"{other_record(stream).type} streams are never rendered"
        yield StreamOutcome(record.index, record.type, record.codec, how, why, safe_names(names))
