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
from veridact.locate.speech.pipeline import Heard, hear
from veridact.locate.video.detect import DetectorEnsemble
from veridact.locate.video.extension import Shot, TrackExtender
from veridact.locate.video.frames import is_still
from veridact.locate.video.scan import StreamDetections, decode_again, detect_streams
from veridact.locate.video.shots import detect_shots
from veridact.locate.video.smoothing import dense_tracks
from veridact.locate.video.tracker import track
from veridact.media.containers import check_audio
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
        ensemble = DetectorEnsemble(detectors, thresholds, options.workers, options.stride)
        source, detected = detect_streams(media, ensemble, options.profile, report)
        registry.release(detectors)  # or the second pass, on small crops, would take its own beside what the first left
        give_back_memory()
        covers = [c for stream in detected for c in covers_of(media, stream, ensemble, options, report)]
        source, heard = listen(media, source, options, report)
        producers = [*(registry.producers(detectors) if detected else ()), *heard.producers]
        manifest = compose(source, media.format, producers, covers, heard.ranges, options)
        check_audio(media, manifest)
        media.check_unchanged()
    return Located(manifest, heard.remarks())


def covers_of(
    media: MediaFile, stream: StreamDetections, ensemble: DetectorEnsemble, options: Options, report: ReportProgress
) -> Iterator[Cover]:
    """What is to be covered in one stream: tracked within each shot, filled, padded, and simplified to few keys."""
    pts = array("q", (frame.pts for frame in stream.frames))
    workers = ensemble.workers
    with ThreadPoolExecutor(workers) as pool, closing(decode_again(media, stream, workers)) as decoded:
        extender = TrackExtender(decoded, ensemble.detectors, pool, ahead=2 * workers)
        for frames in detect_shots(stream.frames):
            tracklets = track(frames, stream.seconds_per_pts, ensemble.thresholds)
            shot = Shot(frames, tracklets, stream.size, stream.seconds_per_pts)
            extended = extender.extend(shot, lambda done: report("frames again", done, len(pts)))
            for dense in dense_tracks(extended, frames, stream.size, options.pad_frames):
                yield cover(stream.index, dense, pts)


NOTHING = Heard((), (), ())


def listen(media: MediaFile, source: Source, options: Options, report: ReportProgress) -> tuple[Source, Heard]:
    """The source with its sounds marked as searched or not, and what was heard in them.

    Where there is no sound, or the caller asked for no spoken label, nothing is loaded and nothing is searched.
    """
    if not options.heard or not any(isinstance(s, AudioStream) for s in source.streams):
        return source, NOTHING
    heard = hear(media, replace(options.hearing, labels=options.heard), report)
    searched = {s.index for s in heard.streams if s.searched}
    streams = tuple(
        s.model_copy(update={"searched": s.index in searched}) if isinstance(s, AudioStream) else s
        for s in source.streams
    )
    return source.model_copy(update={"streams": streams}), heard
