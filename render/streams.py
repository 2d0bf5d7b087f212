"""Video and sound files: each stream that is rendered is encoded or copied, all others are dropped and named."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial

from av.container import InputContainer

from veridact.errors import BindingError
from veridact.media import timestamps
from veridact.media.origin import first_time, origin
from veridact.media.probe import codec_name, other_record
from veridact.media.video import MediaFile, demux, open_media
from veridact.progress import ReportProgress
from veridact.render import mux, readback
from veridact.render.audio.stream import AudioOut, render_audio
from veridact.render.publish import Place
from veridact.render.readback import ExpectedStream, sound_digest
from veridact.render.receipt_entries import OutputStreamRecord, Rendered, StreamOutcome, safe_names
from veridact.render.video import segment_files
from veridact.render.video.encoder import PROFILES
from veridact.render.video.stream import EncodedVideo, encode_stream
from veridact.schema.manifest import AudioStream, Manifest, VideoStream
from veridact.schema.plan.audio import range_samples, sound_plan
from veridact.schema.plan.dispositions import rendered_indexes

OutStream = EncodedVideo | AudioOut


def render_footage(media: MediaFile, manifest: Manifest, place: Place, jobs: int, report: ReportProgress) -> Rendered:
    """Renders a video or sound file to `place.new_output` and checks what was written."""
    container = manifest.output.container
    with demux(media) as source:
        check_streams(source, manifest)
        zero = origin(media) if manifest.audio or manifest.scope == "everything" else None
        streams = list(_streams(media, manifest, place, jobs, report, zero or Fraction(0)))
        languages = [readback.known_language(source.streams[i].metadata) for i in rendered_indexes(manifest)]
        mux.write(place.new_output, container, streams, languages)
        expected = [_expected(media, s, manifest.source.kind == "video") for s in streams]
        readback.check_output(place.new_output, container, expected)
        with open_media(place.new_output) as made:
            outputs = [_output_record(made, n, s) for n, s in enumerate(streams)]
        return Rendered(
            encoder=_encoders(manifest, streams),
            streams=list(_outcomes(source, manifest, streams)),
            outputs=outputs,
            covered=_covered(streams),
            ranges=_ranges(manifest, streams),
            warnings=list(_warnings(streams)),
            begins=Fraction(0) if zero is None else _begins(media, manifest, zero),
        )


def _streams(
    media: MediaFile, manifest: Manifest, place: Place, jobs: int, report: ReportProgress, zero: Fraction
) -> Iterator[OutStream]:
    for index in rendered_indexes(manifest):
        record = manifest.source.streams[index]
        if isinstance(record, VideoStream):
            progress = partial(_tell_frame, report, record.frames)
            pts = timestamps.read(media, record)
            yield encode_stream(media, manifest, record, pts, place.folder, jobs, progress)
        else:
            yield render_audio(media, index, sound_plan(manifest, index), zero, manifest.output.container)


def _begins(media: MediaFile, manifest: Manifest, zero: Fraction) -> Fraction:
    """How many seconds after 0 ms the earliest rendered stream begins; 0 where none of them presents anything."""
    times = (first_time(media, index) for index in rendered_indexes(manifest))
    return min((t for t in times if t is not None), default=zero) - zero


def _tell_frame(report: ReportProgress, frames: int, number: int) -> None:
    report("frames", number + 1, frames)


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


def _expected(media: MediaFile, stream: OutStream, beside_video: bool) -> ExpectedStream:
    if isinstance(stream, EncodedVideo):
        codec, base = PROFILES[stream.spec.profile].decoder, stream.spec.time_base
        return ExpectedStream("video", codec, len(stream.pts), stream.pts, base, stream.pts[0] * base)
    begins = first_time(media, stream.index) if beside_video else None  # sound alone may begin at 0 in a raw file
    if begins is not None and stream.counts.silent_from is not None:
        begins = min(begins, stream.counts.silent_from)
    return ExpectedStream("audio", stream.codec, stream.counts.packets, None, Fraction(1, stream.rate_hz), begins)


def _output_record(made: MediaFile, number: int, stream: OutStream) -> OutputStreamRecord:
    if isinstance(stream, EncodedVideo):
        frames = (digest for path in stream.paths for digest in segment_files.head(path).frame_digests)
        codec = PROFILES[stream.spec.profile].decoder
        return OutputStreamRecord("video", codec, len(stream.pts), readback.content_digest(frames))
    _, digest = sound_digest(made, number)
    return OutputStreamRecord("audio", stream.codec, stream.counts.packets, digest)


def _encoders(manifest: Manifest, streams: Sequence[OutStream]) -> dict[str, str]:
    """The encoders that were used and their exact options."""
    found = PROFILES[manifest.output.profile].described if manifest.output.profile else {}
    for stream in streams:
        if isinstance(stream, AudioOut) and stream.target is not None:
            options = " ".join(f"{name}={value}" for name, value in stream.target.options)
            found[f"audio {stream.index}"] = f"{stream.target.codec} {options}".strip()
    return found


def _covered(streams: Sequence[OutStream]) -> dict[int, tuple[int, int]]:
    total: dict[int, tuple[int, int]] = {}
    for stream in streams:
        for path in stream.paths if isinstance(stream, EncodedVideo) else ():
            for track, (frames, pixels) in segment_files.head(path).covered.items():
                before = total.get(track, (0, 0))
                total[track] = (before[0] + frames, before[1] + pixels)
    return total


def _ranges(manifest: Manifest, streams: Sequence[OutStream]) -> dict[int, list[dict[str, int]]]:
    """For each range that counts: the samples, half-open from 0 ms, that it covers or keeps in each of its streams."""
    found: dict[int, list[dict[str, int]]] = {}
    for stream in streams:
        if isinstance(stream, AudioOut):
            for number, start, end in range_samples(manifest, stream.index, stream.rate_hz):
                entry = {"stream": stream.index, "start_sample": start, "end_sample": end}
                found.setdefault(number, []).append(entry)
    return found


def _warnings(streams: Sequence[OutStream]) -> Iterator[str]:
    for stream in streams:
        if isinstance(stream, EncodedVideo) and stream.widened:
            yield f"stream {stream.record.index}: its last row or column is repeated to make whole blocks of colour"
        if isinstance(stream, EncodedVideo) and stream.mixed:
            yield f"stream {stream.record.index}: some frames are interlaced, some not; all are encoded like the first"


def _outcomes(source: InputContainer, manifest: Manifest, streams: Sequence[OutStream]) -> Iterator[StreamOutcome]:
    """What became of each stream, and the names of the metadata that went; the file's own go with its first stream."""
    rendered = dict(zip(rendered_indexes(manifest), streams, strict=True))
    for stream, record in zip(source.streams, manifest.source.streams, strict=True):
        kept = record.index in rendered and readback.known_language(stream.metadata) is not None
        names = [n for n in stream.metadata if n.lower() != "language" or not kept]
        if record.index == 0:
            names += [*source.metadata, *(["chapters"] if source.chapters() else [])]
        match rendered.get(record.index):
            case EncodedVideo() as video:
                how, why = "re-encoded", "covers are painted"
                names += ["captions"] if video.captions else []
            case AudioOut() as audio:
                how, why = audio.how, audio.why
            case _ if isinstance(record, VideoStream | AudioStream):
                how, why = "dropped", "the manifest does not render it"
            case _:
                how, why = "dropped", f"{other_record(stream).type} streams are never rendered"
        yield StreamOutcome(record.index, record.type, record.codec, how, why, safe_names(names))
