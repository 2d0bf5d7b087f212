"""The clock of each video stream or picture, from the media file where the manifest alone does not prove it."""

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
    """The clocks of all video streams and pictures, from the footage; raises `BindingError` when it is another file."""
    proven = from_manifest(manifest)
    with open_media(path) as media:
        check_source(media, manifest.source.sha256)
        measured = child.call(lambda: _measure(manifest, proven, media), media.fd)
    pts = {i: proven[i].pts or measured["pts"][str(i)] for i in proven}
    zero = Fraction(*measured["origin"])
    return {i: Clock(i, c.frames, c.time_base, pts[i], zero) for i, c in proven.items()}


def _measure(manifest: Manifest, proven: Clocks, media: MediaFile) -> dict[str, Any]:
    """The origin of the file, and the timestamps of each stream that the manifest does not prove, as JSON values."""
    streams = [s for s in manifest.source.streams if isinstance(s, VideoStream | PictureStream)]
    unproven = [s for s in streams if not proven[s.index].pts]
    return {
        "pts": {s.index: timestamps.read_pts(media, s).tolist() for s in unproven},
        "origin": origin(media).as_integer_ratio(),
    }


def clocks(manifest: Manifest, media: Path | None) -> Clocks:
    """The clocks of a manifest: from the footage where it is given, else as far as the manifest proves them."""
    return from_manifest(manifest) if media is None else from_media(manifest, media)
