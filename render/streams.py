"""Footage: each video and audio stream that the manifest renders is encoded or copied; all others are dropped."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
from veridact.render.audio.stream import AudioOutput, render_audio
from veridact.render.publish import StagingFolder
from veridact.render.readback import ExpectedStream, audio_digest
from veridact.render.receipt_entries import OutputStreamRecord, RenderResult, StreamOutcome, safe_names
from veridact.render.video import segment_files
from veridact.render.video.encoder import PROFILES
from veridact.render.video.stream import EncodedVideo, encode_stream
from veridact.render.video.transparency import BLACKENED
from veridact.schema.manifest import AudioStream, Manifest, VideoStream
from veridact.schema.plan.audio import range_samples, sound_plan
from veridact.schema.plan.dispositions import rendered_indexes

StreamOutput = EncodedVideo | AudioOutput


@dataclass(frozen=True)
class MuxedFootage:
    """The streams of a staged output, in its order, and 0 ms of the manifest in seconds of the source's clock.

    `origin` is None where the manifest has neither ranges nor scope `everything`, so that nothing depends on it.
    """

    streams: Sequence[StreamOutput]
    origin: Fraction | None


def render_footage(
    media: MediaFile, manifest: Manifest, staging: StagingFolder, jobs: int, report: ReportProgress
) -> MuxedFootage:
    """Encodes or copies the streams that the manifest renders, and muxes them into the staged output.

    Raises `BindingError` for footage that the manifest does not describe, `MediaError` for footage or containers that
    cannot be rendered exactly.
    """
    with demux(media) as source:
        check_streams(source, manifest)
        zero = origin(media) if manifest.audio or manifest.scope == "everything" else None
        streams = list(_streams(media, manifest, staging, jobs, report, zero or Fraction(0)))
        languages = [readback.language_code(source.streams[i].metadata) for i in rendered_indexes(manifest)]
        mux.write(staging.output, manifest.output.container, streams, languages)
    return MuxedFootage(streams, zero)


def read_back_footage(
    media: MediaFile, manifest: Manifest, staging: StagingFolder, muxed: MuxedFootage
) -> RenderResult:
    """Reads the staged output back, compares it with what was muxed, and gives the facts for the receipt."""
    streams = muxed.streams
    expected = [_expected(media, s, manifest.source.kind == "video") for s in streams]
    readback.check_output(staging.output, manifest.output.container, expected)
    with open_media(staging.output) as output:
        outputs = [_output_record(output, n, s) for n, s in enumerate(streams)]
    with demux(media) as source:
        return RenderResult(
            encoder=_encoders(manifest, streams),
            streams=list(_outcomes(source, manifest, streams)),
            outputs=outputs,
            covered=_covered(streams),
            ranges=_ranges(manifest, streams),
            warnings=list(_warnings(streams)),
            begins=Fraction(0) if muxed.origin is None else _begins(media, manifest, muxed.origin),
        )


def _streams(
    media: MediaFile, manifest: Manifest, staging: StagingFolder, jobs: int, report: ReportProgress, zero: Fraction
) -> Iterator[StreamOutput]:
    """The rendered streams in the order of the input; video is encoded here, audio packets are made while muxing."""
    for index in rendered_indexes(manifest):
        record = manifest.source.streams[index]
        if isinstance(record, VideoStream):
            progress = partial(_report_frame, report, record.frames)
            pts = timestamps.read_pts(media, record)
            yield encode_stream(media, manifest, record, pts, staging.path, jobs, progress)
        else:
            yield render_audio(media, index, sound_plan(manifest, index), zero, manifest.output.container)


def _begins(media: MediaFile, manifest: Manifest, zero: Fraction) -> Fraction:
    """How many seconds after 0 ms the earliest rendered stream begins; 0 where none of them presents anything."""
    times = (first_time(media, index) for index in rendered_indexes(manifest))
    return min((t for t in times if t is not None), default=zero) - zero


def _report_frame(report: ReportProgress, frames: int, number: int) -> None:
    """Reports frame `number` of `frames` as done."""
    report("frames", number + 1, frames)


def check_streams(source: InputContainer, manifest: Manifest) -> None:
    """Raises `BindingError` for a file whose streams are not those that the manifest lists."""
    if len(source.streams) != len(manifest.source.streams):
        raise BindingError(
            f"the file has {len(source.streams)} streams, the manifest {len(manifest.source.streams)}; run locate again"
        )
    for stream, record in zip(source.streams, manifest.source.streams, strict=True):
        kind = record.type if isinstance(record, VideoStream | AudioStream) else None
        if kind is not None and (stream.type, codec_name(stream)) != (kind, record.codec):
            raise BindingError(
                f"stream {record.index} is not the {record.codec} {kind} that the manifest lists; run locate again"
            )


def _expected(media: MediaFile, stream: StreamOutput, beside_video: bool) -> ExpectedStream:
    """What reading back must find of a stream; the start of audio is compared only where there is video beside it."""
    if isinstance(stream, EncodedVideo):
        codec, base = PROFILES[stream.spec.profile].decoder, stream.spec.time_base
        return ExpectedStream("video", codec, len(stream.pts), stream.pts, base, stream.pts[0] * base)
    begins = first_time(media, stream.index) if beside_video else None  # raw audio formats restart at 0
    if begins is not None and stream.counts.silent_from is not None:
        begins = min(begins, stream.counts.silent_from)
    return ExpectedStream("audio", stream.codec, stream.counts.packets, None, Fraction(1, stream.rate_hz), begins)


def _output_record(output: MediaFile, number: int, stream: StreamOutput) -> OutputStreamRecord:
    """The receipt's record of output stream `number`, with the digest of its decoded content."""
    if isinstance(stream, EncodedVideo):
        frames = (digest for path in stream.paths for digest in segment_files.read_header(path).frame_digests)
        codec = PROFILES[stream.spec.profile].decoder
        return OutputStreamRecord("video", codec, len(stream.pts), readback.content_digest(frames))
    _, digest = audio_digest(output, number)
    return OutputStreamRecord("audio", stream.codec, stream.counts.packets, digest)


