"""Runs what touches untrusted media in a child process, in the sandbox, and turns however it ends into one error.

parent: opens files ──fork──► child: `schema.sandbox`, then the work ──┐
        tells how far it is  ◄──────── a line of JSON a message ───────┘
        waits, watches, cleans up and publishes

The child inherits the descriptors it is given and no other. Nothing but JSON comes back, never code. When it crashes,
hangs or runs out of memory it is gone, and `MediaError` says so; when the parent dies, the child dies with it.
"""

import json
import os
import select
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from typing import Any, NoReturn, cast

from schema import errors, linux, pulse, sandbox, signals
from schema.errors import MediaError, VeridactError
from schema.sandbox import GIB, Active, Box, Mode
from schema.starved import Starved

QUIET_SECONDS = 60
"""A child that reads nothing new, writes nothing and finishes nothing for so long hangs."""

PATIENCE = 10
"""So many times as long may a step be quiet that says beforehand that it takes long (`schema.pulse.patience`)."""

LOOK_MEMORY_BYTES = 8 * GIB
"""What a command may take that only looks."""

BEAT_SECONDS = 1.0
TICK_SECONDS = 1.0
MESSAGE_BYTES = 1 << 28
ERRORS = {kind.__name__: kind for kind in vars(errors).values() if isinstance(kind, type)}
FIELDS = ("layer", "path", "reason")
"""What errors hold besides their text; never an exit code, which a child must not choose."""

Tell = Callable[[str, int, int], None]
"""Called with what is being counted, how far it is and how far it goes."""

Work = Callable[[Tell], Any]
"""What the child does; gives a JSON value."""


class ChildBugError(Exception):
    """Something that no error class foresees went wrong in the child; the text names it."""


@dataclass(frozen=True)
class Terms:
    """How a child is held: the box around it, whether all of it is required, and the descriptors it keeps."""

    box: Box
    mode: Mode = "auto"
    keep: Collection[int] = ()
    quiet_seconds: float = QUIET_SECONDS


@dataclass(frozen=True)
class Ended:
    """What the work gave, and the layers of the sandbox that were on."""

    value: Any
    active: Active


def run(work: Work, terms: Terms, tell: Tell) -> Ended:
    """Does the work in a child process; raises what the work raises, and `MediaError` when the child just ends."""

    def once(tell: Tell) -> Iterator[Any]:
        yield work(tell)

    with closing(each(once, terms, tell)) as found:
        active, value = found
    return Ended(value, active)


def each(work: Callable[[Tell], Iterator[Any]], terms: Terms, tell: Tell) -> Generator[Any, None, None]:
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
        complete = yield from _values(_messages(reading, child, terms), tell)
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
    return run(lambda tell: work(), Terms(Box(LOOK_MEMORY_BYTES), keep=keep), lambda what, done, total: None).value


def _live(work: Callable[[Tell], Iterator[Any]], terms: Terms, writing: int, parent: int) -> NoReturn:
    """The child's whole life."""
    say = _Speaker(writing)
    try:
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        _forget(terms.keep, writing)
        pulse.listen(say.beat)
        active = sandbox.enter(terms.box, terms.mode)
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


class _Speaker:
    """Writes messages to the parent; the threads of the work may all do so."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()
        self._next_beat = 0.0
        self._patient = False

    def __call__(self, message: dict[str, Any]) -> None:
        data = memoryview(json.dumps(message).encode() + b"\n")
        with self._lock:
            while data:
                data = data[os.write(self._fd, data) :]

    def progress(self, what: str, done: int, total: int) -> None:
        self({"progress": [what, done, total]})

    def beat(self, patient: bool) -> None:
        now = time.monotonic()
        if now >= self._next_beat or patient != self._patient:
            self._next_beat, self._patient = now + BEAT_SECONDS, patient
            self({"patient": patient})


def _told(error: BaseException) -> dict[str, Any]:
    """An exception as a message."""
    if isinstance(error, VeridactError):
        held = vars(error)
        return {"error": type(error).__name__, "text": str(error), "more": {f: held[f] for f in FIELDS if f in held}}
    if isinstance(error, MemoryError):
        return {"memory": True}
    if isinstance(error, OSError) and error.errno is not None:
        return {"errno": error.errno, "text": error.strerror, "file": _name(error.filename)}
    return {"bug": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}


def _name(filename: object) -> str | None:
    return os.fsdecode(filename) if isinstance(filename, str | bytes | os.PathLike) else None


def _messages(fd: int, child: int, terms: Terms) -> Iterator[dict[str, Any]]:
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


def _message(line: bytearray) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise MediaError("the process that decodes talks nonsense; the file broke it")
    return found


def _values(messages: Iterator[dict[str, Any]], tell: Tell) -> Generator[Any, None, bool]:
    """The layers and the values as they come, the rest handed on; at the end, whether that was all.

    Raises what the child raised.
    """
    for message in messages:
        match message:
            case {"progress": [str(what), int(done), int(total)]}:
                tell(printable(what), done, total)
            case {"active": {"layers": layers, "landlock_abi": abi, "missing": missing}}:
                yield Active(tuple(layers), abi, tuple(missing))
            case {"value": value}:
                yield value
            case {"done": True}:
                return True
            case _:
                _raise_what_is_told(message)
    return False


def _raise_what_is_told(message: dict[str, Any]) -> None:
    text = printable(str(message.get("text")))
    match message:
        case {"error": str(name), "more": dict(more)} if name in ERRORS:
            error = cast(VeridactError, ERRORS[name].__new__(ERRORS[name], text))
            vars(error).update({field: printable(str(more[field])) for field in FIELDS if field in more})
            raise error
        case {"memory": True}:
            raise MediaError("the file needs more memory than a file may; scale it down or cut it first")
        case {"errno": int(number), "file": file}:
            raise OSError(number, text, *([printable(file)] if isinstance(file, str) else []))
        case {"bug": str(bug), "trace": str(trace)}:
            found = ChildBugError(printable(bug))
            found.add_note(trace)
            raise found


def printable(text: str) -> str:
    """A text that the child chose, without what a terminal would act on."""
    return "".join(c if c.isprintable() else " " for c in text)


def _how_it_ended(status: int) -> str:
    if not os.WIFSIGNALED(status):
        return "the process that decodes ended early; convert the file first, or do without it"
    number = os.WTERMSIG(status)
    name = next((known.name for known in signal.Signals if known == number), f"signal {number}")
    if number == signal.SIGKILL:
        return "the process that decodes was killed, as happens where memory runs out; scale the file down or cut it"
    return f"the file made a decoder crash ({name}); convert it first, or do without it"
