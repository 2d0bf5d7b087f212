"""Detectors that look at different paces go through the same footage side by side, each pace in a lane of its own.

    faces   |       |       |       |       |       |       |      every so often a look, more where looks disagree
    plates  |                       |                       |      (see `sampling.cadence`)

Frames are decoded once; what a quicker lane found waits for the slowest.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

from veridact.locate.detectors.base import Detector
from veridact.locate.detectors.nms import united
from veridact.locate.video.detect import Search
from veridact.locate.video.detections import Look
from veridact.locate.video.frames import Shown
from veridact.locate.video.sampling.sampler import Run, compared

ReportProgress = Callable[[int], None]
"""Called with the number of frames looked at so far."""


def looks(search: Search, frames: Iterable[Shown], seconds_per_pts: float, report: ReportProgress) -> Iterator[Look]:
    """A look at every frame, in order, with what all lanes found; where nobody looked there are no detections."""
    with ExitStack() as stack:
        runs = [stack.enter_context(Run(lane, seconds_per_pts)) for lane in _lanes(search)]
        due: list[deque[Look]] = [deque() for _ in runs]
        for seen in compared(frames):
            for run, own in zip(runs, due, strict=True):
                own.extend(run.add(seen))
            yield from _taken(due, report)
        for run, own in zip(runs, due, strict=True):
            own.extend(run.close())
        yield from _taken(due, report)


def _taken(due: Sequence[deque[Look]], report: ReportProgress) -> Iterator[Look]:
    """The looks at frames that all lanes are done with."""
    while all(due):
        look = _together([own.popleft() for own in due])
        report(look.frame + 1)
        yield look


def _lanes(search: Search) -> list[Search]:
    """One search a pace, the quickest first; with a stride all look at the same frames."""
    if search.stride is not None or not search.detectors:
        return [search]
    paces: defaultdict[float, list[Detector]] = defaultdict(list)
    for detector in search.detectors:
        paces[detector.pace_seconds].append(detector)
    return [
        replace(search, detectors=paces[pace], pace_seconds=pace, workers=1 if n else search.workers)
        for n, pace in enumerate(sorted(paces))
    ]


def _together(looks: Sequence[Look]) -> Look:
    if len(looks) == 1:
        return looks[0]
    found = tuple(united([d for look in looks for d in look.detections]))
    return replace(looks[0], detections=found, labels=frozenset().union(*(look.labels for look in looks)))