def _encoders(manifest: Manifest, streams: Sequence[StreamOutput]) -> dict[str, str]:
    """The encoders that were used, with their exact options."""
    encoders = PROFILES[manifest.output.profile].described if manifest.output.profile else {}
    for stream in streams:
        if isinstance(stream, AudioOutput) and stream.encoding is not None:
            options = " ".join(f"{name}={value}" for name, value in stream.encoding.options)
            encoders[f"audio {stream.index}"] = f"{stream.encoding.codec} {options}".strip()
    return encoders


def _covered(streams: Sequence[StreamOutput]) -> dict[int, tuple[int, int]]:
    """For each track, by its index in the manifest: the frames on which it was painted, and the pixels in all."""
    total: dict[int, tuple[int, int]] = {}
    for stream in streams:
        for path in stream.paths if isinstance(stream, EncodedVideo) else ():
            for track, (frames, pixels) in segment_files.read_header(path).covered.items():
                before = total.get(track, (0, 0))
                total[track] = (before[0] + frames, before[1] + pixels)
    return total


def _ranges(manifest: Manifest, streams: Sequence[StreamOutput]) -> dict[int, list[dict[str, int]]]:
    """For each range that counts: the samples, half-open from 0 ms, that it covers or keeps in each of its streams."""
    found: dict[int, list[dict[str, int]]] = {}
    for stream in streams:
        if isinstance(stream, AudioOutput):
            for number, start, end in range_samples(manifest, stream.index, stream.rate_hz):
                entry = {"stream": stream.index, "start_sample": start, "end_sample": end}
                found.setdefault(number, []).append(entry)
    return found


def _warnings(streams: Sequence[StreamOutput]) -> Iterator[str]:
    """The warnings of the receipt."""
    for stream in streams:
        if isinstance(stream, EncodedVideo) and stream.widened:
            yield f"stream {stream.record.index}: its last row or column is repeated to make whole blocks of colour"
        if isinstance(stream, EncodedVideo) and stream.mixed:
            yield f"stream {stream.record.index}: some frames are interlaced, some not; all are encoded like the first"
        if isinstance(stream, EncodedVideo):
            blackened = sum(segment_files.read_header(path).blackened for path in stream.paths)
            yield from [f"stream {stream.record.index}: {blackened} {BLACKENED}"] if blackened else []


def _outcomes(source: InputContainer, manifest: Manifest, streams: Sequence[StreamOutput]) -> Iterator[StreamOutcome]:
    """The disposition of each input stream and the names of its dropped metadata; the file's own are the first's."""
    rendered = dict(zip(rendered_indexes(manifest), streams, strict=True))
    for stream, record in zip(source.streams, manifest.source.streams, strict=True):
        kept = record.index in rendered and readback.language_code(stream.metadata) is not None
        names = [n for n in stream.metadata if n.lower() != "language" or not kept]
        if record.index == 0:
            names += [*source.metadata, *(["chapters"] if source.chapters() else [])]
        match rendered.get(record.index):
            case EncodedVideo() as video:
                disposition, reason = "re-encoded", "covers are painted"
                names += ["captions"] if video.captions else []
            case AudioOutput() as sound:
                disposition, reason = sound.disposition, sound.reason
            case _ if isinstance(record, VideoStream | AudioStream):
                disposition, reason = "dropped", "the manifest does not render it"
            case _:
                disposition, reason = "dropped", f"{other_record(stream).type} streams are never rendered"
        audio = rendered.get(record.index)
        zeroed = audio.counts.ancillary_bytes_zeroed if isinstance(audio, AudioOutput) else 0
        yield StreamOutcome(record.index, record.type, record.codec, disposition, reason, safe_names(names), zeroed)
