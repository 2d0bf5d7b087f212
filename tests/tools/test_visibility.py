"""What is visible, against painting by hand: each pixel has the lowest level of what covers it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from veridact.schema.geometry import Box, Edges, edges, ellipse_rows
from veridact.schema.manifest import Key, Origin, Segment, Track
from veridact.schema.plan import visibility
from veridact.schema.plan.visibility import VISIBLE, Cover

ITEM = Track(
    id="face-0001",
    stream=0,
    label="face",
    review="added",
    origin=Origin(by="hand"),
    segments=(Segment(end=1, keys=(Key(frame=0, box=(0, 0, 1, 1)),)),),
)
WIDTH, HEIGHT = 40, 30
BOXES = st.tuples(st.integers(-20, 45), st.integers(-20, 35), st.integers(1, 30), st.integers(1, 30))
COVERS = st.tuples(st.sampled_from([0, 8, 9, VISIBLE]), st.booleans(), BOXES)


def _pixels(box: Box, ellipse: bool) -> set[tuple[int, int]]:
    if ellipse:
        rows = ellipse_rows(box, 0, HEIGHT)
        return {(x, y) for y, left, right in rows for x in range(max(left, 0), min(right, WIDTH))}
    e = edges(box)
    return {(x, y) for x in range(max(e.left, 0), e.right) for y in range(max(e.top, 0), e.bottom)}


@given(st.lists(COVERS, max_size=4), st.sampled_from([0, VISIBLE]), st.data())
def test_levels_are_those_of_painting_by_hand(
    drawn: list[tuple[int, bool, Box]], ground: int, data: st.DataObject
) -> None:
    standing = [(Cover(ITEM, level, ellipse and level != VISIBLE, 0), box) for level, ellipse, box in drawn]
    expected = np.full((HEIGHT, WIDTH), ground, np.uint8)
    for keep in (True, False):
        for cover, box in standing:
            for x, y in _pixels(box, cover.ellipse) if cover.keep == keep else ():
                if x < WIDTH and y < HEIGHT:
                    expected[y, x] = VISIBLE if keep else min(expected[y, x], cover.level)
    left, top = data.draw(st.integers(0, WIDTH - 1)), data.draw(st.integers(0, HEIGHT - 1))
    area = Edges(left, top, data.draw(st.integers(left + 1, WIDTH)), data.draw(st.integers(top + 1, HEIGHT)))
    found = visibility.levels(ground, standing, area)
    assert np.array_equal(found, expected[area.top : area.bottom, area.left : area.right])


@given(COVERS)
def test_the_bounds_hold_every_pixel_of_a_cover(drawn: tuple[int, bool, Box]) -> None:
    level, ellipse, box = drawn
    cover = Cover(ITEM, level, ellipse, 0)
    whole = Edges(0, 0, WIDTH, HEIGHT)
    lone = visibility.levels(VISIBLE, [(Cover(ITEM, 0, ellipse, 0), box)], whole)
    ys, xs = np.nonzero(lone == 0)
    e = visibility.bounds(cover, box, _Stream())  # type: ignore[arg-type]
    if len(xs):
        assert e.left <= xs.min()
        assert xs.max() < e.right
        assert e.top <= ys.min()
        assert ys.max() < e.bottom


class _Stream:
    width = WIDTH
    height = HEIGHT
