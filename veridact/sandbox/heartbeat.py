"""Signs of life: long loops call `beat`, and the parent that watches the process resets its timeout at each one.

A beat is a unit of work that was finished, or a part of a file that was never read before: a decoder that reads the
same bytes for ever gives none. A step that may take long for good reasons (a model is loaded, a whole picture packed)
stands within `patience`. `veridact.sandbox.child` listens.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")

_listeners: list[Callable[[bool], None]] = []
"""At most one."""

_lock = threading.Lock()
_patient: list[None] = []
"""An entry for each long step that is under way."""


def beat() -> None:
    """Says that something was read, written or finished; costs nothing where nobody listens."""
    if _listeners:
        with _lock:
            _notify()


def _notify() -> None:
    for listener in _listeners:
        listener(bool(_patient))


def beating(items: Iterable[Item]) -> Iterator[Item]:
    """The items, with a beat for each: for loops in code that knows nothing of this process."""
    for item in items:
        beat()
        yield item


@contextmanager
def patience() -> Iterator[None]:
    """Lengthens the timeout for a step that may be silent for long; never one that decodes a file."""
    with _lock:
        _patient.append(None)
        _notify()
    try:
        yield
    finally:
        with _lock:
            _patient.pop()
            _notify()


def listen(listener: Callable[[bool], None]) -> None:
    """Calls `listener`, and no other, at every beat of this process from now on, with whether a long step goes on."""
    _listeners[:] = [listener]
    _patient.clear()
