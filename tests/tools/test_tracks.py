"""Operations on segments: what is cut, held out or united covers at least what it covered before."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veridact.errors import UsageError
from veridact.schema.geometry import Box, edges
from veridact.schema.manifest import Key, Segment
from veridact.schema.plan.segments import Segments, box_at, walk
from veridact.schema.timeline import Clock
from veridact.tools.edit import reshape
from veridact.tools.formats import keyframes

FRAMES = 60
VARIABLE = [i * i * 7 + 11 * i for i in range(FRAMES)]
CLOCK = Clock(0, FRAMES, Fraction(1, 1000), VARIABLE, Fraction(0))
BOXES = st.tuples(st.integers(-50, 300), st.integers(-50, 300), st.integers(1, 200), st.integers(1, 200))


THIN_BOXES = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 3), st.integers(1, 3))
"""A `keep` that moves between two of them is empty on many frames."""


@st.composite
def segments(draw: st.DrawFn, boxes: st.SearchStrategy[Box] = BOXES) -> Segments:
    bounds = sorted(draw(st.sets(st.integers(0, FRAMES), min_size=2, max_size=6)))
    made = []
    for first, end in zip(bounds[::2], bounds[1::2], strict=False):
        frames = sorted({first} | draw(st.sets(st.integers(first, end - 1), max_size=4)))
        made.append(Segment(end=end, keys=tuple(Key(frame=f, box=draw(boxes)) for f in frames)))
    return tuple(made)


def _contains(outer: Box, inner: Box) -> bool:
    o, i = edges(outer), edges(inner)
    return o.left <= i.left and o.top <= i.top and o.right >= i.right and o.bottom >= i.bottom


def _boxes(found: Segments, inward: bool = False) -> dict[int, Box]:
    return dict(walk(found, CLOCK, inward))


@given(segments(), st.integers(0, FRAMES - 1))
def test_a_walk_is_the_box_at_each_frame(found: Segments, frame: int) -> None:
    single = [b for s in found if (b := box_at(s, frame, CLOCK.pts_of))]
    assert single == ([_boxes(found)[frame]] if frame in _boxes(found) else [])


@given(segments(), st.integers(0, FRAMES))
def test_a_cut_covers_the_same_frames_and_no_less(found: Segments, frame: int) -> None:
    left, right = reshape.split_at(found, frame, CLOCK)
    whole, before, after = _boxes(found), _boxes(left), _boxes(right)
    assert all(f < frame for f in before)
    assert all(f >= frame for f in after)
    assert {**before, **after}.keys() == whole.keys()
    for f, box in {**before, **after}.items():
        assert _contains(box, whole[f])
        assert all(abs(p - q) <= 2 for p, q in zip(edges(box), edges(whole[f]), strict=True))


@given(segments() | segments(THIN_BOXES), st.integers(0, FRAMES))
def test_a_cut_keep_shows_no_more(found: Segments, frame: int) -> None:
    left, right = reshape.split_at(found, frame, CLOCK, inward=True)
    whole, parts = _boxes(found, True), {**_boxes(left, True), **_boxes(right, True)}
    assert parts.keys() <= whole.keys()
    assert all(_contains(whole[f], box) for f, box in parts.items())


@given(segments(), segments())
def test_a_union_covers_what_either_covers(a: Segments, b: Segments) -> None:
    both = _boxes(reshape.union(a, b, CLOCK))
    assert both.keys() == _boxes(a).keys() | _boxes(b).keys()
    for side in (a, b):
        for frame, box in _boxes(side).items():
            assert _contains(both[frame], box)


@given(segments(), st.integers(0, FRAMES - 1), st.integers(1, FRAMES))
def test_a_change_within_a_range_leaves_the_rest(found: Segments, first: int, length: int) -> None:
    end = min(FRAMES, first + length)
    whole = _boxes(found)
    if not any(first <= f < end for f in whole):
        return
    changed = _boxes(reshape.change_within(found, first, end, lambda b: (b[0] + 1000, *b[1:]), CLOCK))
    assert changed.keys() == whole.keys()
    for f, box in changed.items():
        assert (box[0] >= 900) == (first <= f < end)
        assert _contains(box, (whole[f][0] + 1000 * (first <= f < end), *whole[f][1:]))


@given(segments(), st.integers(0, FRAMES - 1), st.integers(1, FRAMES))
def test_retiming_extends_the_ends_and_trims_the_rest(found: Segments, first: int, length: int) -> None:
    end = min(FRAMES, first + length)
    whole = _boxes(found)
    if not any(first <= f < end for f in whole):
        return
    now = _boxes(reshape.retimed(found, first, end, CLOCK))
    assert all(first <= f < end for f in now)
    assert all(f in now and _contains(now[f], whole[f]) for f in whole if first <= f < end)
    if first < min(whole):
        assert now[first] == whole[min(whole)]
    if end > max(whole) + 1:
        assert now[end - 1] == whole[max(whole)]


@given(segments(), st.integers(0, FRAMES - 1), BOXES)
def test_a_key_is_set_where_the_track_is(found: Segments, frame: int, box: Box) -> None:
    if frame in _boxes(found):
        assert _boxes(reshape.set_key(found, frame, box))[frame] == box


@given(segments())
def test_reduced_keys_give_the_same_boxes_with_no_more_keys(found: Segments) -> None:
    again = keyframes.segments(_boxes(found), VARIABLE)
    assert _boxes(again) == _boxes(found)
    # A segment that stands still at its end may need one key where that begins and one where it first shows.
    joined = sum(a.end == b.keys[0].frame for a, b in pairwise(found))
    assert sum(len(s.keys) for s in again) <= sum(len(s.keys) for s in found) + joined + len(found)


@given(st.dictionaries(st.integers(0, FRAMES - 1), BOXES, max_size=FRAMES))
def test_any_boxes_are_given_back(boxes: dict[int, Box]) -> None:
    assert _boxes(keyframes.segments(boxes, VARIABLE)) == boxes


THIN = (Segment(end=5, keys=(Key(frame=0, box=(10, 10, 1, 4)), Key(frame=4, box=(11, 10, 1, 4)))),)
"""A `keep` one pixel wide that moves by one: on the frames 1 to 3 it holds no whole pixel."""
EVEN = Clock(0, 5, Fraction(1, 25), range(5), Fraction(0))


def _kept(found: Segments) -> dict[int, Box]:
    return dict(walk(found, EVEN, inward=True))


def test_a_keep_that_has_shrunk_to_nothing_has_no_box() -> None:
    assert [box_at(THIN[0], frame, EVEN.pts_of, inward=True) for frame in range(6)] == [
        (10, 10, 1, 4), None, None, None, (11, 10, 1, 4), None,
    ]  # fmt: skip
    assert _kept(THIN) == {0: (10, 10, 1, 4), 4: (11, 10, 1, 4)}


def test_a_keep_that_is_cut_where_it_is_empty_ends_where_it_was_last_seen() -> None:
    """A box of one pixel was kept there, beside what the keep had shown."""
    left, right = reshape.split_at(THIN, 2, EVEN, inward=True)
    assert left == (Segment(end=1, keys=(Key(frame=0, box=(10, 10, 1, 4)),)),)
    assert right == (Segment(end=5, keys=(Key(frame=4, box=(11, 10, 1, 4)),)),)


def test_a_keep_that_is_retimed_to_where_it_is_empty_is_not_held_out() -> None:
    assert _kept(reshape.retimed(THIN, 0, 3, EVEN, inward=True)) == {0: (10, 10, 1, 4)}
    assert _kept(reshape.retimed(THIN, 2, 5, EVEN, inward=True)) == {4: (11, 10, 1, 4)}
    with pytest.raises(UsageError, match="no frame in 1 to 2"):
        reshape.retimed(THIN, 1, 3, EVEN, inward=True)


@given(segments() | segments(THIN_BOXES), st.integers(0, FRAMES - 1), st.integers(1, FRAMES))
def test_retiming_a_keep_shows_no_more_within_its_frames(found: Segments, first: int, length: int) -> None:
    end, whole = min(FRAMES, first + length), _boxes(found, True)
    if not any(first <= f < end for f in whole):
        return
    now = _boxes(reshape.retimed(found, first, end, CLOCK, inward=True), True)
    own = {f for s in found for f in range(s.keys[0].frame, s.end)}
    assert all(f in whole and _contains(whole[f], box) for f, box in now.items() if f in own)
