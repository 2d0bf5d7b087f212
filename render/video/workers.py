"""Runs the segments of a stream: in this thread one after another, or on several threads with a bound on memory."""

import queue
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import groupby

from av.video.frame import VideoFrame

Numbered = tuple[int, VideoFrame]
Work = Callable[[int, Iterator[Numbered]], None]
POLL_SECONDS = 0.2

SWITCH_SECONDS = 0.0005
"""How long a thread that paints may keep one waiting that comes back from an encoder: with Python's 5 ms both cores
stood still for a fifth of the time."""


class _StoppedError(Exception):
    """Ends a worker whose frames will not all come, because something else failed first."""


def run(frames: Iterator[VideoFrame], length: int, jobs: int, work: Work) -> None:
    """Calls `work(segment, frames of it)` for every `length` frames; the first error of any segment is raised."""
    groups = groupby(enumerate(frames), key=lambda numbered: numbered[0] // length)
    if jobs == 1:
        for segment, group in groups:
            work(segment, group)
        return
    # The segment behind the one being decoded may wait whole while another worker is on the one before it; no more is
    # ever needed to keep all workers busy.
    crew = _Crew(jobs, (jobs - 1) * length, work)
    with _quick_switching():
        try:
            for segment, group in groups:
                crew.begin(segment)
                for numbered in group:
                    crew.hand_over(numbered)
                crew.end()
        finally:
            crew.close()


@contextmanager
def _quick_switching() -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


class _Crew:
    """`jobs` threads, each on one segment at a time, and at most `in_flight` frames waiting for them."""

    def __init__(self, jobs: int, in_flight: int, work: Work) -> None:
        self._pool = ThreadPoolExecutor(jobs, thread_name_prefix="segment")
        self._room = threading.Semaphore(in_flight)
        self._stopped = threading.Event()
        self._work = work
        self._futures: list[Future[None]] = []
        self._line: queue.SimpleQueue[Numbered | None] | None = None

    def begin(self, segment: int) -> None:
        """Starts a segment; the frames handed over from now on are its own."""
        line: queue.SimpleQueue[Numbered | None] = queue.SimpleQueue()
        self._line = line
        self._futures.append(self._pool.submit(self._run, segment, line))

    def hand_over(self, numbered: Numbered) -> None:
        """Waits for room and puts a frame into the line of the segment begun last."""
        while not self._room.acquire(timeout=POLL_SECONDS):
            self._raise_first_error()
        if self._line is not None:
            self._line.put(numbered)

    def end(self) -> None:
        """Says that the segment begun last is complete, and forgets those that are done."""
        if self._line is not None:
            self._line.put(None)
            self._line = None
        self._raise_first_error()

    def close(self) -> None:
        """Waits for all segments; what has not begun when something failed is not begun."""
        if self._line is not None:
            self._stopped.set()
            self._line.put(None)
        done, _ = wait(self._futures, return_when=FIRST_EXCEPTION)
        if any(not f.cancelled() and f.exception() for f in done):
            self._stopped.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        if not self._stopped.is_set() or self._line is None:
            self._raise_first_error()

    def _raise_first_error(self) -> None:
        for future in [f for f in self._futures if f.done()]:
            if not future.cancelled():
                future.result()
            self._futures.remove(future)

    def _run(self, segment: int, line: "queue.SimpleQueue[Numbered | None]") -> None:
        try:
            self._work(segment, self._received(line))
        except BaseException:
            self._stopped.set()
            raise

    def _received(self, line: "queue.SimpleQueue[Numbered | None]") -> Iterator[Numbered]:
        while True:
            numbered = line.get()
            if self._stopped.is_set():
                raise _StoppedError
            if numbered is None:
                return
            self._room.release()
            yield numbered
