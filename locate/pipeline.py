"""The main path of `locate`: decode, detect, track, look again at ends, fill, pad, simplify; listen; write it down."""

from array import array
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from locate import detector
from locate.again import Again, Shot
from locate.compose import Cover, compose, cover
from locate.cuts import shots
from locate.detector import Detector
from locate.fill import courses
from locate.frames import is_still
from locate.hearing import listen
from locate.holding import check_sound
from locate.options import Options
from locate.search import Search
from locate.streams import Searched, again, search_streams
from locate.streams import Tell as Tell
from locate.tracker import track
from schema.linux import give_back_memory
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
        thresholds = options.all_thresholds(is_still(media))
        search = Search(detectors, thresholds, options.workers, options.stride)
        source, searched = search_streams(media, search, options.profile, tell)
        detector.let_go(detectors)  # or the second look, at small pieces, would take its own beside what the first left
        give_back_memory()
        covers = [c for stream in searched for c in covers_of(media, stream, search, options, tell)]
        source, heard = listen(media, source, options, tell)
        producers = [*(detector.producers(detectors) if searched else ()), *heard.producers]
        manifest = compose(source, media.format, producers, covers, heard.ranges, options)
        check_sound(media, manifest)
        media.check_unchanged()
    return Located(manifest, heard.remarks())


def covers_of(media: MediaFile, stream: Searched, search: Search, options: Options, tell: Tell) -> Iterator[Cover]:
    """What is to be covered in one stream: tracked within each shot, filled, padded, and simplified to few keys."""
    pts = array("q", (look.pts for look in stream.looks))
    with ThreadPoolExecutor(search.workers) as pool, closing(again(media, stream, search.workers)) as frames:
        second = Again(frames, search.detectors, pool, ahead=2 * search.workers)
        for looks in shots(stream.looks):
            trails = track(looks, stream.seconds_per_pts, search.thresholds)
            shot = Shot(looks, trails, stream.size, stream.seconds_per_pts)
            found = second.followed(shot, lambda done: tell("frames again", done, len(pts)))
            for course in courses(found, looks, stream.size, options.pad_frames):
                yield cover(stream.index, course, pts)
