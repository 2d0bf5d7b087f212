"""Words to milliseconds: pads, merging, words without times; every rule widens and none narrows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veridact.locate.speech.pii.match import PiiMatch
from veridact.locate.speech.ranges import MAX_EXTRA_PAD_MS, PAD_MS, ProposedRange, merge_ranges, overlap_ms, range_of
from veridact.locate.speech.recognizers.base import Word

TIMED = (Word("a", 1000, 1200), Word("b", 1300, 1500), Word("c", 1600, 1800))
HOLES = (Word("a", 1000, 1200), Word("b", None, None), Word("c", 1600, 1800))
LAST = (Word("a", 1000, 1200), Word("b", None, None))
UNCERTAIN = (Word("a", 1000, 1200, 0.5),)

HALF_EXTRA = MAX_EXTRA_PAD_MS // 2
CASES = {
    "padded": (TIMED, (1, 2), (1300 - PAD_MS, 1500 + PAD_MS)),
    "whole": (TIMED, (0, 3), (1000 - PAD_MS, 1800 + PAD_MS)),
    "no time": (HOLES, (1, 2), (1200 - PAD_MS, 1600 + PAD_MS)),
    "no time at the end": (LAST, (1, 2), (1200 - PAD_MS, 5000 + PAD_MS)),
    "low confidence is wider": (UNCERTAIN, (0, 1), (1000 - PAD_MS - HALF_EXTRA, 1200 + PAD_MS + HALF_EXTRA)),
    "never before 0": ((Word("a", 10, 20),), (0, 1), (0, 20 + PAD_MS)),
}


@pytest.mark.parametrize(("words", "span", "times"), CASES.values(), ids=CASES.keys())
def test_range_of(words, span, times):
    proposed = range_of(PiiMatch("custom", *span, 1.0), words, 0, "heard", 5000)
    assert (proposed.start_ms, proposed.end_ms) == times


def make_range(start: int, end: int, label: str = "person_name", stream: int = 0, score: int = 500) -> ProposedRange:
    return ProposedRange(label, start, end, score, stream, "heard")


MERGES = {
    "near": ([make_range(0, 100), make_range(349, 400)], [(0, 400)]),
    "apart": ([make_range(0, 100), make_range(350, 400)], [(0, 100), (350, 400)]),
    "other stream": ([make_range(0, 100), make_range(110, 120, stream=1)], [(0, 100), (110, 120)]),
    "other label": ([make_range(0, 100), make_range(50, 120, "date")], [(0, 100), (50, 120)]),
    "numbers are one kind": ([make_range(0, 100, "iban"), make_range(50, 120, "id_number")], [(0, 120)]),
    "inside": ([make_range(0, 100), make_range(20, 30)], [(0, 100)]),
}


@pytest.mark.parametrize(("ranges", "expected"), MERGES.values(), ids=MERGES.keys())
def test_merge_ranges(ranges, expected):
    assert [(r.start_ms, r.end_ms) for r in merge_ranges(ranges)] == expected


def test_the_higher_score_labels_a_merged_number():
    assert merge_ranges([make_range(0, 9, "id_number"), make_range(5, 20, "iban", score=900)])[0].label == "iban"


SPANS = st.lists(st.tuples(st.integers(0, 500), st.integers(1, 50)).map(lambda p: (p[0], p[0] + p[1])), max_size=8)


@given(SPANS)
def test_merging_uncovers_nothing(spans):
    merged = merge_ranges([make_range(a, b) for a, b in spans])
    assert all(any(r.start_ms <= a and b <= r.end_ms for r in merged) for a, b in spans)


@given(SPANS, SPANS)
def test_overlap_counts_milliseconds(one, two):
    both = {t for a, b in one for t in range(a, b)} & {t for a, b in two for t in range(a, b)}
    assert overlap_ms(one, two) == len(both)
