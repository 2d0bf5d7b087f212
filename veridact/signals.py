"""Signals that would end a process on the spot end it in good order: what it began is removed, its exit code is 130.

Signals of its own faults (a crash) keep their effect, and those that its parent has it ignore, as `nohup` does, stay
ignored. Nothing here acts on import: commands, and the interpreter that `veridact.api` starts, call `caught`.
"""

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

INTERRUPTING = tuple(
    getattr(signal, f"SIG{name}") for name in "HUP INT QUIT TERM USR1 USR2 ALRM VTALRM PROF XCPU IO PWR".split()
)
Handlers = Mapping[signal.Signals, Any]


class Interruption(BaseException):
    """A signal came. Not a `KeyboardInterrupt`: click would print an empty line before our message."""


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """Raises `Interruption` once; further signals are ignored, because they would interrupt the cleaning up."""
    for other in INTERRUPTING:
        if signal.getsignal(other) is _interrupt:
            signal.signal(other, signal.SIG_IGN)
    raise Interruption


INTERRUPTS: tuple[Callable[..., Any], ...] = (_interrupt, signal.default_int_handler)
"""The handlers that end a process in good order."""


def _in_main_thread() -> bool:
    """Whether this thread may set handlers: Python lets only the main thread do so, and runs them there."""
    return threading.current_thread() is threading.main_thread()


@contextmanager
def caught() -> Iterator[None]:
    """Within the block, the first `INTERRUPTING` signal that still has its default handler raises `Interruption`."""
    free = (signal.SIG_DFL, signal.default_int_handler)
    chosen = [n for n in INTERRUPTING if _in_main_thread() and signal.getsignal(n) in free]
    before = {number: signal.signal(number, _interrupt) for number in chosen}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def deferred() -> Iterator[Handlers]:
    """Signals that come within the block are handled behind it; gives the handlers that will be called then."""
    came: list[int] = []
    chosen = [n for n in INTERRUPTING if _in_main_thread() and callable(signal.getsignal(n))]
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in chosen}
    try:
        yield before
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for late in came:
            signal.raise_signal(late)


def leave_to_parent(handlers: Handlers) -> None:
    """In a child forked while signals were deferred: ignores those that end the parent, because it ends the child."""
    for number, handler in handlers.items():
        signal.signal(number, signal.SIG_IGN if handler in INTERRUPTS else handler)
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
