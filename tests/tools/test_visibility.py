"""What is visible, against painting by hand: each pixel has the lowest level of what covers it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from veridact.schema.geometry import Box, Edges, clip, edges, ellipse_rows
from veridact.schema.manifest import Cells, Solid, VideoEffect
from veridact.schema.plan import visibility
from veridact.schema.plan.video import Cover, FramePlan, Raster, cover_over_everything, weakest_first
from veridact.schema.plan.visibility import VISIBLE

WIDTH, HEIGHT = 40, 30
RASTER = Raster(WIDTH, HEIGHT, 1, 1, 1)
BOXES = st.tuples(st.integers(-20, 45), st.integers(-20, 35), st.integers(1, 30), st.integers(1, 30))
SHAPES = st.sampled_from(["box", "ellipse"])
MOSAIC_AND_BLUR = [("mosaic", 4), ("blur", 4)]
EFFECTS = st.builds(Solid, effect=st.just("solid"), shape=SHAPES, pad_permille=st.just(0)) | st.builds(
    lambda kind, shape: Cells(effect=kind[0], cells=kind[1], shape=shape, pad_permille=0),
    st.sampled_from(MOSAIC_AND_BLUR),
    SHAPES,
)
COVERS = st.builds(lambda effect, box: Cover(0, effect, box, (1, 1), RASTER), EFFECTS, BOXES)


def _pixels(box: Box, ellipse: bool) -> set[tuple[int, int]]:
    if ellipse:
        rows = ellipse_rows(box, 0, HEIGHT)
        return {(x, y) for y, left, right in rows for x in range(max(left, 0), min(right, WIDTH))}
    e = clip(edges(box), WIDTH, HEIGHT)
    return {(x, y) for x in range(e.left, e.right) for y in range(e.top, e.bottom)}


@given(st.lists(COVERS, max_size=3), st.lists(BOXES, max_size=2), st.none() | EFFECTS, st.data())
def test_levels_are_those_of_painting_by_hand(
    covers: list[Cover], keeps: list[Box], everything: VideoEffect | None, data: st.DataObject
) -> None:
    expected = np.full((HEIGHT, WIDTH), visibility.level_of(everything), np.uint8)
    kept = [clip(edges(box), WIDTH, HEIGHT) for box in keeps]
    kept = [e for e in kept if not e.empty]
    for box in keeps:
        for x, y in _pixels(box, ellipse=False):
            expected[y, x] = VISIBLE
    for cover in covers:
        for x, y in _pixels(cover.box, cover.effect.shape == "ellipse"):
            expected[y, x] = min(expected[y, x], visibility.level_of(cover.effect))
    left, top = data.draw(st.integers(0, WIDTH - 1)), data.draw(st.integers(0, HEIGHT - 1))
    area = Edges(left, top, data.draw(st.integers(left + 1, WIDTH)), data.draw(st.integers(top + 1, HEIGHT)))
    frame = FramePlan(
        tuple(sorted(covers, key=weakest_first)),
        tuple(enumerate(kept)),
        None if everything is None else cover_over_everything(everything, RASTER),
    )
    found = visibility.levels(frame, area)
    assert np.array_equal(found, expected[area.top : area.bottom, area.left : area.right])


@given(EFFECTS, BOXES)
def test_the_areas_of_a_frame_hold_every_pixel_of_its_covers(effect: VideoEffect, box: Box) -> None:
    frame = FramePlan((Cover(3, effect, box, (1, 1), RASTER),))
    ((number, area),) = frame.areas()
    assert number == 3
    for x, y in _pixels(box, effect.shape == "ellipse"):
        assert area.left <= x < area.right
        assert area.top <= y < area.bottom
