"""The main path of `locate`, from a media file to the manifest that proposes what to cover.

video streams ─► detect objects ─► track objects ─┐
                                                  ├─► build manifest
audio streams ─► search speech ───────────────────┘
"""

from array import array
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from veridact.locate.detectors import registry
from veridact.locate.detectors.base import Detector
from veridact.locate.manifest import KeyframedTrack, build_manifest, keyframed_track
from veridact.locate.options import Options
from veridact.locate.speech.pipeline import SpeechResult, locate_speech
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
class LocateResult:
    """A manifest, and notes for the user that it does not hold, a line each."""

    manifest: Manifest
    notes: tuple[str, ...]


def detectors_for(options: Options) -> list[Detector]:
    """The detectors for the options, loaded; raises `MissingModelError` for a label that none of them finds."""
    return registry.load(options.detectors, options.request)


def locate(path: Path, options: Options, detectors: Sequence[Detector], report: ReportProgress) -> LocateResult:
    """Detect objects in the video streams, track objects, search speech in the audio streams, build the manifest.

    Nothing is written. Raises `MediaError` for a file that cannot be read or changed meanwhile, or whose sound the
    output container cannot hold.
    """
    with open_media(path) as media:
        ensemble = DetectorEnsemble(detectors, options.all_thresholds(is_still(media)), options.workers, options.stride)
        source, detected = detect_objects(media, ensemble, options, report)
        tracks = [t for stream in detected for t in track_objects(media, stream, ensemble, options, report)]
        source, speech = search_speech(media, source, options, report)
        producers = [*(registry.producers(detectors) if detected else ()), *speech.producers]
        manifest = build_manifest(source, media.format, producers, tracks, speech.ranges, options)
        check_audio(media, manifest)
        media.check_unchanged()
    return LocateResult(manifest, speech.notes())


def detect_objects(
    media: MediaFile, ensemble: DetectorEnsemble, options: Options, report: ReportProgress
) -> tuple[Source, list[StreamDetections]]:
    """The source with all its streams, and the detections on every frame of those that show something."""
    source, detected = detect_streams(media, ensemble, options.profile, report)
    registry.release(ensemble.detectors)  # the second pass, on small crops, would allocate its buffers beside these
    give_back_memory()
    return source, detected


def track_objects(
    media: MediaFile, stream: StreamDetections, ensemble: DetectorEnsemble, options: Options, report: ReportProgress
) -> Iterator[KeyframedTrack]:
    """The tracks of one stream: within each shot tracked, extended at both ends, smoothed, padded, keyframed."""
    pts = array("q", (frame.pts for frame in stream.frames))
    workers = ensemble.workers
    with ThreadPoolExecutor(workers) as pool, closing(decode_again(media, stream, workers)) as decoded:
        extender = TrackExtender(decoded, ensemble.detectors, pool, ahead=2 * workers)
        for frames in detect_shots(stream.frames):
            tracklets = track(frames, stream.seconds_per_pts, ensemble.thresholds)
            shot = Shot(frames, tracklets, stream.size, stream.seconds_per_pts)
            extended = extender.extend(shot, lambda done: report("frames, second pass", done, len(pts)))
            for dense in dense_tracks(extended, frames, stream.size, options.pad_frames):
                yield keyframed_track(stream.index, dense, pts)


NO_SPEECH = SpeechResult((), (), ())


def search_speech(
    media: MediaFile, source: Source, options: Options, report: ReportProgress
) -> tuple[Source, SpeechResult]:
    """The source with each audio stream marked as searched or not, and the proposed ranges in them.

    Without an audio stream or an audio label no model is loaded and nothing is searched.
    """
    if not options.audio_labels or not any(isinstance(s, AudioStream) for s in source.streams):
        return source, NO_SPEECH
    speech = locate_speech(media, replace(options.speech, labels=options.audio_labels), report)
    searched = {s.index for s in speech.streams if s.searched}
    streams = tuple(
        s.model_copy(update={"searched": s.index in searched}) if isinstance(s, AudioStream) else s
        for s in source.streams
    )
    return source.model_copy(update={"streams": streams}), speech
