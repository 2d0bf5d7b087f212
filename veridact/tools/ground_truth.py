"""Ground truth for `score`, read from a manifest, CVAT for video 1.1 or MOT; the content shows which it is."""

from typing import Any

from veridact.errors import UsageError
from veridact.schema import reader
from veridact.schema.manifest import Manifest, PictureStream, Track, VideoStream
from veridact.schema.timeline import Clocks
from veridact.tools.formats import common, cvat, mot
from veridact.tools.formats.common import Imported
from veridact.tools.formats.keyframes import segments

WHITESPACE = b" \t\r\n"
UTF8_BOM = b"\xef\xbb\xbf"


def read(raw: bytes, scored: Manifest, clocks: Clocks, label: str | None) -> tuple[Manifest, list[str]]:
    """The ground truth to score the manifest `scored` against, and a line for each piece of information not used.

    CVAT and MOT annotate the first stream with a picture. `label` is the one of MOT's boxes, by default the only label
    of `scored`. Raises `UsageError` for another format, `ManifestError` for an invalid manifest and `BindingError` for
    a CVAT task of another clip.
    """
    text = raw.removeprefix(UTF8_BOM)
    begin = text.lstrip(WHITESPACE)[:1]
    if begin == b"{":
        return reader.read(raw).manifest, []
    lost: list[str] = []
    stream = common.picture_stream(scored, lost)
    if begin == b"<":
        imported = cvat.read(text, stream)
    elif begin.isdigit():
        imported = mot.read(text, stream, label or _only_label(scored))
    else:
        raise UsageError(
            "the ground truth is neither a manifest nor CVAT for video nor MOT; veridact export writes CVAT and MOT"
        )
    return _manifest(imported, stream, scored, clocks), [*imported.lost, *lost]


def _only_label(scored: Manifest) -> str:
    labels = sorted({t.label for t in scored.tracks})
    if len(labels) != 1:
        raise UsageError(
            f"MOT has no labels: name that of its boxes with --label; the manifest has {', '.join(labels) or 'none'}"
        )
    return labels[0]


def _manifest(imported: Imported, stream: VideoStream | PictureStream, scored: Manifest, clocks: Clocks) -> Manifest:
    """The imported boxes, exact on every frame, as tracks of a manifest with the one stream that they annotate."""
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
    source = scored.source.model_copy(update={"streams": (stream,)})
    return scored.model_copy(update={"source": source, "tracks": tuple(tracks), "audio": ()})
