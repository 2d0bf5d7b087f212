"""Detection on single frames: all detectors as one, and a second try in crops around uncertain detections."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from veridact.locate.detectors.base import DEFAULT_INTERVAL_SECONDS, Batching, Detection, Detector, FullFrame
from veridact.locate.detectors.nms import merge_overlapping
from veridact.locate.video.crops import crop_around, detect_in_crop
from veridact.locate.video.detections import Detections
from veridact.locate.video.thresholds import Thresholds
from veridact.sandbox.heartbeat import beat

UNCERTAIN_FRACTION = 0.75
"""A detection that scores this fraction of the start threshold, and less than all of it, is tried again in a crop."""


@dataclass(frozen=True)
class DetectorEnsemble:
    """Several detectors that are used as one, and how they are to be run on footage.

    `thresholds` are by label, and detections of other labels are dropped; `workers` is the number of frames processed
    in parallel; `stride` is the number of frames from one sample to the next, and None samples adaptively (see
    `sampling.cadence`), every `interval_seconds` to begin with.
    """

    detectors: Sequence[Detector]
    thresholds: Mapping[str, Thresholds]
    workers: int
    stride: int | None
    interval_seconds: float = DEFAULT_INTERVAL_SECONDS

    @property
    def max_pending_spans(self) -> int:
        """The most spans between samples that wait for results: enough to keep the workers busy, fewer of long ones."""
        return max(self.batch_size, round((self.workers + 1) * DEFAULT_INTERVAL_SECONDS / self.interval_seconds))

    @property
    def batch_size(self) -> int:
        """The samples in one batch; which frames form one depends on the footage alone, so that two runs agree."""
        return max((d.batch_size for d in self.detectors if isinstance(d, Batching)), default=1)

    def detect(self, view: FullFrame, detectors: Sequence[Detector]) -> Detections:
        """The detections of some of the detectors in one picture, overlapping ones merged."""
        return self.detect_batch([(view, detectors)])[0]

    def detect_batch(self, requests: Sequence[tuple[FullFrame, Sequence[Detector]]]) -> list[Detections]:
        """For each picture, the detections of the detectors named beside it, overlapping ones merged."""
        found: list[list[Detection]] = [[] for _ in requests]
        for detector in self.detectors:
            chosen = [n for n, (_, detectors) in enumerate(requests) if detector in detectors]
            for n, detections in zip(chosen, _detections(detector, [requests[n][0] for n in chosen]), strict=True):
                found[n] += (d for d in detections if d.label in self.thresholds)
                beat()
        return [
            self._confirm(view, detectors, merge_overlapping(detections) if len(detectors) > 1 else detections)
            for detections, (view, detectors) in zip(found, requests, strict=True)
        ]

    def _confirm(self, view: FullFrame, detectors: Sequence[Detector], detections: Sequence[Detection]) -> Detections:
        """The detections, uncertain ones with the score that they reach in a crop where that is higher.

        Not on stills and motion-blurred frames: stills were examined at full size already, and a blurred frame shows
        no more when it is enlarged.
        """
        unrestricted = [d for d in detectors if d.min_interval_seconds == 0]
        uncertain = [] if view.still or view.motion_blurred else [d for d in detections if self._is_uncertain(d)]
        if not unrestricted or not uncertain:
            return tuple(detections)
        confirmed = {}
        for d, crop in zip(uncertain, crop_around(view, [d.cxcywh for d in uncertain]), strict=True):
            second = detect_in_crop(crop, d.label, d.cxcywh, unrestricted) if crop else None
            if second and second.score > d.score:
                confirmed[d] = replace(d, score=second.score)
        return tuple(confirmed.get(d, d) for d in detections)

    def _is_uncertain(self, d: Detection) -> bool:
        start = self.thresholds[d.label].start
        return start * UNCERTAIN_FRACTION <= d.score < start


def _detections(detector: Detector, views: Sequence[FullFrame]) -> Iterable[list[Detection]]:
    """The detections in each picture, in one call where the detector takes batches."""
    if isinstance(detector, Batching) and len(views) > 1:
        return detector.detect_batch(views)
    return (detector.detect(view) for view in views)
