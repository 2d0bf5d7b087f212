"""The `rules` layer: relations between the fields of a manifest, as a table of small checks.

Each check yields a fault, `(path, reason)`, for every value it refuses; the first fault is reported as the error.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from veridact.errors import ManifestError
from veridact.schema.manifest import (
    MAX_KEYS,
    AudioRange,
    AudioStream,
    Manifest,
    PictureStream,
    Producer,
    Track,
    VideoStream,
)


class Fault(NamedTuple):
    """One broken rule: the JSON path of the value, and the reason."""

    path: str
    reason: str


Faults = Iterator[Fault]

PICTURE_CONTAINERS = frozenset({"jpeg", "png", "webp", "tiff", "bmp", "gif"})
VIDEO_CONTAINERS = {"h264": frozenset({"mp4", "mov", "mkv"}), "lossless": frozenset({"mkv"})}
AUDIO_CONTAINERS = frozenset({"flac", "wav", "m4a", "mp3", "ogg", "mkv", "mp4", "mov"})
REVIEWED = frozenset({"accepted", "edited", "added"})


def _streams(m: Manifest) -> Faults:
    """Streams are numbered in order and fit the kind of the source."""
    kinds = {s.type for s in m.source.streams}
    for i, stream in enumerate(m.source.streams):
        if stream.index != i:
            yield Fault(f"$.source.streams[{i}].index", f"streams are listed in order; expected {i}")
        if isinstance(stream, PictureStream):
            has_timeline = (stream.time_base is not None, stream.pts_sha256 is not None)
            if has_timeline != (stream.frames > 1,) * 2:
                yield Fault(
                    f"$.source.streams[{i}]",
                    "time_base and pts_sha256 belong to animated pictures, and those need both",
                )
    if m.source.kind == "picture" and kinds != {"picture"}:
        yield Fault("$.source.streams", "a picture has exactly one stream, of type picture")
    if m.source.kind != "picture" and "picture" in kinds:
        yield Fault("$.source.kind", "a stream of type picture makes this a picture")
    if m.source.kind == "video" and "video" not in kinds:
        yield Fault("$.source.kind", "a video has at least one stream of type video")
    if m.source.kind == "audio" and ("video" in kinds or "audio" not in kinds):
        yield Fault("$.source.kind", "audio has at least one stream of type audio and none of type video")


def _output(m: Manifest) -> Faults:
    """Container, profile, quality and stream dispositions fit the source."""
    kind, out = m.source.kind, m.output
    if (out.profile is not None) != (kind == "video"):
        yield Fault("$.output.profile", "a video needs a profile, and only a video has one")
    if out.quality is not None and kind != "picture":
        yield Fault("$.output.quality", "quality is for pictures")
    if (out.streams is None) != (kind == "picture"):
        yield Fault("$.output.streams", "video and sound list their streams, pictures do not")
    allowed = {
        "picture": PICTURE_CONTAINERS,
        "video": VIDEO_CONTAINERS.get(out.profile or "", frozenset()),
        "audio": AUDIO_CONTAINERS,
    }[kind]
    if out.container not in allowed:
        yield Fault(
            "$.output.container",
            f"{out.container} cannot hold this {kind}; choose one of {', '.join(sorted(allowed))}",
        )
    seen: set[int] = set()
    for i, entry in enumerate(out.streams or ()):
        path = f"$.output.streams[{i}]"
        if entry.index in seen:
            yield Fault(f"{path}.index", f"stream {entry.index} is listed twice")
        seen.add(entry.index)
        if entry.index >= len(m.source.streams):
            yield Fault(f"{path}.index", f"there is no stream {entry.index} in the source")
        elif entry.disposition == "render" and not isinstance(m.source.streams[entry.index], VideoStream | AudioStream):
            kind_of = m.source.streams[entry.index].type
            yield Fault(f"{path}.disposition", f"a {kind_of} stream is never rendered; drop it")
    if out.streams is not None and not any(s.disposition == "render" for s in out.streams):
        yield Fault("$.output.streams", "no stream is rendered")


def _effects(m: Manifest) -> Faults:
    """Effects are given for the media that the source has."""
    has_picture = any(isinstance(s, VideoStream | PictureStream) for s in m.source.streams)
    has_audio = any(isinstance(s, AudioStream) for s in m.source.streams)
    if has_picture and m.effects.video is None:
        yield Fault("$.effects.video", "needed, with a default: the source has a picture")
    if has_audio and m.effects.audio is None:
        yield Fault("$.effects.audio", "needed, with a default: the source has sound")


def _ids(m: Manifest) -> Faults:
    """No id is used twice."""
    groups: Sequence[tuple[str, Sequence[Producer | Track | AudioRange]]] = (
        ("producers", m.producers),
        ("tracks", m.tracks),
        ("audio", m.audio),
    )
    seen: set[str] = set()
    for group, items in groups:
        for i, item in enumerate(items):
            if item.id in seen:
                yield Fault(f"$.{group}[{i}].id", f"the id {item.id} is used twice")
            seen.add(item.id)


def _items(m: Manifest) -> Faults:
    """Items name a known producer, and `keep` is used in scope `everything` only."""
    producers = {p.id for p in m.producers} | {"hand"}
    groups: Sequence[tuple[str, Sequence[Track | AudioRange]]] = (
        ("tracks", m.tracks),
        ("audio", m.audio),
    )
    for group, items in groups:
        for i, item in enumerate(items):
            path = f"$.{group}[{i}]"
            if item.origin.by not in producers:
                yield Fault(f"{path}.origin.by", f"{item.origin.by} is no producer; name one or `hand`")
            if item.label == "keep" and m.scope == "listed":
                yield Fault(f"{path}.label", 'keep is for scope "everything"')
            if item.label == "keep" and item.effect is not None:
                yield Fault(f"{path}.effect", "a keep has no effect")


def _tracks(m: Manifest) -> Faults:
    """Tracks belong to video streams or pictures."""
    for i, track in enumerate(m.tracks):
        path = f"$.tracks[{i}]"
        stream = m.source.streams[track.stream] if track.stream < len(m.source.streams) else None
        if not isinstance(stream, VideoStream | PictureStream):
            yield Fault(f"{path}.stream", f"stream {track.stream} is no video stream of the source")
            continue
        yield from _segments(track, path, stream.frames)


def _segments(track: Track, path: str, frames: int) -> Faults:
    """Segments and keys are in order, do not overlap and lie within the stream's frames."""
    previous_end = 0
    for j, segment in enumerate(track.segments):
        last = -1
        for k, key in enumerate(segment.keys):
            where = f"{path}.segments[{j}].keys[{k}].frame"
            if key.frame <= last:
                yield Fault(where, "the keys of a segment come in increasing frame order")
            last = key.frame
        if segment.keys[0].frame < previous_end:
            yield Fault(f"{path}.segments[{j}]", "segments come in order and do not overlap")
        if segment.end <= last:
            yield Fault(f"{path}.segments[{j}].end", f"must come after the last key's frame {last}")
        if segment.end > frames:
            yield Fault(f"{path}.segments[{j}].end", f"the source has {frames} frames; `end` is at most {frames}")
        previous_end = segment.end


