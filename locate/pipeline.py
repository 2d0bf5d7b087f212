"""The main path of `locate`: decode once, detect on each frame, track, fill, pad, simplify, write it all down."""

from collections.abc import Sequence
from pathlib import Path

from locate import detector
from locate.compose import Cover, compose, cover
from locate.detector import Detector
from locate.fill import course
from locate.holding import check_copies
from locate.options import Options
from locate.search import Search, shots
from locate.streams import Searched, search_streams
from locate.streams import Tell as Tell
from locate.tracker import track
from schema.errors import MissingModelError
from schema.manifest import Manifest
from schema.media import open_media


def locate(path: Path, options: Options, tell: Tell) -> Manifest:
    """The manifest that proposes a cover for everything found in the file at `path`."""
    detectors = detector.load(options.detectors, options.floor, options.device)
    check_labels(options, detectors)
    search = Search(detectors, frozenset(options.labels), options.workers, options.stride)
    with open_media(path) as media:
        source, searched = search_streams(media, search, options.profile, tell)
        covers = [c for stream in searched for c in covers_of(stream, options)]
        manifest = compose(source, media.format, [d.producer for d in detectors], covers, options)
        check_copies(media, manifest)
        media.check_unchanged()
    return manifest


def check_labels(options: Options, detectors: Sequence[Detector]) -> None:
    """Refuses a label that nothing at hand can find: it would be left uncovered in silence."""
    able = frozenset(label for d in detectors for label in d.labels)
    for label in options.labels:
        if label not in able:
            raise MissingModelError(
                f"no model at hand finds the label {label}, only {', '.join(sorted(able))}; "
                "name one that does with --detector, or leave the label out of --labels"
            )


def covers_of(stream: Searched, options: Options) -> list[Cover]:
    """What is to be covered in one stream: tracked within each shot, filled, padded, and simplified to few keys."""
    pts = [look.pts for look in stream.looks]
    thresholds = {label: options.thresholds_of(label, still=len(pts) == 1) for label in options.labels}
    courses = [
        course(trail, pts, (shot[0].frame, shot[-1].frame + 1), options.pad_frames)
        for shot in shots(stream.looks)
        for trail in track(shot, stream.seconds_per_pts, thresholds)
    ]
    return [cover(stream.index, c, pts) for c in courses]
