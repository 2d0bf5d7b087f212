"""Times as people write them, and what a manifest alone proves about its frame rate."""

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veridact.errors import UsageError
from veridact.schema import timeline
from veridact.schema.manifest import Manifest
from veridact.schema.timeline import Clock, Frame, Seconds, Span, pts_sha256
from veridact.tools.edit import times

WRITTEN = {
    "120": Frame(120),
    "0s": Seconds(Fraction(0)),
    "4.25s": Seconds(Fraction(17, 4)),
    "340ms": Seconds(Fraction(34, 100)),
    "01:02.5": Seconds(Fraction(125, 2)),
    "01:00:01.250": Seconds(Fraction(14405, 4)),
    "4.25": None,
    "-3": None,
    "4 s": None,
    "1:99": None,
    "now": None,
}


@pytest.mark.parametrize("text", WRITTEN)
def test_a_time_is_a_frame_seconds_or_a_clock_time(text: str) -> None:
    assert times.parse_instant(text) == WRITTEN[text]


RANGES = {
    "120-180": Span(Frame(120), Frame(180)),
    "4s-": Span(Seconds(Fraction(4)), None),
    "-00:00:09.000": Span(None, Seconds(Fraction(9))),
    "-": None,
    "12": None,
    "4-x": None,
}


@pytest.mark.parametrize("text", RANGES)
def test_a_range_is_two_times(text: str) -> None:
    assert times.parse_span(text) == RANGES[text]


@given(st.integers(0, 10**9))
def test_a_clock_time_is_read_back_to_the_millisecond(ms: int) -> None:
    assert times.parse_instant(times.clock_text(Fraction(ms, 1000))) == Seconds(Fraction(ms, 1000))


RATES = {
    "25 in MP4": (Fraction(1, 12800), 50, [512 * i for i in range(50)]),
    "29.97 in MP4": (Fraction(1, 30000), 90, [1001 * i for i in range(90)]),
    "29.97 rounded to milliseconds in Matroska": (
        Fraction(1, 1000), 90, [(2 * 1001 * i + 30) // 60 for i in range(90)],
    ),
    "two frames late": (Fraction(1, 12800), 50, [512 * (i + 2) for i in range(50)]),
    "80 ms in a GIF": (Fraction(1, 1000), 24, [80 * i for i in range(24)]),
    "one frame": (Fraction(1, 1000), 1, [0]),
}  # fmt: skip


@pytest.mark.parametrize("case", RATES)
def test_a_constant_rate_is_proven_by_the_digest(case: str) -> None:
    time_base, frames, pts = RATES[case]
    assert timeline.constant_rate(time_base, frames, pts_sha256(pts)) == pts


def test_a_variable_rate_is_never_taken_for_a_constant_one() -> None:
    pts = [512 * i for i in range(49)] + [512 * 49 + 1]
    assert timeline.constant_rate(Fraction(1, 12800), 50, pts_sha256(pts)) is None


STEADY = Clock(0, 50, Fraction(1, 1000), [40 * i for i in range(50)], Fraction(0))
SHOWN = {
    "on a frame": ("0.080s", 2, 2),
    "within a frame": ("0.081s", 2, 3),
    "just before a frame": ("0.079s", 1, 2),
    "at the start": ("0s", 0, 0),
    "after the end": ("9s", 49, 50),
    "a frame number": ("7", 7, 7),
}


@pytest.mark.parametrize("case", SHOWN)
def test_seconds_become_the_frame_shown_and_the_first_after(case: str) -> None:
    text, shown, after = SHOWN[case]
    at = times.instant(text)
    assert (STEADY.frame_of(at, up=False), STEADY.frame_of(at, up=True)) == (shown, after)


@given(st.integers(0, 1999), st.integers(1, 2000))
def test_a_range_in_seconds_is_widened_to_whole_frames(start_ms: int, length_ms: int) -> None:
    span = times.parse_span(f"{start_ms}ms-{start_ms + length_ms}ms")
    assert span is not None
    first, end = STEADY.span(span)
    assert first * 40 <= start_ms < first * 40 + 40
    assert end == 50 or (end - 1) * 40 < start_ms + length_ms <= end * 40


def test_sound_that_begins_with_the_file_makes_zero_of_the_file(example: Callable[[str], Manifest]) -> None:
    assert timeline.from_manifest(example("street"))[0].seconds_of(25) == 1


@pytest.mark.parametrize("ask", [lambda c: c.frame_of(Seconds(Fraction(1)), up=False), lambda c: c.pts_of(3)])
def test_seconds_on_an_unknown_timeline_are_refused_with_what_helps(ask: Callable[[Clock], object]) -> None:
    unknown = Clock(0, 50, Fraction(1, 1000), None, Fraction(0))
    with pytest.raises(UsageError, match="--media"):
        ask(unknown)
    assert unknown.frame_of(Frame(3), up=False) == 3
