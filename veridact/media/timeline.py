"""The timeline of each stream, from the media file where the manifest alone does not prove it."""

from fractions import Fraction
from pathlib import Path
from typing import Any

from veridact.media import timestamps
from veridact.media.origin import origin
from veridact.media.video import MediaFile, check_source, open_media
from veridact.sandbox import child
from veridact.schema.manifest import Manifest, PictureStream, VideoStream
from veridact.schema.timeline import Clock, Clocks, from_manifest


def from_media(manifest: Manifest, path: Path) -> Clocks:
    """The clocks of all streams with a picture, from the footage; raises `BindingError` when it is another file."""
    known = from_manifest(manifest)
    with open_media(path) as media:
        check_source(media, manifest.source.sha256)
        told = child.call(lambda: _times(manifest, known, media), media.fd)
    times = {i: known[i].pts or told["pts"][str(i)] for i in known}
    zero = Fraction(*told["origin"])
    return {i: Clock(i, c.frames, c.time_base, times[i], zero) for i, c in known.items()}


def _times(manifest: Manifest, known: Clocks, media: MediaFile) -> dict[str, Any]:
    """What only the footage tells: the timestamps that the manifest does not prove, and when 0 ms is."""
    streams = [s for s in manifest.source.streams if isinstance(s, VideoStream | PictureStream)]
    unknown = [s for s in streams if not known[s.index].pts]
    return {
        "pts": {s.index: timestamps.read(media, s).tolist() for s in unknown},
        "origin": origin(media).as_integer_ratio(),
    }


def clocks(manifest: Manifest, media: Path | None) -> Clocks:
    """The clocks of a manifest, with the footage where it is given."""
    return from_manifest(manifest) if media is None else from_media(manifest, media)
