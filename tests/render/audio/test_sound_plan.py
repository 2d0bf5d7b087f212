from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veridact.errors import MediaError
from veridact.schema.plan.audio import FAR, Covers, Overlap, Range, SoundPlan, Span, covered_samples, position_slack


def silence(start: int, end: int, pad: int = 0) -> Range:
    return Range(start, end, "silence", pad)


def beep(start: int, end: int, pad: int = 0) -> Range:
    return Range(start, end, "beep", pad)


def everything(*ranges: Range, keeps: tuple[tuple[int, int], ...]) -> SoundPlan:
    return SoundPlan(ranges, keeps, "everything")


CASES = {
    "nothing": (SoundPlan(()), 48000, []),
    "one range": (SoundPlan((silence(10, 20),)), 48000, [(480, 960, "silence")]),
    "outward to whole samples": (SoundPlan((silence(1, 2),)), 44100, [(44, 89, "silence")]),
    "padding may reach before 0": (SoundPlan((silence(10, 20, 30),)), 1000, [(-20, 50, "silence")]),
    "two ranges meet": (SoundPlan((silence(0, 10), silence(10, 20))), 1000, [(0, 20, "silence")]),
    "two ranges overlap": (SoundPlan((silence(0, 15), silence(10, 20))), 1000, [(0, 20, "silence")]),
    "silence wins over beep": (
        SoundPlan((beep(0, 30), silence(10, 20))),
        1000,
        [(0, 10, "beep"), (10, 20, "silence"), (20, 30, "beep")],
    ),
    "everything": (everything(keeps=()), 1000, [(-FAR, FAR, "silence")]),
    "a keep shrinks inward": (
        everything(keeps=((1, 3),)),
        44100,
        [(-FAR, 45, "silence"), (132, FAR, "silence")],
    ),
    "a keep of less than a sample keeps nothing": (everything(keeps=((1, 2),)), 900, [(-FAR, FAR, "silence")]),
    "a range wins over a keep": (
        everything(beep(12, 14), silence(15, 16), keeps=((10, 20),)),
        1000,
        [(-FAR, 10, "silence"), (12, 14, "beep"), (15, 16, "silence"), (20, FAR, "silence")],
    ),
    "a beep outside a keep is silent": (
        everything(beep(5, 15), keeps=((10, 20),)),
        1000,
        [(-FAR, 10, "silence"), (10, 15, "beep"), (20, FAR, "silence")],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_covered_spans(name: str) -> None:
    plan, rate, expected = CASES[name]
    assert [(s.start, s.end, s.effect) for s in covered_samples(plan, rate)] == expected


RANGES = st.lists(
    st.tuples(st.integers(0, 5000), st.integers(1, 3000), st.sampled_from(["silence", "beep"]), st.integers(0, 200)),
    max_size=8,
).map(lambda items: tuple(Range(s, s + n, e, p) for s, n, e, p in items))  # type: ignore[arg-type]
KEEPS = st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 3000)), max_size=4).map(
    lambda items: tuple((s, s + n) for s, n in items)
)


@given(RANGES, KEEPS, st.sampled_from(["listed", "everything"]), st.sampled_from([7350, 44100, 48000]), st.data())
def test_a_sample_is_covered_exactly_when_a_rule_says_so(ranges, keeps, scope, rate, data) -> None:  # type: ignore[no-untyped-def]
    plan = SoundPlan(ranges, keeps if scope == "everything" else (), scope)
    spans = covered_samples(plan, rate)
    assert all(a.end <= b.start for a, b in pairwise(spans))
    sample = data.draw(st.integers(0, 8 * rate))
    begins, ends = Fraction(1000 * sample, rate), Fraction(1000 * (sample + 1), rate)
    touching = {r.effect for r in ranges if r.start_ms - r.pad_ms < ends and r.end_ms + r.pad_ms > begins}
    kept = any(s <= begins and e >= ends for s, e in plan.keeps)
    hidden = "silence" in touching or (scope == "everything" and not kept)
    expected = "silence" if hidden else "beep" if touching else None
    assert next((s.effect for s in spans if s.start <= sample < s.end), None) == expected


def test_the_slack_widens_covers_and_silence_is_painted_last() -> None:
    covers = Covers((Span(100, 200, "silence"), Span(200, 300, "beep")), slack=10)
    assert covers.touching(80, 90) == ()
    assert covers.touching(80, 91) == (Span(100, 101, "silence"),)
    assert covers.painted(150, 250) == (Span(190, 250, "beep"), Span(150, 210, "silence"))
    assert covers.count(150, 250) == 100


@pytest.mark.parametrize(
    ("time_base", "origin", "slack"),
    [
        (Fraction(1, 48000), Fraction(0), 0),
        (Fraction(1, 14112000), Fraction(0), 1),
        (Fraction(1, 1000), Fraction(0), 48),
        (Fraction(1, 48000), Fraction(1, 30), 0),
        (Fraction(1, 48000), Fraction(1, 7), 1),
    ],
)
def test_a_clock_that_is_no_sample_grid_widens_covers_by_a_tick(time_base, origin, slack) -> None:  # type: ignore[no-untyped-def]
    assert position_slack(time_base, origin, 48000) == slack


def test_sound_that_outruns_its_timestamps_is_refused_but_jitter_is_not() -> None:
    jitter = Overlap(48000)
    for at in range(0, 48000 * 20, 1024):
        jitter.check(at + 400, at)
        jitter.check(at, at + 400)
    runaway = Overlap(48000)
    for at in range(0, 40, 10):
        runaway.check(at + 1142, at)
    with pytest.raises(MediaError, match="disagree with its length"):
        runaway.check(1192, 50)
