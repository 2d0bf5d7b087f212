"""How far a search or a render is, on stderr when that is a terminal."""

import sys
import time
from collections.abc import Callable

import click

ReportProgress = Callable[[str, int, int], None]
"""Called with what is being counted, how far it is and how far it goes (0 where that is not known)."""

INTERVAL_SECONDS = 0.2
SECONDS = " seconds heard"
"""What is counted in seconds says so at its end, and is shown in minutes."""


def clock(seconds: float) -> str:
    """`75` as `1:15`, minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Progress:
    """Called with what is counted, how far it is and how far it goes (0 where that is not known).

    The time left is told from the speed since this kind of thing began to be counted.
    """

    def __init__(self, quiet: bool) -> None:
        self._shown = not quiet and sys.stderr.isatty()
        self._next = 0.0
        self._what = ""
        self._began = time.monotonic()

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if what != self._what:
            if self._what:
                self._began = now
            self._what = what
        if self._shown and (now >= self._next or done == total):
            self._next = now + INTERVAL_SECONDS
            rate = done / max(now - self._began, 0.001)
            click.echo(f"\r{_line(what, done, total, rate)}   ", err=True, nl=done == total)


def _line(what: str, done: int, total: int, rate: float) -> str:
    left = f"  {clock((total - done) / rate)} left" if total and rate else ""
    if what.endswith(SECONDS):
        of = f" of {clock(total)}" if total else ""
        return f"{what.removesuffix(SECONDS)} {clock(done)}{of} min heard  {rate:.1f} times real time{left}"
    return f"{what} {done}{f'/{total}' if total else ''}  {rate:.1f}/s{left}"
