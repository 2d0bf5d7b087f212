"""Looking at every frame once, several frames side by side, and noting where one shot ends and the next begins."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from locate.cadence import AUTO_SECONDS, CLOSE_SECONDS, Thresholds, agree
from locate.camera import Glance, is_fast, path, shift
from locate.detector import Batching, Detection, Detector, View, united
from locate.frames import Shown
from locate.looks import Detections, Look, Looks
from locate.pieces import cut_out, trace
from schema.pulse import beat

Tell = Callable[[int], None]
"""Called with the number of frames looked at so far."""

CUT_DIFFERENCE = 18.0
CUT_RATIO = 2.0
"""A cut changes the mean brightness of the gist by this much, and by this many times what its neighbours change:
camera moves change every frame alike. A missed cut costs a cover too many, a cut too many breaks a track in two."""


UNSURE_OF_START = 0.75
"""What scores this part of the start threshold may be a thing that a closer look confirms."""

STANDS_STILL_PX = 2.0
"""A camera that moved by less than this does not explain a great change."""

EPSILON = 1e-6


@dataclass(frozen=True)
class Search:
    """How to look: with what, for which labels, how many frames side by side, and at every how-manyth (None: see
    `locate.cadence`), to begin with `pace_seconds` apart."""

    detectors: Sequence[Detector]
    thresholds: Mapping[str, Thresholds]
    workers: int
    stride: int | None
    pace_seconds: float = AUTO_SECONDS

    def looks(self, frames: Iterable[Shown], seconds_per_pts: float, tell: Tell) -> Iterator[Look]:
        """A look at every frame, in order; frames that nobody looked at have no detections."""
        with ThreadPoolExecutor(self.workers) as pool:
            run = _Run(self, pool, seconds_per_pts)
            for shown in frames:
                run.add(shown)
                while len(run.spans) > self._spans_ahead:
                    yield from _looks(run.spans.popleft(), tell)
            run.close()
            while run.spans:
                yield from _looks(run.spans.popleft(), tell)

    @property
    def _spans_ahead(self) -> int:
        """How many spans wait for their results: enough to keep the workers busy, few frames where spans are long."""
        return max(self.batch, round((self.workers + 1) * AUTO_SECONDS / self.pace_seconds))

    @property
    def batch(self) -> int:
        """How many looks are taken together; which ones depends on the footage alone, so that two runs agree."""
        return max((d.batch for d in self.detectors if isinstance(d, Batching)), default=1)

    def found(self, view: View, detectors: Sequence[Detector]) -> Detections:
        """What the detectors find in one picture, doubles united."""
        return self.found_in_all([(view, detectors)])[0]

    def found_in_all(self, asked: Sequence[tuple[View, Sequence[Detector]]]) -> list[Detections]:
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

    def _closer(self, view: View, detectors: Sequence[Detector], found: Sequence[Detection]) -> Detections:
        """What was found in a picture, surer of some things after a closer look at those that hardly fail to be sure.

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


def _detected(detector: Detector, views: Sequence[View]) -> Iterable[list[Detection]]:
    if isinstance(detector, Batching) and len(views) > 1:
        return detector.detect_all(views)
    return (detector.detect(view) for view in views)


@dataclass(frozen=True)
class _Seen:
    """A frame that was decoded, how it differs from the one before, and its own look where one was asked for."""

    shown: Shown
    change: float
    shift_px: tuple[float, float]
    look: "Future[Detections] | None" = None
    labels: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Span:
    """Frames from one look up to, not including, the next, and what is found on those between."""

    seen: Sequence[_Seen]
    between: "Future[dict[int, Detections]] | None"
    labels_between: frozenset[str] = frozenset()


