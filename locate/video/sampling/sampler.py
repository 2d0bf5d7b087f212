"""One pass over footage: which frames to look at, several side by side, and letting pictures go as soon as may be."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Self

from veridact.locate.detectors.base import AUTO_SECONDS, Detector, Whole
from veridact.locate.video.camera_motion import Glance, is_fast, path, shift
from veridact.locate.video.detect import Search
from veridact.locate.video.detections import Detections, Look
from veridact.locate.video.frames import Shown
from veridact.locate.video.sampling.cadence import CLOSE_SECONDS, agree
from veridact.locate.video.shots import may_be_cut

EPSILON = 1e-6


@dataclass(frozen=True)
class Seen:
    """A frame that was decoded, how it differs from the one before, and its own look where one was asked for."""

    shown: Shown
    change: float
    shift_px: tuple[float, float]
    look: "Future[Detections] | None" = None
    labels: frozenset[str] = frozenset()

    @property
    def bare(self) -> Look:
        """What is known of it without its picture, which takes a thousand times the memory."""
        shown = self.shown
        return Look(shown.number, shown.pts, (), self.change, self.labels, self.shift_px, shown.view.smeared)


def compared(frames: Iterable[Shown]) -> Iterator[Seen]:
    """The frames and how each differs from the one before."""
    before: Glance | None = None
    for shown in frames:
        now = Glance.of(shown.view.gist())
        if before is None:
            yield Seen(shown, 0.0, (0.0, 0.0))
        else:
            right, down = shift(before, now)
            width, height = shown.view.width, shown.view.height
            moved = (right * width, down * height)
            smeared = replace(shown, view=replace(shown.view, smeared=is_fast(moved, (width, height))))
            yield Seen(smeared, now.change_from(before), moved)
        before = now


@dataclass(frozen=True)
class _Gap:
    """What lies between two looks: the frames from one to the other, and pictures by place of those that may be looked
    at."""

    frames: Sequence[Look]
    looks: tuple["Future[Detections] | None", "Future[Detections] | None"]
    views: Mapping[int, Whole]


@dataclass(frozen=True)
class _Span:
    """Frames from one look up to, not including, the next, and what is found on the first and on those between."""

    frames: Sequence[Look]
    first: "Future[Detections] | None"
    between: "Future[dict[int, Detections]] | None" = None
    labels_between: frozenset[str] = frozenset()


class Run:
    """One pass over a stream: decides at which frames to look while they come by.

    Pictures are kept until they are looked at, or it is sure that they will not be.
    """

    def __init__(self, search: Search, seconds_per_pts: float) -> None:
        self._search = search
        self._pool = ThreadPoolExecutor(search.workers)
        self._seconds_per_pts = seconds_per_pts
        self._spans: deque[_Span] = deque()
        self._open: list[Seen] = []
        self._asked_seconds: dict[int, float] = {}
        self._quick = [d for d in search.detectors if d.rest_seconds == 0]
        self._looks: list[tuple[Future[Detections], tuple[Whole, Sequence[Detector]]]] = []
        self._betweens: list[tuple[Future[dict[int, Detections]], _Gap]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._pool.shutdown()

    def add(self, seen: Seen) -> Iterator[Look]:
        """Takes the next frame; gives the looks at earlier ones that are due, and waits for them."""
        cut = may_be_cut(seen.change, seen.shift_px)
        if cut and self._open and self._open[-1].look is None:
            self._look_at(self._open.pop(), cut=True)
        if cut or self._is_due(seen.shown):
            self._look_at(seen, cut)
        else:
            self._open.append(seen)
        while len(self._spans) > self._search.spans_ahead:
            yield from _looks(self._spans.popleft())

    def close(self) -> Iterator[Look]:
        """Looks at the last frame too, so that nothing hangs over the end; gives all looks that are left."""
        if self._open and self._open[-1].look is None:
            self._look_at(self._open.pop(), cut=False)
        if self._open:
            self._spans.append(_Span([seen.bare for seen in self._open], self._open[0].look))
        self._begin()
        while self._spans:
            yield from _looks(self._spans.popleft())

    def _seconds(self, frame: "Shown | Look") -> float:
        return frame.pts * self._seconds_per_pts

    def _is_due(self, shown: Shown) -> bool:
        if not self._open:
            return True
        if self._search.stride is not None:
            return shown.number % self._search.stride == 0
        pace = self._search.pace_seconds
        if shown.view.smeared and pace <= AUTO_SECONDS:
            return True
        return self._seconds(shown) - self._seconds(self._open[0].shown) >= pace - EPSILON

    def _rested(self, shown: Shown, cut: bool) -> list[Detector]:
        """The detectors whose turn it is; each rests as long as it may, but never over a cut."""
        now, chosen = self._seconds(shown), []
        for n, detector in enumerate(self._search.detectors):
            rest = 0.0 if self._search.stride is not None or cut else detector.rest_seconds
            if now - self._asked_seconds.get(n, -math.inf) >= rest - EPSILON:
                self._asked_seconds[n] = now
                chosen.append(detector)
        return chosen

    def _look_at(self, seen: Seen, cut: bool) -> None:
        rested = self._rested(seen.shown, cut)
        look: Future[Detections] = Future()
        self._looks.append((look, (seen.shown.view, rested)))
        here = replace(seen, look=look, labels=_labels(rested))
        if self._open:
            frames = [s.bare for s in (*self._open, here)]
            between: Future[dict[int, Detections]] | None = None
            if self._search.stride is None and len(self._open) > 1 and not cut:
                between = Future()
                views = {n: self._open[n].shown.view for n in self._middles(frames, 0, len(frames) - 1)}
                self._betweens.append((between, _Gap(frames, (self._open[0].look, look), views)))
            self._spans.append(_Span(frames[:-1], self._open[0].look, between, _labels(self._quick)))
        self._open = [here]
        if len(self._looks) == self._search.batch:
            self._begin()

    def _begin(self) -> None:
        """Hands the looks that were asked for to the workers, together, and then what is to be done between them."""
        looks, betweens, self._looks, self._betweens = self._looks, self._betweens, [], []
        if looks:
            self._pool.submit(_settle, [look for look, _ in looks], self._search.found_in_all, [a for _, a in looks])
        for between, gap in betweens:
            self._pool.submit(_settle, [between], lambda gap: [self._between(gap)], gap)

    def _middle(self, frames: Sequence[Look], a: int, b: int) -> int | None:
        """The frame midway between two, None where they are close."""
        apart_seconds = self._seconds(frames[b]) - self._seconds(frames[a])
        return None if b - a == 1 or apart_seconds <= CLOSE_SECONDS else (a + b) // 2

    def _middles(self, frames: Sequence[Look], a: int, b: int) -> list[int]:
        """The frames between two that may be looked at."""
        middle = self._middle(frames, a, b)
        if middle is None:
            return []
        return [middle, *self._middles(frames, a, middle), *self._middles(frames, middle, b)]

    def _between(self, gap: _Gap) -> dict[int, Detections]:
        """What is found between two looks: nothing where they agree, else the frame midway is looked at, and so on."""
        labels, frames, last = _labels(self._quick), gap.frames, len(gap.frames) - 1
        known = {0: _of(gap.looks[0], labels), last: _of(gap.looks[1], labels)}
        at = path([frame.shift_px for frame in frames])
        spans = [(0, last)]
        while spans:
            a, b = spans.pop()
            middle = self._middle(frames, a, b)
            if middle is not None and not agree(known[a], known[b], tuple(at[b] - at[a]), self._search.thresholds):
                known[middle] = self._search.found(gap.views[middle], self._quick)
                spans += [(a, middle), (middle, b)]
        return {frames[i].frame: found for i, found in known.items() if 0 < i < last}


def _settle(futures: Sequence[Future[Any]], work: Callable[[Any], Sequence[Any]], given: Any) -> None:
    """Does work that has a result for each future, or fails for all of them."""
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


def _of(look: "Future[Detections] | None", labels: frozenset[str]) -> Detections:
    return tuple(d for d in look.result() if d.label in labels) if look else ()


def _looks(span: _Span) -> Iterator[Look]:
    between = span.between.result() if span.between else {}
    for n, frame in enumerate(span.frames):
        if n == 0 and span.first:
            yield replace(frame, detections=span.first.result())
        elif frame.frame in between:
            yield replace(frame, detections=between[frame.frame], labels=span.labels_between)
        else:
            yield frame
