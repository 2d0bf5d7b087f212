"""The main path of `locate`: decode once, detect on each frame, track, fill, pad, simplify, write it all down."""

from collections.abc import Mapping
from pathlib import Path

from locate import detector
from locate.cadence import Thresholds
from locate.compose import Cover, compose, cover
from locate.fill import course
from locate.holding import check_copies
from locate.options import Options
from locate.search import Search, shots
from locate.streams import Searched, search_streams
from locate.streams import Tell as Tell
from locate.tracker import track
from schema.manifest import Manifest
from schema.media import open_media


def locate(path: Path, options: Options, tell: Tell) -> Manifest:
    """The manifest that proposes a cover for everything found in the file at `path`."""
    detectors = detector.load(options.detectors, options.request)
    with open_media(path) as media:
        thresholds = options.all_thresholds(still=media.format.library == "pillow")
        search = Search(detectors, thresholds, options.workers, options.stride)
        source, searched = search_streams(media, search, options.profile, tell)
        covers = [c for stream in searched for c in covers_of(stream, thresholds, options)]
        manifest = compose(source, media.format, [d.producer for d in detectors], covers, options)
        check_copies(media, manifest)
        media.check_unchanged()
    return manifest


def covers_of(stream: Searched, thresholds: Mapping[str, Thresholds], options: Options) -> list[Cover]:
    """What is to be covered in one stream: tracked within each shot, filled, padded, and simplified to few keys."""
    pts = [look.pts for look in stream.looks]
    courses = [
        course(trail, shot, stream.size, options.pad_frames)
        for shot in shots(stream.looks)
        for trail in track(shot, stream.seconds_per_pts, thresholds)
    ]
    return [cover(stream.index, c, pts) for c in courses]
