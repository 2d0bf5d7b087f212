"""Detectors that look at different paces go through the same footage side by side, each pace in a lane of its own.

    faces   |       |       |       |       |       |       |      every so often a look, more where looks disagree
    plates  |                       |                       |      (see `locate.cadence`)

Frames are decoded once and wait for the slowest lane.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import tee

from locate.detector import Detector, united
from locate.frames import Shown
from locate.looks import Look
from locate.search import Search, Tell


def looks(search: Search, frames: Iterable[Shown], seconds_per_pts: float, tell: Tell) -> Iterator[Look]:
    """A look at every frame, in order, with what all lanes found."""
    lanes = _lanes(search)
    runs = (
        lane.looks(copy, seconds_per_pts, _nobody if n else tell)
        for n, (lane, copy) in enumerate(zip(lanes, tee(frames, len(lanes)), strict=True))
    )
    return (_together(at_once) for at_once in zip(*runs, strict=True))


def _nobody(done: int) -> None:
    """Progress is told once."""


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
