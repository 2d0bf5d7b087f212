"""Signals that would end a command on the spot end it in good order: what it began is removed, its exit code is 130.

Those of its own faults (a crash) are left alone, and so are those that whoever started it ignores, as `nohup` does.
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
    """A signal came; no `KeyboardInterrupt`, on which click would put an empty line before ours."""


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """Further signals would interrupt the cleaning up."""
    for other in INTERRUPTING:
        if signal.getsignal(other) is _interrupt:
            signal.signal(other, signal.SIG_IGN)
    raise Interruption


OURS: tuple[Callable[..., Any], ...] = (_interrupt, signal.default_int_handler)


def _in_main_thread() -> bool:
    """Python lets no other thread decide about signals, nor acts on them there."""
    return threading.current_thread() is threading.main_thread()


@contextmanager
def caught() -> Iterator[None]:
    """Every signal about which nobody else decided raises `Interruption`, once."""
    free = (signal.SIG_DFL, signal.default_int_handler)
    chosen = [n for n in INTERRUPTING if _in_main_thread() and signal.getsignal(n) in free]
    before = {number: signal.signal(number, _interrupt) for number in chosen}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def waiting() -> Iterator[Handlers]:
    """Signals that come meanwhile are acted on afterwards; gives what will be done then."""
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
    """In a child that was forked while signals waited: those that end the parent in good order end this one with it."""
    for number, handler in handlers.items():
        signal.signal(number, signal.SIG_IGN if handler in OURS else handler)
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
