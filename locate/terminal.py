"""What the command needs of a terminal: how far a search is, and an option that is a number or a word."""

import sys
import time

import click

PROGRESS_SECONDS = 0.2


class Stride(click.ParamType[int | None]):
    """A number of frames, or `auto`, which is None."""

    name = "stride"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        if value == "auto":
            return None
        if not value.isdecimal() or not 1 <= int(value) <= 100:
            self.fail(f"{value!r} is neither `auto` nor a number from 1 to 100", param, ctx)
        return int(value)


class Progress:
    """Writes how far a search is to stderr when that is a terminal."""

    def __init__(self, quiet: bool) -> None:
        self._shown = not quiet and sys.stderr.isatty()
        self._next = 0.0
        self._began = time.monotonic()

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if self._shown and (now >= self._next or done == total):
            self._next = now + PROGRESS_SECONDS
            rate = done / max(now - self._began, 0.001)
            left = f"/{total}  {rate:.1f} fps  {(total - done) / rate:.0f} s left" if total else f"  {rate:.1f} fps"
            click.echo(f"\r{what} {done}{left}   ", err=True, nl=done == total)
