"""How far a search or a render is, on stderr when that is a terminal."""

import sys
import time

import click

from veridact.progress import AUDIO_SECONDS

INTERVAL_SECONDS = 0.2


def clock(seconds: float) -> str:
    """`75` as `1:15`, minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Progress:
    """A `ReportProgress` that draws one line over and over, with the speed and the time left.

    Both are computed over the time since the first report of the current unit.
    """

    def __init__(self, quiet: bool) -> None:
        self._shown = not quiet and sys.stderr.isatty()
        self._next = 0.0
        self._unit = ""
        self._began = time.monotonic()

    def __call__(self, unit: str, done: int, total: int) -> None:
        """Draws the line anew, at most every `INTERVAL_SECONDS` and once all are done."""
        now = time.monotonic()
        if unit != self._unit:
            if self._unit:
                self._began = now
            self._unit = unit
        if self._shown and (now >= self._next or done == total):
            self._next = now + INTERVAL_SECONDS
            rate = done / max(now - self._began, 0.001)
            click.echo(f"\r{_line(unit, done, total, rate)}   ", err=True, nl=done == total)


def _line(unit: str, done: int, total: int, rate: float) -> str:
    left = f"  {clock((total - done) / rate)} left" if total and rate else ""
    if unit.endswith(AUDIO_SECONDS):
        of = f" of {clock(total)}" if total else ""
        return f"{unit.removesuffix(AUDIO_SECONDS)} {clock(done)}{of} min of audio  {rate:.1f} times real time{left}"
    return f"{unit} {done}{f'/{total}' if total else ''}  {rate:.1f}/s{left}"
