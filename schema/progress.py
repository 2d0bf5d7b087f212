"""How far a search or a render is, on stderr when that is a terminal."""

import sys
import time

import click

INTERVAL_SECONDS = 0.2


class Progress:
    """Called with what is counted, how far it is and how far it goes (0 where that is not known)."""

    def __init__(self, quiet: bool) -> None:
        self._shown = not quiet and sys.stderr.isatty()
        self._next = 0.0
        self._began = time.monotonic()

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if self._shown and (now >= self._next or done == total):
            self._next = now + INTERVAL_SECONDS
            rate = done / max(now - self._began, 0.001)
            left = (
                f"/{total}  {rate:.1f}/s  {(total - done) / rate:.0f} s left" if total and rate else f"  {rate:.1f}/s"
            )
            click.echo(f"\r{what} {done}{left}   ", err=True, nl=done == total)
