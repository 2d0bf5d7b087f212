"""The main path of `locate`: decode, detect, track, look again at ends, fill, pad, simplify; listen; write it down."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from locate import detector
from locate.again import Again, Shot
from locate.compose import Cover, compose, cover
from locate.detector import Detector
from locate.fill import courses
from locate.hearing import listen
from locate.holding import check_copies
from locate.options import Options
from locate.search import Search, shots
from locate.streams import Searched, again, search_streams
from locate.streams import Tell as Tell
from locate.tracker import track
from schema.manifest import Manifest
from schema.media import MediaFile, open_media


@dataclass(frozen=True)
class Located:
    """A manifest, and what its reader must know besides it, a line each."""

    manifest: Manifest
    remarks: tuple[str, ...]


def detectors_for(options: Options) -> list[Detector]:
    """The models that the options ask for, loaded; raises `MissingModelError` for a label that none of them finds."""
    return detector.load(options.detectors, options.request)


def locate(path: Path, options: Options, detectors: Sequence[Detector], tell: Tell) -> Located:
    """The manifest that proposes a cover for everything found in the file at `path`."""
    with open_media(path) as media:
        thresholds = options.all_thresholds(still=media.format.library == "pillow")
        search = Search(detectors, thresholds, options.workers, options.stride)
        source, searched = search_streams(media, search, options.profile, tell)
        covers = [c for stream in searched for c in covers_of(media, stream, search, options, tell)]
        source, heard = listen(media, source, options, tell)
        producers = [*(d.producer for d in detectors if searched), *heard.producers]
        manifest = compose(source, media.format, producers, covers, heard.ranges, options)
        check_copies(media, manifest)
        media.check_unchanged()
    return Located(manifest, heard.remarks())


def covers_of(media: MediaFile, stream: Searched, search: Search, options: Options, tell: Tell) -> list[Cover]:
    """What is to be covered in one stream: tracked within each shot, filled, padded, and simplified to few keys."""
    pts = [look.pts for look in stream.looks]
    divided = [
        Shot(shot, track(shot, stream.seconds_per_pts, search.thresholds), stream.size, stream.seconds_per_pts)
        for shot in shots(stream.looks)
    ]
    second = Again(divided, search.detectors)
    frames = again(media, stream, search.workers) if second.frames else ()
    trails = second.followed(frames, search.workers, lambda done: tell("frames again", done, second.frames))
    return [
        cover(stream.index, course, pts)
        for shot, found in zip(divided, trails, strict=True)
        for course in courses(found, shot.looks, stream.size, options.pad_frames)
    ]
