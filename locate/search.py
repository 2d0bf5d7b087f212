"""Looking at every frame once, several frames side by side, and noting where one shot ends and the next begins."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from locate.detector import Detection, Detector, without_doubles
from locate.frames import FrameView, Shown

Tell = Callable[[int], None]
"""Called with the number of frames looked at so far."""

CUT_DIFFERENCE = 18.0
CUT_RATIO = 3.0
"""A cut changes the mean brightness of the 64×36 gist by this much, and by this many times what its neighbours change:
camera moves change every frame alike. A missed cut costs a cover too many, a cut too many breaks a track in two."""


@dataclass(frozen=True)
class Look:
    """What was found on one frame; `change` is how much its gist differs from that of the frame before, 0 to 255."""

    frame: int
    pts: int
    detections: tuple[Detection, ...]
    change: float


def _found(view: FrameView, detectors: Sequence[Detector], labels: frozenset[str]) -> tuple[Detection, ...]:
    found = [d for detector in detectors for d in detector.detect(view) if d.label in labels]
    return tuple(without_doubles(found) if len(detectors) > 1 else found)


def _change(gist: NDArray[np.int16], before: NDArray[np.int16] | None) -> float:
    return 0.0 if before is None else float(np.abs(gist - before).mean())


@dataclass(frozen=True)
class Search:
    """How to look: with what, for which labels, how many frames side by side, and at every how-manyth frame."""

    detectors: Sequence[Detector]
    labels: frozenset[str]
    workers: int
    stride: int

    def looks(self, frames: Iterable[Shown], tell: Tell) -> Iterator[Look]:
        """A look at every frame, in order; frames between two strides have no detections."""
        with ThreadPoolExecutor(self.workers) as pool:
            waiting: deque[tuple[Shown, float, Future[tuple[Detection, ...]] | None]] = deque()
            before: NDArray[np.int16] | None = None
            for shown in frames:
                gist = shown.view.gist()
                asked = shown.number % self.stride == 0
                future = pool.submit(_found, shown.view, self.detectors, self.labels) if asked else None
                waiting.append((shown, _change(gist, before), future))
                before = gist
                while len(waiting) > 2 * self.workers:
                    yield _look(waiting.popleft(), tell)
            while waiting:
                yield _look(waiting.popleft(), tell)


def _look(asked: tuple[Shown, float, "Future[tuple[Detection, ...]] | None"], tell: Tell) -> Look:
    shown, change, future = asked
    found = future.result() if future else ()
    tell(shown.number + 1)
    return Look(shown.number, shown.pts, found, change)


def shots(looks: Sequence[Look]) -> list[Sequence[Look]]:
    """The looks divided at cuts; every shot has at least one."""
    changes = [look.change for look in looks]
    starts = [0, *(i for i in range(1, len(looks)) if _is_cut(changes, i)), len(looks)]
    return [looks[a:b] for a, b in pairwise(starts) if a < b]


def _is_cut(changes: Sequence[float], i: int) -> bool:
    around = [changes[j] for j in (i - 2, i - 1, i + 1, i + 2) if 1 <= j < len(changes)]
    usual = sum(around) / len(around) if around else 0.0
    return changes[i] >= CUT_DIFFERENCE and changes[i] >= CUT_RATIO * usual
