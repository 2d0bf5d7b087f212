"""Runs what touches untrusted media in a child process, in the sandbox, and turns however it ends into one error.

parent: opens files ──fork──► child: `veridact.sandbox.policy`, then the work ──┐
        tells how far it is  ◄──────── a line of JSON a message ───────┘
        waits, watches, cleans up and publishes

The child inherits the descriptors it is given and no other. Nothing but JSON comes back, never code. When it crashes,
hangs or runs out of memory it is gone, and `MediaError` says so; when the parent dies, the child dies with it.
"""

import os
import select
import signal
import time
import warnings
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

from veridact import signals
from veridact.errors import MediaError
from veridact.progress import ReportProgress
from veridact.sandbox import heartbeat, policy, syscalls
from veridact.sandbox.cpu_wait import Starved
from veridact.sandbox.policy import GIB, Active, Mode, Policy
from veridact.sandbox.protocol import MESSAGE_BYTES, _message, _Speaker, _told, _values

QUIET_SECONDS = 60
"""A child that reads nothing new, writes nothing and finishes nothing for so long hangs."""

PATIENCE = 10
"""So many times as long may a step be quiet that says beforehand that it takes long (`heartbeat.patience`)."""

LOOK_MEMORY_BYTES = 8 * GIB
"""What a command may take that only looks."""
TICK_SECONDS = 1.0


Work = Callable[[ReportProgress], Any]
"""What the child does; gives a JSON value."""


@dataclass(frozen=True)
class ChildOptions:
    """How a child is held: the box around it, whether all of it is required, and the descriptors it keeps."""

    box: Policy
    mode: Mode = "auto"
    keep: Collection[int] = ()
    quiet_seconds: float = QUIET_SECONDS


@dataclass(frozen=True)
class Ended:
    """What the work gave, and the layers of the sandbox that were on."""

    value: Any
    active: Active


def run(work: Work, terms: ChildOptions, report: ReportProgress) -> Ended:
    """Does the work in a child process; raises what the work raises, and `MediaError` when the child just ends."""

    def once(report: ReportProgress) -> Iterator[Any]:
        yield work(report)

    with closing(each(once, terms, report)) as found:
        active, value = found
    return Ended(value, active)


def each(
    work: Callable[[ReportProgress], Iterator[Any]], terms: ChildOptions, report: ReportProgress
) -> Generator[Any, None, None]:
    """As `run`, for work that gives several values: first the layers that are on, then each value as it comes.

    The child ends when the generator is closed.
    """
    reading, writing = os.pipe()
    parent, child, status, complete = os.getpid(), 0, 0, False
    try:
        try:
            # Between a fork and the first line of the child, a signal would unwind the parent's stack there.
            with signals.waiting() as handlers, warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # numpy's threads are made for a fork
                child = os.fork()
                if child == 0:
                    signals.leave_to_parent(handlers)
                    _live(work, terms, writing, parent)
        finally:
            os.close(writing)
        complete = yield from _values(_messages(reading, child, terms), report)
    finally:
        os.close(reading)
        if child:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            status = os.waitpid(child, 0)[1]
    if not complete:
        raise MediaError(_how_it_ended(status))


def look(work: Callable[[], Any], *keep: int) -> Any:
    """What the work finds out by looking at open files, in a child process as `run`."""
    return run(
        lambda report: work(), ChildOptions(Policy(LOOK_MEMORY_BYTES), keep=keep), lambda what, done, total: None
    ).value


def _live(work: Callable[[ReportProgress], Iterator[Any]], terms: ChildOptions, writing: int, parent: int) -> NoReturn:
    """The child's whole life."""
    say = _Speaker(writing)
    try:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        _forget(terms.keep, writing)
        heartbeat.listen(say.beat)
        active = policy.enter(terms.box, terms.mode)
        say({"active": asdict(active)})
        for value in work(say.progress):
            say({"value": value})
        say({"done": True})
    except BaseException as e:  # noqa: BLE001 - nothing may unwind into the parent's code
        say(_told(e))
    finally:
        os._exit(0)


def _forget(keep: Collection[int], writing: int) -> None:
    """Closes every other descriptor."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    kept = sorted({0, 1, 2, writing, *keep})
    for low, high in zip(kept, [*kept[1:], os.sysconf("SC_OPEN_MAX")], strict=True):
        os.closerange(low + 1, high)


def _messages(fd: int, child: int, terms: ChildOptions) -> Iterator[dict[str, Any]]:
    """The child's messages until it ends; raises `MediaError` when it is quiet for too long.

    Time in which this process itself was stopped, or the child waited for a processor, is not counted.
    """
    starved = Starved(child)
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    waiting, quiet_seconds, allowed_seconds = bytearray(), 0.0, terms.quiet_seconds
    while True:
        began = time.monotonic()
        if not poll.poll(TICK_SECONDS * 1000):
            seconds = min(time.monotonic() - began, 2 * TICK_SECONDS)
            quiet_seconds += seconds * (1 - starved.share(seconds))
            if quiet_seconds >= allowed_seconds and terms.mode != "off":
                raise MediaError(f"nothing went on for {allowed_seconds:g} seconds; the file makes a decoder hang")
            continue
        quiet_seconds = 0.0
        if not (chunk := os.read(fd, 1 << 16)):
            return
        waiting += chunk
        if len(waiting) > MESSAGE_BYTES:
            raise MediaError("the process that decodes says too much; the file broke it")
        if b"\n" in chunk:
            *lines, waiting = waiting.split(b"\n")
            for message in map(_message, lines):
                if "patient" in message:
                    allowed_seconds = terms.quiet_seconds * (PATIENCE if message["patient"] is True else 1)
                else:
                    yield message


def _how_it_ended(status: int) -> str:
    if not os.WIFSIGNALED(status):
        return "the process that decodes ended early; convert the file first, or do without it"
    number = os.WTERMSIG(status)
    name = next((known.name for known in signal.Signals if known == number), f"signal {number}")
    if number == signal.SIGKILL:
        return "the process that decodes was killed, as happens where memory runs out; scale the file down or cut it"
    return f"the file made a decoder crash ({name}); convert it first, or do without it"
