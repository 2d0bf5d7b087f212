"""The types that all formats share, and the way from imported items to a manifest."""

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
"""The fields of the review record, which formats with free attributes keep besides the id and the score."""
ATTRIBUTES = ("id", "score", *RECORD)


@dataclass(frozen=True)
class Exported:
    """A file for another tool, and a line for each kind of information that its format cannot hold."""

    data: bytes
    lost: list[str]


@dataclass
class Imported:
    """What a file of another tool holds.

    `tracks` have the fields of a manifest's track with `boxes`, a box by frame, in place of segments; `ranges` have the
    fields of a range. `lost` has a line for each piece of information not imported; `searched` are the indices of the
    streams that the file annotates.
    """

    tracks: list[dict[str, Any]] = field(default_factory=list)
    ranges: list[dict[str, Any]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    searched: frozenset[int] = frozenset()


def outward(x: Fraction, y: Fraction, right: Fraction, bottom: Fraction) -> Box:
    """The smallest box of whole pixels that contains exact edges; raises `ValueError` when it has no extent."""
    box = (int(x // 1), int(y // 1), -int(-right // 1) - int(x // 1), -int(-bottom // 1) - int(y // 1))
    if box[2] < 1 or box[3] < 1:
        raise ValueError("a box without extent")
    return box


def picture_stream(manifest: Manifest, lost: list[str]) -> VideoStream | PictureStream:
    """The first stream with a picture, for formats that hold one; a line in `lost` for each of the others.

    Raises `UsageError` where the source has none.
    """
    able = [s for s in manifest.source.streams if isinstance(s, VideoStream | PictureStream)]
    if not able:
        raise UsageError("this format holds pictures and the source has none; use audacity, log-csv or log-html")
    for other in able[1:]:
        count = sum(t.stream == other.index for t in manifest.tracks)
        lost.append(f"video stream {other.index} with {count} tracks: this format holds one stream")
    return able[0]


def record_of(item: Track | AudioRange) -> dict[str, str]:
    """The id, the score and the review record of an item as texts, by field."""
    record = {"id": item.id} | ({"score": str(item.origin.score)} if item.origin.score is not None else {})
    return record | {name: value for name in RECORD if (value := getattr(item, name)) is not None}


def common_losses(manifest: Manifest, *, record: bool, sound: bool) -> list[str]:
    """A line for each loss of a format; `record` and `sound` say whether it holds the review record, and sound."""
    losses = ["the effects, the scope, the output and the producers"]
    items: list[Track | AudioRange] = [*manifest.tracks, *manifest.audio]
    if any(i.effect is not None for i in items):
        losses.append("effects of single items")
    if not record:
        losses.append("ids, review states, reviewers, reasons and notes")
        rejected = [i.id for i in items if i.review == "rejected"]
        if rejected:
            losses.append(f"rejected items: {', '.join(rejected)}")
    if not sound and manifest.audio:
        losses.append(f"{len(manifest.audio)} ranges of sound")
    if sound and manifest.tracks:
        losses.append(f"{len(manifest.tracks)} tracks of the picture")
    return losses


def known_label(name: str, sound_labels: Sequence[str] | None, lost: list[str]) -> str:
    """The label of the manifest with this name; any other name, and `keep`, becomes `custom`, with a line in `lost`."""
    labels = sound_labels if sound_labels is not None else get_args(VideoLabel)
    if name in labels and name != "keep":
        return name
    line = f"label {name!r} becomes custom"
    if line not in lost:
        lost.append(line)
    return "custom"


def _container(source: Source, form: Format) -> str:
    if source.kind == "picture":
        return CONTAINER_OF[form.name]
    return "mp4" if source.kind == "video" else "flac"


def _marked_searched(source: Source, searched: frozenset[int]) -> Source:
    """The source with the streams at the indices `searched` marked as searched."""
    streams = [s.model_copy(update={"searched": True}) if s.index in searched else s for s in source.streams]
    return source.model_copy(update={"streams": tuple(streams)})


def _output(source: Source, form: Format, searched: frozenset[int]) -> Output:
    """The output: every video and audio stream, but of a kind that the file annotates, only the annotated ones."""
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
    """The items with an id each: their own where it is free and fits the label, else the next free one."""
    numbered = []
    for item in items:
        prefix = f"{item['label'].replace('_', '-')}-"
        own = item.pop("id", None)
        number = 1
        while own is None or own in taken or not own.startswith(prefix):
            own, number = f"{prefix}{number:04d}", number + 1
        taken.add(own)
        numbered.append({"id": own, **item})
    return numbered


def manifest_of(
    source: Source, form: Format, name: str, imported: Imported, pts: Mapping[int, Sequence[int]]
) -> Manifest:
    """A manifest with the imported items; `pts` are the timestamps of each stream that has tracks, by index.

    Every cover is solid, every sound cover silence. Raises `UsageError` where the items make no valid manifest.
    """
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
        for t in _numbered(imported.tracks, taken)
    ]
    tree = {
        "schema": "veridact.manifest/1",
        "source": _marked_searched(source, imported.searched).model_dump(mode="json", exclude_unset=True),
        "producers": [{"id": "p1", "kind": "import", "name": name, "settings": {}}],
        "output": _output(source, form, imported.searched).model_dump(mode="json", exclude_unset=True),
        "scope": "listed",
        "effects": effects,
        "tracks": tracks,
        "audio": _numbered(imported.ranges, taken),
        "ext": {},
    }
    try:
        manifest = reader.validate(tree)
        rules.check(manifest)
    except ManifestError as e:
        raise UsageError(f"the imported items make no valid manifest: {e.path}: {e.reason}") from None
    return manifest


def item_fields(attributes: Mapping[str, str], stream: int | None, label: str) -> dict[str, Any]:
    """The fields that tracks and ranges share, with the id, score and review record that `attributes` hold."""
    score = attributes.get("score", "")
    origin = {"by": "p1"} | ({"score": int(score)} if score.isdecimal() and int(score) <= 1000 else {})
    record = {name: attributes[name] for name in RECORD if attributes.get(name)}
    own = {"id": attributes["id"]} if attributes.get("id") else {}
    return {**own, "stream": stream, "label": label, "review": "proposed", **record, "origin": origin}
