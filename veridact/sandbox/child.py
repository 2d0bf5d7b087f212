"""Runs what decodes untrusted media in a forked child process, inside the sandbox, and turns its end into one error.

parent: opens files ──fork──► child: `veridact.sandbox.policy`, then the work ──┐
        reports progress     ◄──────── a line of JSON a message ───────┘
        waits, watches, cleans up and publishes

The child inherits the descriptors it is given and no other. Nothing but JSON comes back, never code. When it crashes,
hangs or runs out of memory it is gone, and `MediaError` says so; when the parent dies, the child dies with it.

A process with more than one Python thread is never forked: a lock that another thread holds at that moment would stay
locked in the child for ever. Programs with threads call `veridact.api`, which forks in an interpreter of its own.
Threads of OpenBLAS, which numpy starts when it is imported, are no obstacle: its handler (`pthread_atfork`) joins them
before each fork, and it starts them again where they are needed next.
"""

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

from veridact import signals
from veridact.errors import MediaError
from veridact.progress import ReportProgress, silently
from veridact.sandbox import heartbeat, policy, protocol, syscalls
from veridact.sandbox.cpu_wait import CpuWait
from veridact.sandbox.policy import GIB, Active, Mode, Policy

TIMEOUT_SECONDS = 60
"""A child hangs that for so long reads nothing new, writes nothing and finishes nothing."""

LONG_STEP_FACTOR = 10
"""The timeout is so many times as long during a step that says beforehand that it takes long (`heartbeat.patience`)."""

TOOL_MEMORY_BYTES = 8 * GIB
"""What the child of `call` may take: that of a command that reads or draws footage, but does not write any."""
TICK_SECONDS = 1.0


Work = Callable[[ReportProgress], Any]
"""What the child does; gives a JSON value."""


@dataclass(frozen=True)
class ChildOptions:
    """How a child is confined: its policy, whether every layer is required, and the descriptors that stay open in it.

    Without a sign of life for `timeout_seconds` it is killed, unless `mode` is `off`.
    """

    policy: Policy
    mode: Mode = "auto"
    keep: Collection[int] = ()
    timeout_seconds: float = TIMEOUT_SECONDS


@dataclass(frozen=True)
class Result:
    """What the work gave, and the layers of the sandbox that were on."""

    value: Any
    active: Active


def run(work: Work, options: ChildOptions, report: ReportProgress) -> Result:
    """Does the work in a child process; raises what the work raises, and `MediaError` when the child just ends."""

    def once(report: ReportProgress) -> Iterator[Any]:
        yield work(report)

    with closing(each(once, options, report)) as values:
        active, value = values
    return Result(value, active)


def each(
    work: Callable[[ReportProgress], Iterator[Any]], options: ChildOptions, report: ReportProgress
) -> Generator[Any, None, None]:
    """As `run`, for work that gives several values: first the layers that are on, then each value as it comes.

    The child ends when the generator is closed. Raises `RuntimeError` in a process that has other Python threads.
    """
    _refuse_threads()
    reading, writing = os.pipe()
    parent, child, status, complete = os.getpid(), 0, 0, False
    try:
        try:
            # Between a fork and the first line of the child, a signal would unwind the parent's stack there.
            with signals.deferred() as handlers:
                child = os.fork()
                if child == 0:
                    signals.leave_to_parent(handlers)
                    _live(work, options, writing, parent)
        finally:
            os.close(writing)
        complete = yield from protocol.results(_messages(reading, child, options), report)
    finally:
        os.close(reading)
        if child:
            status = _end(child)
    if not complete:
        raise MediaError(_how_it_ended(status))


def call(work: Callable[[], Any], *keep: int) -> Any:
    """What the work reads from open files, in a child process as `run`, for work that reports no progress."""
    return run(lambda report: work(), ChildOptions(Policy(TOOL_MEMORY_BYTES), keep=keep), silently).value


def _refuse_threads() -> None:
    if (count := threading.active_count()) > 1:
        raise RuntimeError(
            f"this process has {count} threads, and a fork would copy the locks that they hold; call veridact.api, "
            "which does the same in a process of its own"
        )


def _end(child: int) -> int:
    """Kills and reaps a child; returns its wait status, 0 where the parent was started to ignore how children end."""
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    with suppress(ChildProcessError):
        return os.waitpid(child, 0)[1]
    return 0


def _live(
    work: Callable[[ReportProgress], Iterator[Any]], options: ChildOptions, writing: int, parent: int
) -> NoReturn:
    """The child's whole life."""
    send = protocol.MessageWriter(writing)
    try:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        _close_all_but(options.keep, writing)
        heartbeat.listen(send.beat)
        active = policy.enter(options.policy, options.mode)
        send({"active": asdict(active)})
        for value in work(send.progress):
            send({"value": value})
        send({"done": True})
    except BaseException as e:  # noqa: BLE001 - nothing may unwind into the parent's code
        send(protocol.message_of(e))
    finally:
        os._exit(0)


def _close_all_but(keep: Collection[int], writing: int) -> None:
    """Closes every other descriptor, and puts /dev/null in the place of the three standard streams."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    kept = sorted({0, 1, 2, writing, *keep})
    for low, high in zip(kept, [*kept[1:], os.sysconf("SC_OPEN_MAX")], strict=True):
        os.closerange(low + 1, high)


def _messages(fd: int, child: int, options: ChildOptions) -> Iterator[dict[str, Any]]:
    """The child's messages until it ends; raises `MediaError` when it gives no sign of life for too long.

    Time in which this process itself was stopped, or the child waited for a processor, is not counted.
    """
    cpu_wait = CpuWait(child)
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    reader, silent_seconds, allowed_seconds = protocol.MessageReader(), 0.0, options.timeout_seconds
    while True:
        began = time.monotonic()
        if not poll.poll(TICK_SECONDS * 1000):
            seconds = min(time.monotonic() - began, 2 * TICK_SECONDS)
            silent_seconds += seconds * (1 - cpu_wait.share(seconds))
            if silent_seconds >= allowed_seconds and options.mode != "off":
                raise MediaError(
                    f"no progress for {allowed_seconds:g} seconds: the file makes a decoder hang; convert it first"
                )
            continue
        silent_seconds = 0.0
        if not (chunk := os.read(fd, protocol.CHUNK_BYTES)):
            return
        for message in reader.feed(chunk):
            if "patient" in message:
                allowed_seconds = options.timeout_seconds * (LONG_STEP_FACTOR if message["patient"] is True else 1)
            else:
                yield message


def _how_it_ended(status: int) -> str:
    if not os.WIFSIGNALED(status):
        return "the decoder process ended early; convert the file first, or do without it"
    number = os.WTERMSIG(status)
    name = next((known.name for known in signal.Signals if known == number), f"signal {number}")
    if number == signal.SIGKILL:
        return "the decoder process was killed, as happens where memory runs out; scale the file down or cut it"
    return f"the file made a decoder crash ({name}); convert it first, or do without it"
