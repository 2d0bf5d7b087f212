"""What is true of a file, from whoever marked it: a manifest, CVAT for video 1.1 or MOT, told apart by content."""

from typing import Any

from veridact.errors import UsageError
from veridact.schema import reader
from veridact.schema.manifest import Manifest, PictureStream, Track, VideoStream
from veridact.schema.timeline import Clocks
from veridact.tools.formats import common, cvat, mot
from veridact.tools.formats.common import Imported
from veridact.tools.formats.keyframes import segments

SPACE = b" \t\r\n"
UTF8_MARK = b"\xef\xbb\xbf"


def read(raw: bytes, found: Manifest, clocks: Clocks, label: str | None) -> tuple[Manifest, list[str]]:
    """The truth to score `found` against, and what of it was not taken over.

    CVAT and MOT speak of the first stream with a picture; `label` is that of MOT's boxes, by default the only one of
    `found`. Raises `UsageError`, `ManifestError` or `BindingError`.
    """
    unmarked = raw.removeprefix(UTF8_MARK)
    begin = unmarked.lstrip(SPACE)[:1]
    if begin == b"{":
        return reader.read(raw).manifest, []
    others: list[str] = []
    stream = common.picture_stream(found, others)
    if begin == b"<":
        imported = cvat.read(unmarked, stream)
    elif begin.isdigit():
        imported = mot.read(unmarked, stream, label or _only_label(found))
    else:
        raise UsageError("the truth is neither a manifest nor CVAT for video nor MOT; veridact export writes all three")
    return _manifest(imported, stream, found, clocks), [*imported.lost, *others]


def _only_label(found: Manifest) -> str:
    labels = sorted({t.label for t in found.tracks})
    if len(labels) != 1:
        raise UsageError(f"MOT has no labels: say with --label what its boxes are; the manifest has {labels or 'none'}")
    return labels[0]


def _manifest(imported: Imported, stream: VideoStream | PictureStream, found: Manifest, clocks: Clocks) -> Manifest:
    """The boxes of another tool as tracks of the one stream of `found` that it speaks of, exact on every frame."""
    tracks = []
    for number, item in enumerate(imported.tracks, 1):
        pts = clocks[item["stream"]].assumed().pts or ()
        fields: dict[str, Any] = {
            "id": f"{item['label'].replace('_', '-')}-{number:04d}",
            "stream": item["stream"],
            "label": item["label"],
            "review": item["review"],
            "origin": {"by": "hand"},
            "segments": segments(item["boxes"], pts),
        }
        tracks.append(Track.model_validate(fields))
    source = found.source.model_copy(update={"streams": (stream,)})
    return found.model_copy(update={"source": source, "tracks": tuple(tracks), "audio": ()})