class _Run:
    """One pass over a stream: decides at which frames to look while they come by."""

    def __init__(self, search: Search, pool: ThreadPoolExecutor, seconds_per_pts: float) -> None:
        self.spans: deque[_Span] = deque()
        self._search = search
        self._pool = pool
        self._seconds_per_pts = seconds_per_pts
        self._open: list[_Seen] = []
        self._before: Glance | None = None
        self._asked_seconds: dict[int, float] = {}
        self._quick = [d for d in search.detectors if d.rest_seconds == 0]
        self._looks: list[tuple[Future[Detections], tuple[View, Sequence[Detector]]]] = []
        self._betweens: list[tuple[Future[dict[int, Detections]], tuple[Sequence[_Seen], _Seen]]] = []

    def add(self, shown: Shown) -> None:
        seen = self._compared(shown)
        cut = _may_be_cut(seen)
        if cut and self._open and self._open[-1].look is None:
            self._look_at(self._open.pop(), cut=True)
        if cut or self._is_due(seen.shown):
            self._look_at(seen, cut)
        else:
            self._open.append(seen)

    def _compared(self, shown: Shown) -> _Seen:
        """A frame and how it differs from the one before."""
        now = Glance.of(shown.view.gist())
        before, self._before = self._before, now
        if before is None:
            return _Seen(shown, 0.0, (0.0, 0.0))
        right, down = shift(before, now)
        width, height = shown.view.width, shown.view.height
        moved = (right * width, down * height)
        smeared = replace(shown, view=replace(shown.view, smeared=is_fast(moved, (width, height))))
        return _Seen(smeared, now.change_from(before), moved)

    def close(self) -> None:
        """Looks at the last frame too, so that nothing hangs over the end."""
        if self._open and self._open[-1].look is None:
            self._look_at(self._open.pop(), cut=False)
        self.spans.append(_Span(self._open, None))
        self._begin()

    def _seconds(self, shown: Shown) -> float:
        return shown.pts * self._seconds_per_pts

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

    def _look_at(self, seen: _Seen, cut: bool) -> None:
        rested = self._rested(seen.shown, cut)
        look: Future[Detections] = Future()
        self._looks.append((look, (seen.shown.view, rested)))
        here = replace(seen, look=look, labels=_labels(rested))
        if self._open:
            between: Future[dict[int, Detections]] | None = None
            if self._search.stride is None and len(self._open) > 1 and not cut:
                between = Future()
                self._betweens.append((between, (tuple(self._open), here)))
            self.spans.append(_Span(tuple(self._open), between, _labels(self._quick)))
        self._open = [here]
        if len(self._looks) == self._search.batch:
            self._begin()

    def _begin(self) -> None:
        """Hands the looks that were asked for to the workers, together, and then what is to be done between them."""
        looks, betweens, self._looks, self._betweens = self._looks, self._betweens, [], []
        if looks:
            self._pool.submit(_settle, [look for look, _ in looks], self._search.found_in_all, [a for _, a in looks])
        for between, span in betweens:
            self._pool.submit(_settle, [between], lambda span: [self._between(*span)], span)

    def _between(self, seen: Sequence[_Seen], after: _Seen) -> dict[int, Detections]:
        """What is found between two looks: nothing where they agree, else the frame midway is looked at, and so on."""
        labels = _labels(self._quick)
        frames = [*seen, after]
        known = {0: _of(seen[0].look, labels), len(seen): _of(after.look, labels)}
        at = path([s.shift_px for s in frames])
        spans = [(0, len(seen))]
        while spans:
            a, b = spans.pop()
            apart_seconds = self._seconds(frames[b].shown) - self._seconds(frames[a].shown)
            if b - a == 1 or apart_seconds <= CLOSE_SECONDS:
                continue
            if not agree(known[a], known[b], tuple(at[b] - at[a]), self._search.thresholds):
                middle = (a + b) // 2
                known[middle] = self._search.found(frames[middle].shown.view, self._quick)
                spans += [(a, middle), (middle, b)]
        return {frames[i].shown.number: found for i, found in known.items() if 0 < i < len(seen)}


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


def _looks(span: _Span, tell: Tell) -> Iterator[Look]:
    between = span.between.result() if span.between else {}
    for seen in span.seen:
        number = seen.shown.number
        found = seen.look.result() if seen.look else between.get(number, ())
        labels = seen.labels if seen.look else span.labels_between if number in between else frozenset()
        tell(number + 1)
        yield Look(number, seen.shown.pts, found, seen.change, labels, seen.shift_px, seen.shown.view.smeared)


def shots(looks: Looks) -> list[Looks]:
    """The looks divided at cuts; every shot has at least one."""
    changes = [look.change for look in looks]
    cuts = (i for i in range(1, len(looks)) if _may_be_cut(looks[i]) and _stands_out(changes, i))
    starts = [0, *cuts, len(looks)]
    return [looks[a:b] for a, b in pairwise(starts) if a < b]


def _may_be_cut(frame: "_Seen | Look") -> bool:
    """Whether a frame differs much from the one before, and not because the camera moved."""
    return frame.change >= CUT_DIFFERENCE and max(map(abs, frame.shift_px)) < STANDS_STILL_PX


def _stands_out(changes: Sequence[float], i: int) -> bool:
    around = [changes[j] for j in (i - 2, i - 1, i + 1, i + 2) if 1 <= j < len(changes)]
    usual = sum(around) / len(around) if around else 0.0
    return changes[i] >= CUT_RATIO * usual
