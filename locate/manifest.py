"""Putting together the manifest: streams, covers and effects, in the order that makes it the same every time."""

from collections.abc import Sequence
from dataclasses import dataclass

from veridact.errors import UsageError
from veridact.locate.options import AUDIO_EFFECTS, VIDEO_EFFECTS, Options
from veridact.locate.speech.ranges import ProposedRange
from veridact.locate.video.keyframes import simplified
from veridact.locate.video.smoothing import Course
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

_SOUND_CONTAINER: dict[str, Container] = {
    "mp3": "mp3", "flac": "flac", "wav": "wav", "ogg": "ogg", "mov": "m4a", "aac": "m4a", "matroska": "mkv",
}  # fmt: skip

_HELD_BY_M4A = frozenset({"aac", "alac", "ac3"})


@dataclass(frozen=True)
class Cover:
    """One thing found in one stream, already simplified: its box on every frame, which takes memory, is let go."""

    stream: int
    label: str
    score: float
    by: str
    segment: Segment

    @property
    def first(self) -> int:
        """The frame on which it begins."""
        return self.segment.keys[0].frame


def cover(stream: int, course: Course, pts: Sequence[int]) -> Cover:
    """A course with the fewest keys that contain it."""
    beat()
    return Cover(stream, course.label, course.score, course.by, simplified(course.boxes, course.first, pts))


def tracks(covers: Sequence[Cover]) -> tuple[Track, ...]:
    """The covers as proposed tracks, numbered within each label by first frame, stream, y and x (SPEC §1.1 rule 7)."""
    order = sorted(covers, key=lambda c: (c.first, c.stream, c.segment.keys[0].box[1::-1], c.label))
    counts: dict[str, int] = {}
    made: list[Track] = []
    for c in order:
        counts[c.label] = counts.get(c.label, 0) + 1
        made.append(
            Track.model_validate(
                {
                    "id": f"{c.label.replace('_', '-')}-{counts[c.label]:04d}",
                    "stream": c.stream,
                    "label": c.label,
                    "review": "proposed",
                    "origin": Origin(by=c.by, score=min(1000, round(c.score * 1000))),
                    "segments": (c.segment,),
                }
            )
        )
    return tuple(made)


def sounds(ranges: Sequence[ProposedRange]) -> tuple[AudioRange, ...]:
    """The stretches of sound as proposed ranges, numbered within each label by start and stream."""
    counts: dict[str, int] = {}
    made: list[AudioRange] = []
    for r in sorted(ranges, key=lambda r: (r.start_ms, r.stream, r.end_ms, r.label)):
        counts[r.label] = counts.get(r.label, 0) + 1
        made.append(
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
    return tuple(made)


def effects(source: Source, options: Options) -> Effects:
    """The effects of the media that occur, with what the caller chose."""
    chosen = options.effects
    seen = {k: v for k, v in chosen.items() if not isinstance(v, AudioEffect)}
    heard = {k: v for k, v in chosen.items() if isinstance(v, AudioEffect)}
    kinds = {s.type for s in source.streams}
    given: dict[str, VideoEffects | AudioEffects] = {}
    if kinds & {"video", "picture"}:
        given["video"] = VIDEO_EFFECTS.model_copy(update=seen)
    if "audio" in kinds:
        given["audio"] = AUDIO_EFFECTS.model_copy(update=heard)
    return Effects.model_validate(given)


def _fitting(kind: str, profile: str) -> frozenset[str]:
    tables = {"picture": rules.PICTURE_CONTAINERS, "audio": rules.SOUND_CONTAINERS}
    return tables.get(kind) or rules.VIDEO_CONTAINERS[profile]


def _container(source: Source, form: Format, options: Options, covered: bool) -> Container:
    """What the caller chose, else the container of the source, or FLAC where that cannot hold `covered` sound."""
    if options.container is not None:
        if options.container not in _fitting(source.kind, options.profile):
            fitting = ", ".join(sorted(_fitting(source.kind, options.profile)))
            raise UsageError(f"--container {options.container} cannot hold this; choose from {fitting}")
        return options.container
    if source.kind == "picture":
        chosen: Container = CONTAINER_OF[form.name]  # type: ignore[assignment]
        return chosen
    if source.kind == "audio":
        held = {s.codec for s in source.streams if isinstance(s, AudioStream)} <= _HELD_BY_M4A
        own = "mp4" if form.name == "mov" and not held else _SOUND_CONTAINER.get(form.name, "mkv")
        return own if own in LOSSLESS_OF or not covered else "flac"
    return "mkv" if options.profile == "lossless" else "mp4"


def _disposition(stream: VideoStream | AudioStream, options: Options) -> str:
    """A stream is dropped when it should have been searched and was not (SPEC §1.1 rule 13)."""
    asked = options.video_labels if isinstance(stream, VideoStream) else options.audio_labels
    return "drop" if asked and not stream.searched else "render"


def output(source: Source, form: Format, options: Options, covered: bool) -> Output:
    """The container, the profile and what becomes of footage and sound; all other streams are left out.

    `covered` is whether any sound is to be covered.
    """
    container = _container(source, form, options, covered)
    if source.kind == "picture":
        return Output(container=container)
    listed = [s for s in source.streams if isinstance(s, VideoStream | AudioStream)]
    streams = tuple(
        OutputStream.model_validate({"index": s.index, "disposition": _disposition(s, options)}) for s in listed
    )
    if source.kind == "audio":
        return Output(container=container, streams=streams)
    return Output.model_validate({"container": container, "profile": options.profile, "streams": streams})


def compose(
    source: Source,
    form: Format,
    producers: Sequence[Producer],
    covers: Sequence[Cover],
    ranges: Sequence[ProposedRange],
    options: Options,
) -> Manifest:
    """The manifest of what was found; raises `ManifestError` rather than give one that breaks a rule."""
    manifest = Manifest.model_validate(
        {
            "schema": SCHEMA_ID,
            "source": source,
            "producers": tuple(producers),
            "output": output(source, form, options, bool(ranges)),
            "scope": "listed",
            "effects": effects(source, options),
            "tracks": tracks(covers),
            "audio": sounds(ranges),
            "ext": {},
        }
    )
    rules.check(manifest)
    return manifest
