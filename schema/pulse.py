"""Signs of life: long loops tell here that they go on, and who watches the process hears it (`schema.contained`)."""

from collections.abc import Callable

_listeners: list[Callable[[], None]] = []
"""At most one."""


def beat() -> None:
    """Says that something was read, written or finished; costs nothing where nobody listens."""
    for listener in _listeners:
        listener()


def listen(listener: Callable[[], None]) -> None:
    """Calls `listener`, and no other, at every beat of this process from now on."""
    _listeners[:] = [listener]
