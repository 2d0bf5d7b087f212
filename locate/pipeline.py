"""The main path of `locate`: decode, detect, track, look again at ends, fill, pad, simplify; listen; write it down."""

from array import array
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from veridact.locate.detectors import registry
from veridact.locate.detectors.base import Detector
from veridact.locate.manifest import Cover, compose, cover
from veridact.locate.options import Options
from veridact.locate.speech.pipeline import SpeechResult, locate_speech
from veridact.locate.video.detect import Search
from veridact.locate.video.extension import Again, Shot
from veridact.locate.video.frames import is_still
from veridact.locate.video.scan import Searched, again, search_streams
from veridact.locate.video.shots import shots
from veridact.locate.video.smoothing import courses
from veridact.locate.video.tracker import track
from veridact.media.containers import check_sound
from veridact.media.video import MediaFile, open_media
from veridact.progress import ReportProgress
from veridact.sandbox.syscalls import give_back_memory
from veridact.schema.manifest import AudioStream, Manifest, Source


@dataclass(frozen=True)
class Located:
    """A manifest, and what its reader must know besides it, a line each."""

    manifest: Manifest
    remarks: tuple[str, ...]


def detectors_for(options: Options) -> list[Detector]:
    """The models that the options ask for, loaded; raises `MissingModelError` for a label that none of them finds."""
    return registry.load(options.detectors, options.request)


def locate(path: Path, options: Options, detectors: Sequence[Detector], report: ReportProgress) -> Located:
    """The manifest that proposes a cover for everything found in the file at `path`."""
    with open_media(path) as media:
        thresholds = options.all_thresholds(is_still(media))
        search = Search(detectors, thresholds, options.workers, options.stride)
        source, searched = search_streams(media, search, options.profile, report)
        registry.let_go(detectors)  # or the second look, at small pieces, would take its own beside what the first left
        give_back_memory()
        covers = [c for stream in searched for c in covers_of(media, stream, search, options, report)]
        source, heard = listen(media, source, options, report)
        producers = [*(registry.producers(detectors) if searched else ()), *heard.producers]
        manifest = compose(source, media.format, producers, covers, heard.ranges, options)
        check_sound(media, manifest)
        media.check_unchanged()
    return Located(manifest, heard.notes())


def covers_of(
    media: MediaFile, stream: Searched, search: Search, options: Options, report: ReportProgress
) -> Iterator[Cover]:
    """What is to be covered in one stream: tracked within each shot, filled, padded, and simplified to few keys."""
    pts = array("q", (look.pts for look in stream.looks))
    with ThreadPoolExecutor(search.workers) as pool, closing(again(media, stream, search.workers)) as frames:
        second = Again(frames, search.detectors, pool, ahead=2 * search.workers)
        for looks in shots(stream.looks):
            trails = track(looks, stream.seconds_per_pts, search.thresholds)
            shot = Shot(looks, trails, stream.size, stream.seconds_per_pts)
            found = second.followed(shot, lambda done: report("frames again", done, len(pts)))
            for course in courses(found, looks, stream.size, options.pad_frames):
                yield cover(stream.index, course, pts)


NOTHING = SpeechResult((), (), ())


def listen(media: MediaFile, source: Source, options: Options, report: ReportProgress) -> tuple[Source, SpeechResult]:
    """The source with its sounds marked as searched or not, and what was heard in them.

    Where there is no sound, or the caller asked for no spoken label, nothing is loaded and nothing is searched.
    """
    if not options.audio_labels or not any(isinstance(s, AudioStream) for s in source.streams):
        return source, NOTHING
    heard = locate_speech(media, replace(options.speech, labels=options.audio_labels), report)
    searched = {s.index for s in heard.streams if s.searched}
    streams = tuple(
        s.model_copy(update={"searched": s.index in searched}) if isinstance(s, AudioStream) else s
        for s in source.streams
    )
    return source.model_copy(update={"streams": streams}), heard
