"""Exact time: the digest of a timeline, its faults, and milliseconds as whole samples."""

import hashlib
import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veridact.schema import timeline


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20))
def test_the_digest_is_over_big_endian_64_bit_numbers(pts: list[int]) -> None:
    assert timeline.pts_sha256(pts) == hashlib.sha256(b"".join(struct.pack(">q", p) for p in pts)).hexdigest()


FAULTS: dict[str, tuple[list[int | None], str | None]] = {
    "a timeline": ([-5, 0, 7], None),
    "no timestamp": ([0, None, 2], "frame 1 has no timestamp"),
    "twice the same": ([0, 3, 3], "the timestamp of frame 2 does not come after"),
    "backwards": ([4, 3], "the timestamp of frame 1 does not come after"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_is_no_timeline_says_at_which_frame(case: str) -> None:
    pts, expected = FAULTS[case]
    found = timeline.first_fault(pts)
    assert found is None if expected is None else found is not None and found.startswith(expected)


@given(st.integers(0, 10**9), st.integers(1, 10**6), st.sampled_from([8000, 11025, 22050, 44100, 48000, 96000]))
def test_samples_contain_the_milliseconds_and_less_than_one_more(start: int, length: int, rate: int) -> None:
    first, last = timeline.sample_range(start, start + length, rate)
    assert Fraction(first, rate) <= Fraction(start, 1000) < Fraction(first + 1, rate)
    assert Fraction(last - 1, rate) < Fraction(start + length, 1000) <= Fraction(last, rate)


@given(st.fractions(0, 10**6))
def test_a_duration_is_rounded_up(seconds: Fraction) -> None:
    ms = timeline.milliseconds_up(seconds)
    assert ms - 1 < seconds * 1000 <= ms
