"""Runs the segments of a stream one after another, or on several threads with a bound on the frames in memory."""

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
"""Python's thread switch interval while segments run. With the default of 5 ms, a thread that returned from the encoder
waited for one that paints, and both cores were idle for a fifth of the time."""


class _StoppedError(Exception):
    """Ends a worker whose remaining frames will not be decoded, because another part failed first."""


def run(frames: Iterator[VideoFrame], length: int, jobs: int, work: Work) -> None:
    """Calls `work(segment, its numbered frames)` for every `length` frames; raises the first error of any segment."""
    groups = groupby(enumerate(frames), key=lambda numbered: numbered[0] // length)
    if jobs == 1:
        for segment, group in groups:
            work(segment, group)
        return
    # One worker follows the segment being decoded; each other worker may have one whole segment queued. More frames are
    # never needed to keep all workers busy.
    pool = _WorkerPool(jobs, (jobs - 1) * length, work)
    with _quick_switching():
        try:
            for segment, group in groups:
                pool.begin(segment)
                for numbered in group:
                    pool.submit(numbered)
                pool.end()
        finally:
            pool.close()


@contextmanager
def _quick_switching() -> Iterator[None]:
    """Sets the thread switch interval to `SWITCH_SECONDS` within the context."""
    default = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(default)


class _WorkerPool:
    """`jobs` threads, each on one segment at a time, with at most `in_flight` frames queued for them."""

    def __init__(self, jobs: int, in_flight: int, work: Work) -> None:
        self._pool = ThreadPoolExecutor(jobs, thread_name_prefix="segment")
        self._free_slots = threading.Semaphore(in_flight)
        self._stopped = threading.Event()
        self._work = work
        self._futures: list[Future[None]] = []
        self._queue: queue.SimpleQueue[Numbered | None] | None = None

    def begin(self, segment: int) -> None:
        """Starts a segment; the frames submitted from now on belong to it."""
        frames: queue.SimpleQueue[Numbered | None] = queue.SimpleQueue()
        self._queue = frames
        self._futures.append(self._pool.submit(self._run, segment, frames))

    def submit(self, numbered: Numbered) -> None:
        """Waits for a free slot and queues a frame for the segment begun last."""
        while not self._free_slots.acquire(timeout=POLL_SECONDS):
            self._raise_first_error()
        if self._queue is not None:
            self._queue.put(numbered)

    def end(self) -> None:
        """Marks the segment begun last as complete, and drops the futures of finished segments."""
        if self._queue is not None:
            self._queue.put(None)
            self._queue = None
        self._raise_first_error()

    def close(self) -> None:
        """Waits for all segments; after a failure, segments that have not begun are cancelled."""
        if self._queue is not None:
            self._stopped.set()
            self._queue.put(None)
        done, _ = wait(self._futures, return_when=FIRST_EXCEPTION)
        if any(not f.cancelled() and f.exception() for f in done):
            self._stopped.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        if not self._stopped.is_set() or self._queue is None:
            self._raise_first_error()

    def _raise_first_error(self) -> None:
        """Raises the error of the first finished segment that has one; drops the others."""
        for future in [f for f in self._futures if f.done()]:
            if not future.cancelled():
                future.result()
            self._futures.remove(future)

    def _run(self, segment: int, frames: "queue.SimpleQueue[Numbered | None]") -> None:
        """Works on one segment in a thread; an error stops all others."""
        try:
            self._work(segment, self._received(frames))
        except BaseException:
            self._stopped.set()
            raise

    def _received(self, frames: "queue.SimpleQueue[Numbered | None]") -> Iterator[Numbered]:
        """The frames of one segment as they are queued; raises `_StoppedError` after a failure elsewhere."""
        while True:
            numbered = frames.get()
            if self._stopped.is_set():
                raise _StoppedError
            if numbered is None:
                return
            self._free_slots.release()
            yield numbered
