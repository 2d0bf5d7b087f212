"""Detectors with different sampling intervals on the same footage, one sampler for each interval.

    faces   |       |       |       |       |       |       |      at the interval of their detector, and more often
    plates  |                       |                       |      where samples disagree (see `sampling.cadence`)

Frames are decoded once; the results of a faster sampler wait for those of the slowest.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

from veridact.locate.detectors.base import Detector
from veridact.locate.detectors.nms import merge_overlapping
from veridact.locate.video.detect import DetectorEnsemble
from veridact.locate.video.detections import FrameDetections
from veridact.locate.video.frames import DecodedFrame
from veridact.locate.video.sampling.sampler import AdaptiveSampler, measured

ReportFrames = Callable[[int], None]
"""Called with the number of frames that are done."""


def detect_frames(
    ensemble: DetectorEnsemble, frames: Iterable[DecodedFrame], seconds_per_pts: float, report: ReportFrames
) -> Iterator[FrameDetections]:
    """The detections of all samplers on every frame, in order; none on frames that were not sampled."""
    with ExitStack() as stack:
        samplers = [stack.enter_context(AdaptiveSampler(part, seconds_per_pts)) for part in _by_interval(ensemble)]
        done: list[deque[FrameDetections]] = [deque() for _ in samplers]
        for frame in measured(frames):
            for sampler, own in zip(samplers, done, strict=True):
                own.extend(sampler.add(frame))
            yield from _complete(done, report)
        for sampler, own in zip(samplers, done, strict=True):
            own.extend(sampler.close())
        yield from _complete(done, report)


def _complete(done: Sequence[deque[FrameDetections]], report: ReportFrames) -> Iterator[FrameDetections]:
    """Takes and merges the frames that every sampler is done with."""
    while all(done):
        frame = _merged([own.popleft() for own in done])
        report(frame.frame + 1)
        yield frame


def _by_interval(ensemble: DetectorEnsemble) -> list[DetectorEnsemble]:
    """The ensemble split by the intervals of its detectors, the shortest first; with a stride it is not split."""
    if ensemble.stride is not None or not ensemble.detectors:
        return [ensemble]
    groups: defaultdict[float, list[Detector]] = defaultdict(list)
    for detector in ensemble.detectors:
        groups[detector.interval_seconds].append(detector)
    return [
        replace(ensemble, detectors=groups[each], interval_seconds=each, workers=1 if n else ensemble.workers)
        for n, each in enumerate(sorted(groups))
    ]


def _merged(frames: Sequence[FrameDetections]) -> FrameDetections:
    """The results of all samplers for one frame as one."""
    if len(frames) == 1:
        return frames[0]
    detections = tuple(merge_overlapping([d for frame in frames for d in frame.detections]))
    labels: frozenset[str] = frozenset().union(*(frame.labels for frame in frames))
    return replace(frames[0], detections=detections, labels=labels)
