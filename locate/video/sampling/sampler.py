"""The adaptive sampler: chooses the frames to run detectors on, in one pass, and runs them on several in parallel.

Pixels of a frame are released as soon as it is certain that no detector needs them.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Self

from veridact.locate.detectors.base import DEFAULT_INTERVAL_SECONDS, Detector, FullFrame
from veridact.locate.video.camera_motion import Spectrum, camera_path, estimate_shift, is_fast
from veridact.locate.video.detect import DetectorEnsemble
from veridact.locate.video.detections import Detections, FrameDetections
from veridact.locate.video.frames import DecodedFrame
from veridact.locate.video.sampling.cadence import CLOSE_SECONDS, agree
from veridact.locate.video.shots import is_cut_candidate

EPSILON_SECONDS = 1e-6
"""Times are floating-point sums: an interval that is short by this much has passed."""


@dataclass(frozen=True)
class MeasuredFrame:
    """A decoded frame, its difference from the one before, and the pending detections if it was sampled.

    `change`, `shift_px` and `labels` are as in `FrameDetections`.
    """

    decoded: DecodedFrame
    change: float
    shift_px: tuple[float, float]
    sample: "Future[Detections] | None" = None
    labels: frozenset[str] = frozenset()

    @property
    def without_pixels(self) -> FrameDetections:
        """The frame without its pixels, which take a thousand times the memory, and without detections."""
        frame = self.decoded
        blurred = frame.view.motion_blurred
        return FrameDetections(frame.number, frame.pts, (), self.change, self.labels, self.shift_px, blurred)


def measured(frames: Iterable[DecodedFrame]) -> Iterator[MeasuredFrame]:
    """The frames with their change and camera motion since the frame before, and marked where that blurs them."""
    before: Spectrum | None = None
    for frame in frames:
        now = Spectrum.of(frame.view.thumbnail())
        if before is None:
            yield MeasuredFrame(frame, 0.0, (0.0, 0.0))
        else:
            right, down = estimate_shift(before, now)
            width, height = frame.view.width, frame.view.height
            shift_px = (right * width, down * height)
            view = replace(frame.view, motion_blurred=is_fast(shift_px, (width, height)))
            yield MeasuredFrame(replace(frame, view=view), now.change_from(before), shift_px)
        before = now


@dataclass(frozen=True)
class _Gap:
    """The frames from one sample to the next, both included; `samples` are their detections, where there are any.

    `views` are the pixels of the frames that bisection may sample, by their index in `frames`.
    """

    frames: Sequence[FrameDetections]
    samples: tuple["Future[Detections] | None", "Future[Detections] | None"]
    views: Mapping[int, FullFrame]


@dataclass(frozen=True)
class _Span:
    """The frames from one sample up to, not including, the next, and the pending detections on the first of them.

    `between` are the pending detections of bisection, by frame number, and `labels_between` the labels it is run for.
    """

    frames: Sequence[FrameDetections]
    first: "Future[Detections] | None"
    between: "Future[dict[int, Detections]] | None" = None
    labels_between: frozenset[str] = frozenset()


class AdaptiveSampler:
    """One pass over a stream that decides, as frames arrive, which of them to sample.

    The pixels of a frame are kept until it is sampled, or until it is certain that it will not be.
    """

    def __init__(self, ensemble: DetectorEnsemble, seconds_per_pts: float) -> None:
        self._ensemble = ensemble
        self._pool = ThreadPoolExecutor(ensemble.workers)
        self._seconds_per_pts = seconds_per_pts
        self._spans: deque[_Span] = deque()
        self._open: list[MeasuredFrame] = []
        """The frames since the last sample, which is the first of them."""
        self._last_run_seconds: dict[int, float] = {}
        self._unrestricted = [d for d in ensemble.detectors if d.min_interval_seconds == 0]
        self._samples: list[tuple[Future[Detections], tuple[FullFrame, Sequence[Detector]]]] = []
        self._gaps: list[tuple[Future[dict[int, Detections]], _Gap]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._pool.shutdown()

    def add(self, frame: MeasuredFrame) -> Iterator[FrameDetections]:
        """Takes the next frame; yields earlier ones, waiting for their results, when enough spans are pending."""
        cut = is_cut_candidate(frame.change, frame.shift_px)
        if cut and self._open and self._open[-1].sample is None:
            self._sample(self._open.pop(), cut=True)
        if cut or self._is_due(frame.decoded):
            self._sample(frame, cut)
        else:
            self._open.append(frame)
        while len(self._spans) > self._ensemble.max_pending_spans:
            yield from _results(self._spans.popleft())

    def close(self) -> Iterator[FrameDetections]:
        """Samples the last frame too, so that every frame lies between samples; yields all frames that remain."""
        if self._open and self._open[-1].sample is None:
            self._sample(self._open.pop(), cut=False)
        if self._open:
            self._spans.append(_Span([frame.without_pixels for frame in self._open], self._open[0].sample))
        self._submit()
        while self._spans:
            yield from _results(self._spans.popleft())

    def _seconds(self, frame: "DecodedFrame | FrameDetections") -> float:
        return frame.pts * self._seconds_per_pts

    def _is_due(self, frame: DecodedFrame) -> bool:
        """Whether a frame is sampled: by the stride, as motion-blurred, or because the interval has passed."""
        if not self._open:
            return True
        if self._ensemble.stride is not None:
            return frame.number % self._ensemble.stride == 0
        interval = self._ensemble.interval_seconds
        if frame.view.motion_blurred and interval <= DEFAULT_INTERVAL_SECONDS:
            return True
        return self._seconds(frame) - self._seconds(self._open[0].decoded) >= interval - EPSILON_SECONDS

    def _due_detectors(self, frame: DecodedFrame, cut: bool) -> list[Detector]:
        """The detectors whose minimum interval has passed; it does not apply with a stride and beside a cut."""
        now, due = self._seconds(frame), []
        for n, detector in enumerate(self._ensemble.detectors):
            interval = 0.0 if self._ensemble.stride is not None or cut else detector.min_interval_seconds
            if now - self._last_run_seconds.get(n, -math.inf) >= interval - EPSILON_SECONDS:
                self._last_run_seconds[n] = now
                due.append(detector)
        return due

    def _sample(self, frame: MeasuredFrame, cut: bool) -> None:
        """Requests detection on a frame and closes the span before it; beside a cut that span is not bisected."""
        due = self._due_detectors(frame.decoded, cut)
        sample: Future[Detections] = Future()
        self._samples.append((sample, (frame.decoded.view, due)))
        here = replace(frame, sample=sample, labels=_labels(due))
        if self._open:
            frames = [f.without_pixels for f in (*self._open, here)]
            between: Future[dict[int, Detections]] | None = None
            if self._ensemble.stride is None and len(self._open) > 1 and not cut:
                between = Future()
                views = {n: self._open[n].decoded.view for n in self._midpoints(frames, 0, len(frames) - 1)}
                self._gaps.append((between, _Gap(frames, (self._open[0].sample, sample), views)))
            self._spans.append(_Span(frames[:-1], self._open[0].sample, between, _labels(self._unrestricted)))
        self._open = [here]
        if len(self._samples) == self._ensemble.batch_size:
            self._submit()

    def _submit(self) -> None:
        """Passes the requested samples to the workers as one batch, and then the gaps between them."""
        samples, gaps, self._samples, self._gaps = self._samples, self._gaps, [], []
        if samples:
            requests = [request for _, request in samples]
            self._pool.submit(_resolve, [sample for sample, _ in samples], self._ensemble.detect_batch, requests)
        for between, gap in gaps:
            self._pool.submit(_resolve, [between], lambda gap: [self._bisect(gap)], gap)

    def _midpoint(self, frames: Sequence[FrameDetections], a: int, b: int) -> int | None:
        """The index midway between two frames, or None where they are close."""
        apart_seconds = self._seconds(frames[b]) - self._seconds(frames[a])
        return None if b - a == 1 or apart_seconds <= CLOSE_SECONDS else (a + b) // 2

    def _midpoints(self, frames: Sequence[FrameDetections], a: int, b: int) -> list[int]:
        """The indexes of the frames between two that bisection may sample."""
        middle = self._midpoint(frames, a, b)
        if middle is None:
            return []
        return [middle, *self._midpoints(frames, a, middle), *self._midpoints(frames, middle, b)]

    def _bisect(self, gap: _Gap) -> dict[int, Detections]:
        """The detections between two samples, by frame number: none where they agree, else by bisection."""
        labels, frames, last = _labels(self._unrestricted), gap.frames, len(gap.frames) - 1
        sampled = {0: _of_labels(gap.samples[0], labels), last: _of_labels(gap.samples[1], labels)}
        path = camera_path([frame.shift_px for frame in frames])
        spans = [(0, last)]
        while spans:
            a, b = spans.pop()
            middle = self._midpoint(frames, a, b)
            shift_px = tuple(path[b] - path[a])
            if middle is not None and not agree(sampled[a], sampled[b], shift_px, self._ensemble.thresholds):
                sampled[middle] = self._ensemble.detect(gap.views[middle], self._unrestricted)
                spans += [(a, middle), (middle, b)]
        return {frames[i].frame: detections for i, detections in sampled.items() if 0 < i < last}


def _resolve(futures: Sequence[Future[Any]], work: Callable[[Any], Sequence[Any]], given: Any) -> None:
    """Sets each future to its result of `work`, or all of them to the exception that it raises."""
    try:
        results = work(given)
    except BaseException as e:
        for future in futures:
            future.set_exception(e)
        raise
    else:
        for future, result in zip(futures, results, strict=True):
            future.set_result(result)


def _labels(detectors: Sequence[Detector]) -> frozenset[str]:
    return frozenset(label for d in detectors for label in d.labels)


def _of_labels(sample: "Future[Detections] | None", labels: frozenset[str]) -> Detections:
    """The detections of a sample, once they are there, that have one of the labels."""
    return tuple(d for d in sample.result() if d.label in labels) if sample else ()


def _results(span: _Span) -> Iterator[FrameDetections]:
    """The frames of a span with their detections, once they are there."""
    between = span.between.result() if span.between else {}
    for n, frame in enumerate(span.frames):
        if n == 0 and span.first:
            yield replace(frame, detections=span.first.result())
        elif frame.frame in between:
            yield replace(frame, detections=between[frame.frame], labels=span.labels_between)
        else:
            yield frame
