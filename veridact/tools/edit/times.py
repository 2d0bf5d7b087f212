"""The syntax of times: frames (`120`), seconds (`4.5s`, `340ms`) and clock times (`00:01:02.500`).

A range is `FROM-TO`, half-open; either side may be left out: `120-180`, `4s-6.5s`, `00:01:00-`, `-90`.
"""

import re
from fractions import Fraction

from veridact.errors import UsageError
from veridact.schema.timeline import Frame, Instant, Seconds, Span

_SECONDS = re.compile(r"([0-9]{1,9})(\.[0-9]{1,9})?s")
_MILLISECONDS = re.compile(r"([0-9]{1,12})ms")
_CLOCK = re.compile(r"(?:([0-9]{1,5}):)?([0-9]{1,2}):([0-5][0-9](?:\.[0-9]{1,9})?)")
_FRAME = re.compile(r"[0-9]{1,15}")


def parse_instant(text: str) -> Instant | None:
    """The time that `text` denotes, or None when it denotes none."""
    if _FRAME.fullmatch(text):
        return Frame(int(text))
    if match := _MILLISECONDS.fullmatch(text):
        return Seconds(Fraction(int(match[1]), 1000))
    if _SECONDS.fullmatch(text):
        return Seconds(Fraction(text[:-1]))
    if match := _CLOCK.fullmatch(text):
        return Seconds(int(match[1] or 0) * 3600 + int(match[2]) * 60 + Fraction(match[3]))
    return None


def parse_span(text: str) -> Span | None:
    """The half-open range that `text` denotes, or None when it denotes none."""
    first, dash, last = text.partition("-")
    if not dash or not (first or last):
        return None
    start, end = parse_instant(first) if first else None, parse_instant(last) if last else None
    if (first and start is None) or (last and end is None):
        return None
    return Span(start, end)


def instant(text: str) -> Instant:
    """As `parse_instant`; raises `UsageError`."""
    found = parse_instant(text)
    if found is None:
        raise UsageError(f"{text!r} is not a time; write a frame (120), seconds (4.5s) or 00:00:04.500")
    return found


def milliseconds(at: Instant, up: bool) -> int:
    """A time of sound in whole milliseconds, rounded up or down; raises `UsageError` for a frame number."""
    if isinstance(at, Frame):
        raise UsageError(f"sound has no frame {at.number}; write seconds (12.34s) or 00:00:12.340")
    return -int(-at.value * 1000 // 1) if up else int(at.value * 1000 // 1)


def clock_text(seconds: Fraction) -> str:
    """Seconds as HH:MM:SS.mmm, rounded down to a millisecond."""
    ms = int(seconds * 1000 // 1)
    sign, ms = ("-", -ms) if ms < 0 else ("", ms)
    return f"{sign}{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"
