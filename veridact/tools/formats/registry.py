"""The formats of `veridact export` and `import`: tables from their names to functions."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from veridact.errors import UsageError
from veridact.media import timeline
from veridact.media.origin import audio_offset
from veridact.media.source import read_source
from veridact.media.video import MediaFile, open_media
from veridact.sandbox import child
from veridact.schema.manifest import AudioStream, Manifest, PictureStream, Source, VideoStream
from veridact.schema.timeline import Clocks
from veridact.tools.formats import audacity, coco, common, cvat, mot, redaction_log
from veridact.tools.formats.common import Exported, Imported


@dataclass(frozen=True)
class Footage:
    """The media file that annotations are imported for; its sound begins `offset_ms` milliseconds after its 0 ms.

    `label` is the one for formats that have no labels.
    """

    source: Source
    offset_ms: int
    label: str


def offset_ms(media: MediaFile) -> int:
    """How much later than the first presentation time of the file its sound begins, rounded to milliseconds."""
    return round(audio_offset(media) * 1000)


def _export_audacity(manifest: Manifest, clocks: Clocks, offset: int) -> Exported:
    return audacity.write(manifest, offset)


EXPORTS: dict[str, Callable[[Manifest, Clocks, int], Exported]] = {
    "cvat": lambda m, c, _: cvat.write(m, c),
    "mot": lambda m, c, _: mot.write(m, c),
    "coco": lambda m, c, _: coco.write(m),
    "audacity": _export_audacity,
    "log-csv": lambda m, c, _: Exported(redaction_log.as_csv(m, c), []),
    "log-html": lambda m, c, _: Exported(redaction_log.as_html(m, c), []),
}


def export(manifest: Manifest, name: str, media: Path | None) -> Exported:
    """The manifest in the format `name`; `media` gives the times that the manifest alone does not prove.

    Raises `UsageError` for a format of another medium, `BindingError` where `media` is not the manifest's file.
    """
    clocks = timeline.clocks(manifest, media)
    offset = 0
    if media is not None:
        with open_media(media) as file:
            offset = child.call(lambda: offset_ms(file), file.fd)
    return EXPORTS[name](manifest, clocks, offset)


def _picture(footage: Footage) -> VideoStream | PictureStream:
    for stream in footage.source.streams:
        if isinstance(stream, VideoStream | PictureStream):
            return stream
    raise UsageError("this format holds pictures and the file has none; use audacity")


def _still(footage: Footage) -> PictureStream:
    stream = _picture(footage)
    if not isinstance(stream, PictureStream) or stream.frames != 1:
        raise UsageError("COCO holds single pictures; for video and animations use cvat or mot")
    return stream


def _sound(raw: bytes, footage: Footage) -> Imported:
    streams = frozenset(s.index for s in footage.source.streams if isinstance(s, AudioStream))
    if not streams:
        raise UsageError("Audacity labels hold sound and the file has none; use cvat, mot or coco")
    return audacity.read(raw, footage.offset_ms, streams)


IMPORTS: dict[str, Callable[[bytes, Footage], Imported]] = {
    "cvat": lambda raw, f: cvat.read(raw, _picture(f)),
    "mot": lambda raw, f: mot.read(raw, _picture(f), f.label),
    "coco": lambda raw, f: coco.read(raw, _still(f)),
    "audacity": _sound,
}


def import_file(media: Path, raw: bytes, name: str, label: str) -> tuple[Manifest, list[str]]:
    """A manifest for `media` with the annotations in `raw`, and a line for each piece of information not imported.

    Raises `UsageError` for a malformed file, `BindingError` for one that was made for other media.
    """
    with open_media(media) as file:
        source_json = child.call(lambda: read_source(file).model_dump_json(), file.fd)
        source = Source.model_validate_json(source_json)
        empty = common.manifest_of(source, file.format, name, Imported(), {})
        clocks = timeline.from_media(empty, media)
        offset = child.call(lambda: offset_ms(file), file.fd)
        imported = IMPORTS[name](raw, Footage(source, offset, label))
        pts = {i: c.pts or () for i, c in clocks.items()}
        manifest = common.manifest_of(source, file.format, name, imported, pts)
    return manifest, imported.lost
