"""What all formats of other tools have in common: what is written, what is read, and what each cannot hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, get_args

from veridact.errors import ManifestError, UsageError
from veridact.media.pictures import CONTAINER_OF
from veridact.media.sniff import Format
from veridact.schema import reader, rules
from veridact.schema.geometry import Box
from veridact.schema.manifest import AudioRange, Manifest, Output, PictureStream, Source, Track, VideoLabel, VideoStream
from veridact.tools.formats.keyframes import segments

RECORD = ("review", "reviewer", "reason", "note")
"""The fields that formats with free attributes carry along, besides the id and the score."""
ATTRIBUTES = ("id", "score", *RECORD)


@dataclass(frozen=True)
class Exported:
    """A file for another tool, and what it could not hold, in words."""

    data: bytes
    lost: list[str]


@dataclass
class Imported:
    """What was read from another tool: tracks as boxes by frame, ranges in milliseconds, and what was lost."""

    tracks: list[dict[str, Any]] = field(default_factory=list)
    ranges: list[dict[str, Any]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    searched: frozenset[int] = frozenset()


def outward(x: Fraction, y: Fraction, right: Fraction, bottom: Fraction) -> Box:
    """The smallest box of whole pixels around exact edges; raises `ValueError` when it has no extent."""
    box = (int(x // 1), int(y // 1), -int(-right // 1) - int(x // 1), -int(-bottom // 1) - int(y // 1))
    if box[2] < 1 or box[3] < 1:
        raise ValueError("a box without extent")
    return box


def picture_stream(manifest: Manifest, lost: list[str]) -> VideoStream | PictureStream:
    """The stream that a format of one picture track holds: the first; the others are lost."""
    able = [s for s in manifest.source.streams if isinstance(s, VideoStream | PictureStream)]
    if not able:
        raise UsageError("this format is for pictures and the source has none; use audacity, log-csv or log-html")
    for other in able[1:]:
        count = sum(t.stream == other.index for t in manifest.tracks)
        lost.append(f"video stream {other.index} with {count} tracks: this format holds one stream")
    return able[0]


def record_of(item: Track | AudioRange) -> dict[str, str]:
    """The id, the score and the review record of an item as texts."""
    found = {"id": item.id} | ({"score": str(item.origin.score)} if item.origin.score is not None else {})
    return found | {name: value for name in RECORD if (value := getattr(item, name)) is not None}


def common_losses(manifest: Manifest, *, record: bool, sound: bool) -> list[str]:
    """What no such format holds, and, by the flags, whether it holds the review record and sound."""
    found = ["the effects, the scope, the output and the producers"]
    items: list[Track | AudioRange] = [*manifest.tracks, *manifest.audio]
    if any(i.effect is not None for i in items):
        found.append("effects of single items")
    if not record:
        found.append("ids, review states, reviewers, reasons and notes")
        rejected = [i.id for i in items if i.review == "rejected"]
        if rejected:
            found.append(f"rejected items: {', '.join(rejected)}")
    if not sound and manifest.audio:
        found.append(f"{len(manifest.audio)} ranges of sound")
    if sound and manifest.tracks:
        found.append(f"{len(manifest.tracks)} tracks of the picture")
    return found


def known_label(name: str, sound_labels: Sequence[str] | None, lost: list[str]) -> str:
    """The label that a name stands for; one that is not ours becomes `custom`, and that is told."""
    labels = sound_labels if sound_labels is not None else get_args(VideoLabel)
    if name in labels and name != "keep":
        return name
    remark = f"label {name!r} becomes custom"
    if remark not in lost:
        lost.append(remark)
    return "custom"


def _container(source: Source, form: Format) -> str:
    if source.kind == "picture":
        return CONTAINER_OF[form.name]
    return "mp4" if source.kind == "video" else "flac"


def _told(source: Source, searched: frozenset[int]) -> Source:
    """The source with the streams marked that somebody has looked into."""
    streams = [s.model_copy(update={"searched": True}) if s.index in searched else s for s in source.streams]
    return source.model_copy(update={"streams": tuple(streams)})


def _output(source: Source, form: Format, searched: frozenset[int]) -> Output:
    """What is kept: all footage and sound, but none of a kind that was looked into elsewhere only."""
    tree: dict[str, Any] = {"container": _container(source, form)}
    if source.kind == "video":
        tree["profile"] = "h264"
    if source.kind != "picture":
        kept = [s.index for s in source.streams if s.type in {"video", "audio"}]
        kinds = {source.streams[i].type for i in searched}
        dropped = {i for i in kept if i not in searched and source.streams[i].type in kinds}
        tree["streams"] = [{"index": i, "disposition": "drop" if i in dropped else "render"} for i in kept]
    return Output.model_validate(tree)


def _numbered(items: Sequence[dict[str, Any]], taken: set[str]) -> list[dict[str, Any]]:
    """The items with an id each: their own where it is free and fits the label, else the next one."""
    made = []
    for item in items:
        prefix = f"{item['label'].replace('_', '-')}-"
        own = item.pop("id", None)
        number = 1
        while own is None or own in taken or not own.startswith(prefix):
            own, number = f"{prefix}{number:04d}", number + 1
        taken.add(own)
        made.append({"id": own, **item})
    return made


def manifest_of(source: Source, form: Format, name: str, found: Imported, pts: Mapping[int, Sequence[int]]) -> Manifest:
    """A manifest for a file with what another tool knew about it; `pts` by stream. Raises `UsageError`."""
    kinds = {s.type for s in source.streams}
    effects: dict[str, Any] = {}
    if kinds & {"video", "picture"}:
        effects["video"] = {"default": {"effect": "solid", "shape": "box", "pad_permille": 150}}
    if "audio" in kinds:
        effects["audio"] = {"default": {"effect": "silence", "pad_ms": 80}}
    taken: set[str] = set()
    tracks = [
        {k: v for k, v in t.items() if k != "boxes"}
        | {"segments": [s.model_dump(mode="json") for s in segments(t["boxes"], pts[t["stream"]])]}
        for t in _numbered(found.tracks, taken)
    ]
    tree = {
        "schema": "veridact.manifest/1",
        "source": _told(source, found.searched).model_dump(mode="json", exclude_unset=True),
        "producers": [{"id": "p1", "kind": "import", "name": name, "settings": {}}],
        "output": _output(source, form, found.searched).model_dump(mode="json", exclude_unset=True),
        "scope": "listed",
        "effects": effects,
        "tracks": tracks,
        "audio": _numbered(found.ranges, taken),
        "ext": {},
    }
    try:
        manifest = reader.validate(tree)
        rules.check(manifest)
    except ManifestError as e:
        raise UsageError(f"what was read makes no valid manifest: {e.path}: {e.reason}") from None
    return manifest


def item_fields(attributes: Mapping[str, str], stream: int | None, label: str) -> dict[str, Any]:
    """The fields of an imported item, with the review record that the other tool carried along."""
    score = attributes.get("score", "")
    origin = {"by": "p1"} | ({"score": int(score)} if score.isdecimal() and int(score) <= 1000 else {})
    record = {name: attributes[name] for name in RECORD if attributes.get(name)}
    own = {"id": attributes["id"]} if attributes.get("id") else {}
    return {**own, "stream": stream, "label": label, "review": "proposed", **record, "origin": origin}
