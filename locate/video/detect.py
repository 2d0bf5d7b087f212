"""Looking at a picture: with which detectors, and closer at what they are unsure of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from veridact.locate.detectors.base import AUTO_SECONDS, Batching, Detection, Detector, Whole
from veridact.locate.detectors.nms import united
from veridact.locate.video.crops import cut_out, trace
from veridact.locate.video.detections import Detections
from veridact.locate.video.thresholds import Thresholds
from veridact.sandbox.heartbeat import beat

UNSURE_OF_START = 0.75
"""What scores this part of the start threshold may be a thing that a closer look confirms."""


@dataclass(frozen=True)
class Search:
    """How to look: with what, for which labels, how many frames side by side, and at every how-manyth (None: see
    `sampling.cadence`), to begin with `pace_seconds` apart."""

    detectors: Sequence[Detector]
    thresholds: Mapping[str, Thresholds]
    workers: int
    stride: int | None
    pace_seconds: float = AUTO_SECONDS

    @property
    def spans_ahead(self) -> int:
        """How many spans wait for their results: enough to keep the workers busy, few frames where spans are long."""
        return max(self.batch, round((self.workers + 1) * AUTO_SECONDS / self.pace_seconds))

    @property
    def batch(self) -> int:
        """How many looks are taken together; which ones depends on the footage alone, so that two runs agree."""
        return max((d.batch for d in self.detectors if isinstance(d, Batching)), default=1)

    def found(self, view: Whole, detectors: Sequence[Detector]) -> Detections:
        """What the detectors find in one picture, doubles united."""
        return self.found_in_all([(view, detectors)])[0]

    def found_in_all(self, asked: Sequence[tuple[Whole, Sequence[Detector]]]) -> list[Detections]:
        """What is found in each of some pictures by the detectors asked about it, doubles united."""
        found: list[list[Detection]] = [[] for _ in asked]
        for detector in self.detectors:
            chosen = [n for n, (_, detectors) in enumerate(asked) if detector in detectors]
            for n, seen in zip(chosen, _detected(detector, [asked[n][0] for n in chosen]), strict=True):
                found[n] += (d for d in seen if d.label in self.thresholds)
                beat()
        return [
            self._closer(view, detectors, united(seen) if len(detectors) > 1 else seen)
            for seen, (view, detectors) in zip(found, asked, strict=True)
        ]

    def _closer(self, view: Whole, detectors: Sequence[Detector], found: Sequence[Detection]) -> Detections:
        """What was found in a picture, after a closer look at what it is nearly sure of, which may make it sure.

        Stills and smeared frames were looked at closer, or with more doubt, already.
        """
        quick = [d for d in detectors if d.rest_seconds == 0]
        unsure = [] if view.still or view.smeared else [d for d in found if self._is_unsure(d)]
        if not quick or not unsure:
            return tuple(found)
        surer = {}
        for d, cut in zip(unsure, cut_out(view, [d.place for d in unsure]), strict=True):
            seen = trace(cut, d.label, d.place, quick) if cut else None
            if seen and seen.score > d.score:
                surer[d] = replace(d, score=seen.score)
        return tuple(surer.get(d, d) for d in found)

    def _is_unsure(self, d: Detection) -> bool:
        start = self.thresholds[d.label].start
        return start * UNSURE_OF_START <= d.score < start


def _detected(detector: Detector, views: Sequence[Whole]) -> Iterable[list[Detection]]:
    if isinstance(detector, Batching) and len(views) > 1:
        return detector.detect_all(views)
    return (detector.detect(view) for view in views)