def _audio(m: Manifest) -> Faults:
    """Ranges belong to audio streams and are not empty."""
    streams = m.source.streams
    for i, item in enumerate(m.audio):
        path = f"$.audio[{i}]"
        if item.stream is None:
            if not any(isinstance(s, AudioStream) for s in streams):
                yield Fault(f"{path}.stream", "the source has no sound")
        elif item.stream >= len(streams) or not isinstance(streams[item.stream], AudioStream):
            yield Fault(f"{path}.stream", f"stream {item.stream} is no audio stream of the source")
        if item.end_ms <= item.start_ms:
            yield Fault(f"{path}.end_ms", "must be greater than start_ms")


def _counts(m: Manifest) -> Faults:
    """There are at most `MAX_KEYS` keys."""
    keys = sum(len(s.keys) for t in m.tracks for s in t.segments)
    if keys > MAX_KEYS:
        yield Fault("$.tracks", f"{keys} keys; at most {MAX_KEYS} are allowed")


RULES: tuple[Callable[[Manifest], Faults], ...] = (
    _counts,
    _streams,
    _output,
    _effects,
    _ids,
    _items,
    _tracks,
    _audio,
)
"""All checks, in the order in which their faults are reported."""


def faults(m: Manifest) -> Faults:
    """Every fault of a manifest that has passed the schema, in the order of `RULES`."""
    for rule in RULES:
        yield from rule(m)


def check(m: Manifest) -> None:
    """Raises `ManifestError` (layer `rules`) for the first broken rule."""
    for fault in faults(m):
        raise ManifestError("rules", *fault)
