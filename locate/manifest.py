"""Builds the manifest: source, output, effects, tracks and audio ranges, in a deterministic order."""

from collections.abc import Sequence
from dataclasses import dataclass

from veridact.errors import UsageError
from veridact.locate.options import AUDIO_EFFECTS, VIDEO_EFFECTS, Options
from veridact.locate.speech.ranges import ProposedRange
from veridact.locate.video.keyframes import reduce_keyframes
from veridact.locate.video.smoothing import DenseTrack
from veridact.media.containers import LOSSLESS_OF
from veridact.media.pictures import CONTAINER_OF
from veridact.media.sniff import Format
from veridact.sandbox.heartbeat import beat
from veridact.schema import rules
from veridact.schema.manifest import (
    SCHEMA_ID,
    AudioEffect,
    AudioEffects,
    AudioRange,
    AudioStream,
    Container,
    Effects,
    Manifest,
    Origin,
    Output,
    OutputStream,
    Producer,
    Segment,
    Source,
    Track,
    VideoEffects,
    VideoStream,
)

_AUDIO_CONTAINERS: dict[str, Container] = {
    "mp3": "mp3", "flac": "flac", "wav": "wav", "ogg": "ogg", "mov": "m4a", "aac": "m4a", "matroska": "mkv",
}  # fmt: skip

_M4A_CODECS = frozenset({"aac", "alac", "ac3"})


@dataclass(frozen=True)
class KeyframedTrack:
    """One track of one stream as keyframes; the box on every frame, which takes memory, is not kept."""

    stream: int
    label: str
    score: float
    by: str
    segment: Segment

    @property
    def first(self) -> int:
        """The first frame of the track."""
        return self.segment.keys[0].frame


def keyframed_track(stream: int, dense: DenseTrack, pts: Sequence[int]) -> KeyframedTrack:
    """A dense track of `stream` reduced to keyframes whose interpolated boxes contain it; `pts` is of every frame."""
    beat()
    return KeyframedTrack(stream, dense.label, dense.score, dense.by, reduce_keyframes(dense.boxes, dense.first, pts))


def build_tracks(keyframed: Sequence[KeyframedTrack]) -> tuple[Track, ...]:
    """The proposed tracks, numbered within each label by first frame, stream, y and x (SPEC §1.1 rule 7)."""
    order = sorted(keyframed, key=lambda t: (t.first, t.stream, t.segment.keys[0].box[1::-1], t.label))
    counts: dict[str, int] = {}
    tracks: list[Track] = []
    for t in order:
        counts[t.label] = counts.get(t.label, 0) + 1
        tracks.append(
            Track.model_validate(
                {
                    "id": f"{t.label.replace('_', '-')}-{counts[t.label]:04d}",
                    "stream": t.stream,
                    "label": t.label,
                    "review": "proposed",
                    "origin": Origin(by=t.by, score=min(1000, round(t.score * 1000))),
                    "segments": (t.segment,),
                }
            )
        )
    return tuple(tracks)


def build_audio_ranges(ranges: Sequence[ProposedRange]) -> tuple[AudioRange, ...]:
    """The proposed audio ranges, numbered within each label by start and stream."""
    counts: dict[str, int] = {}
    audio: list[AudioRange] = []
    for r in sorted(ranges, key=lambda r: (r.start_ms, r.stream, r.end_ms, r.label)):
        counts[r.label] = counts.get(r.label, 0) + 1
        audio.append(
            AudioRange.model_validate(
                {
                    "id": f"{r.label.replace('_', '-')}-{counts[r.label]:04d}",
                    "stream": r.stream,
                    "label": r.label,
                    "review": "proposed",
                    "origin": Origin(by=r.by, score=r.score),
                    "start_ms": r.start_ms,
                    "end_ms": r.end_ms,
                }
            )
        )
    return tuple(audio)


def build_effects(source: Source, options: Options) -> Effects:
    """The default effects of the media types in the source, replaced where the options name others."""
    video = {k: v for k, v in options.effects.items() if not isinstance(v, AudioEffect)}
    audio = {k: v for k, v in options.effects.items() if isinstance(v, AudioEffect)}
    types = {s.type for s in source.streams}
    effects: dict[str, VideoEffects | AudioEffects] = {}
    if types & {"video", "picture"}:
        effects["video"] = VIDEO_EFFECTS.model_copy(update=video)
    if "audio" in types:
        effects["audio"] = AUDIO_EFFECTS.model_copy(update=audio)
    return Effects.model_validate(effects)


def _containers_for(kind: str, profile: str) -> frozenset[str]:
    """The containers of a kind of source, which is picture, audio or video."""
    tables = {"picture": rules.PICTURE_CONTAINERS, "audio": rules.AUDIO_CONTAINERS}
    return tables.get(kind) or rules.VIDEO_CONTAINERS[profile]


def _choose_container(source: Source, form: Format, options: Options, covered: bool) -> Container:
    """The container of the options, else that of the source, or FLAC where that cannot hold the `covered` audio.

    Raises `UsageError` for a container that does not suit the source.
    """
    if options.container is not None:
        suitable = _containers_for(source.kind, options.profile)
        if options.container not in suitable:
            raise UsageError(
                f"--container {options.container} cannot hold this; choose from {', '.join(sorted(suitable))}"
            )
        return options.container
    if source.kind == "picture":
        picture: Container = CONTAINER_OF[form.name]  # type: ignore[assignment]  # the table has only containers
        return picture
    if source.kind == "audio":
        in_m4a = {s.codec for s in source.streams if isinstance(s, AudioStream)} <= _M4A_CODECS
        own = "mp4" if form.name == "mov" and not in_m4a else _AUDIO_CONTAINERS.get(form.name, "mkv")
        return own if own in LOSSLESS_OF or not covered else "flac"
    return "mkv" if options.profile == "lossless" else "mp4"


def _disposition(stream: VideoStream | AudioStream, options: Options) -> str:
    """`drop` for a stream that the options ask to search and that was not (SPEC §1.1 rule 13), else `render`."""
    labels = options.video_labels if isinstance(stream, VideoStream) else options.audio_labels
    return "drop" if labels and not stream.searched else "render"


def build_output(source: Source, form: Format, options: Options, covered: bool) -> Output:
    """The container, the profile, and the disposition of every video and audio stream; other streams are not listed.

    `covered` is whether any audio is to be covered.
    """
    container = _choose_container(source, form, options, covered)
    if source.kind == "picture":
        return Output(container=container)
    listed = [s for s in source.streams if isinstance(s, VideoStream | AudioStream)]
    streams = tuple(
        OutputStream.model_validate({"index": s.index, "disposition": _disposition(s, options)}) for s in listed
    )
    if source.kind == "audio":
        return Output(container=container, streams=streams)
    return Output.model_validate({"container": container, "profile": options.profile, "streams": streams})


def build_manifest(
    source: Source,
    form: Format,
    producers: Sequence[Producer],
    keyframed: Sequence[KeyframedTrack],
    ranges: Sequence[ProposedRange],
    options: Options,
) -> Manifest:
    """The manifest of the tracks and audio ranges found; raises `ManifestError` if it would break a rule."""
    manifest = Manifest.model_validate(
        {
            "schema": SCHEMA_ID,
            "source": source,
            "producers": tuple(producers),
            "output": build_output(source, form, options, bool(ranges)),
            "scope": "listed",
            "effects": build_effects(source, options),
            "tracks": build_tracks(keyframed),
            "audio": build_audio_ranges(ranges),
            "ext": {},
        }
    )
    rules.check(manifest)
    return manifest
