"""Painting: a cover removes what is under it and changes nothing outside; a mosaic keeps only cell means."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veridact.render.video.paint import paint
from veridact.render.video.planes import Layout, Plane, plane_of
from veridact.schema.geometry import Edges, clip, edges
from veridact.schema.manifest import Cells, Solid
from veridact.schema.plan.video import Cover, FramePlan, Raster, cover_over_everything, weakest_first

WIDTH, HEIGHT = 48, 36
LAYOUT_420 = Layout(8, 2, 2, "yuv")
RASTER = Raster(WIDTH, HEIGHT, 1, 2, 2)
BLACK = Solid(effect="solid", shape="box", pad_permille=0)


def cover(effect: Solid | Cells, box: tuple[int, int, int, int], number: int = 0, raster: Raster = RASTER) -> Cover:
    cells = effect.cells if isinstance(effect, Cells) else 1
    return Cover(number, effect, box, (cells, cells), raster)


def plan(*covers: Cover, everything: Any = None, keeps: Any = ()) -> FramePlan:
    """The covers that touch the picture, as a plan puts them into order."""
    visible = [c for c in covers if not c.empty]
    return FramePlan(tuple(sorted(visible, key=weakest_first)), tuple(keeps), everything)


def planes_420(seed: int, width: int = WIDTH, height: int = HEIGHT) -> list[Plane]:
    generator = np.random.default_rng(seed)
    sizes = [(height, width), (-(-height // 2), -(-width // 2)), (-(-height // 2), -(-width // 2))]
    arrays = [generator.integers(1, 255, size, dtype=np.uint8) for size in sizes]
    return [plane_of(a, role, LAYOUT_420, False) for a, role in zip(arrays, "yuv", strict=True)]


def copied(planes: list[Plane]) -> list[Plane]:
    return [replace(p, samples=p.samples.copy()) for p in planes]


def painted(planes: list[Plane], frame: FramePlan) -> list[np.ndarray[Any, Any]]:
    result = copied(planes)
    paint(result, frame)
    return [p.samples for p in result]


def under(frame: FramePlan, raster: Raster = RASTER) -> np.ndarray[Any, Any]:
    """The luma pixels that a frame covers, found by painting solids on white."""
    solids = [replace(c, effect=Solid(effect="solid", shape=c.effect.shape, pad_permille=0)) for c in frame.covers]
    white = [Plane(np.full((raster.height, raster.width), 255, np.uint8), 1, 1, 16, 8, False)]
    return painted(white, plan(*solids))[0] != 255


boxes = st.tuples(st.integers(-30, 60), st.integers(-30, 50), st.integers(1, 50), st.integers(1, 50))
shapes = st.sampled_from(["box", "ellipse"])
weak = st.builds(
    Cells, effect=st.sampled_from(["mosaic", "blur"]), shape=shapes, cells=st.integers(2, 8), pad_permille=st.just(0)
)
any_effect = weak | st.builds(Solid, effect=st.just("solid"), shape=shapes, pad_permille=st.just(0))
covers = st.lists(st.tuples(any_effect, boxes), min_size=1, max_size=4).map(
    lambda found: [cover(effect, box, number) for number, (effect, box) in enumerate(found)]
)


@given(covers)
def test_nothing_outside_the_covers_changes(found: list[Cover]) -> None:
    planes, frame = planes_420(1), plan(*found)
    hidden = under(frame)
    result = painted(planes, frame)
    assert np.array_equal(result[0][~hidden], planes[0].samples[~hidden])
    outside = ~hidden.reshape(HEIGHT // 2, 2, WIDTH // 2, 2).any(axis=(1, 3))
    for before, after in zip(planes[1:], result[1:], strict=True):
        assert np.array_equal(after[outside], before.samples[outside])


@given(boxes, shapes)
def test_a_solid_leaves_nothing_of_what_it_covers(box: Any, shape: Any) -> None:
    frame = plan(cover(Solid(effect="solid", shape=shape, pad_permille=0), box))
    hidden = under(frame)
    blocks = hidden.reshape(HEIGHT // 2, 2, WIDTH // 2, 2).any(axis=(1, 3))
    one, other = planes_420(1), planes_420(2)
    for a, b, where in zip(one, other, [hidden, blocks, blocks], strict=True):
        b.samples[~where] = a.samples[~where]
    for a, b in zip(painted(one, frame), painted(other, frame), strict=True):
        assert np.array_equal(a, b)


@given(boxes, shapes)
def test_every_pixel_of_the_box_is_covered(box: Any, shape: Any) -> None:
    hidden = under(plan(cover(Solid(effect="solid", shape=shape, pad_permille=0), box)))
    inside = clip(edges(box), WIDTH, HEIGHT)
    assert hidden[max(0, inside.top) : max(0, inside.bottom), max(0, inside.left) : max(0, inside.right)].all()


@settings(max_examples=60)
@given(weak, boxes)
def test_a_mosaic_or_blur_depends_on_cell_means_alone(effect: Cells, box: Any) -> None:
    """Shuffling the pixels of every cell keeps the means and must keep the result."""
    one_cover = cover(effect, box)
    frame, area = plan(one_cover), one_cover.area
    one, other = planes_420(1), planes_420(1)
    generator = np.random.default_rng(3)
    for plane in other:
        left, top = area.left // plane.step_x, area.top // plane.step_y
        width, height = area.width // plane.step_x, area.height // plane.step_y
        rows, columns = plane.samples.shape
        nx, ny = min(effect.cells, width), min(effect.cells, height)
        for i in range(nx):
            for j in range(ny):
                cell = clip(
                    Edges(
                        left + i * width // nx,
                        top + j * height // ny,
                        left + (i + 1) * width // nx,
                        top + (j + 1) * height // ny,
                    ),
                    columns,
                    rows,
                )
                if not cell.empty:
                    part = plane.samples[cell.top : cell.bottom, cell.left : cell.right]
                    part[...] = generator.permutation(part.ravel()).reshape(part.shape)
    hidden = under(frame)
    blocks = hidden.reshape(HEIGHT // 2, 2, WIDTH // 2, 2).any(axis=(1, 3))
    results = zip(painted(one, frame), painted(other, frame), [hidden, blocks, blocks], strict=True)
    for a, b, where in results:
        assert np.array_equal(a[where], b[where])


@settings(max_examples=60)
@given(weak, boxes, st.sampled_from([8, 10, 16]))
def test_cell_values_are_quantised(effect: Cells, box: Any, bits: int) -> None:
    mosaic = effect.model_copy(update={"effect": "mosaic", "shape": "box"})
    layout = Layout(bits, 1, 1, "y")
    samples = np.random.default_rng(4).integers(0, 1 << bits, (HEIGHT, WIDTH), dtype=np.uint16)
    raster = Raster(WIDTH, HEIGHT, 1, 1, 1)
    frame = plan(cover(mosaic, box, raster=raster))
    result = painted([plane_of(samples, "y", layout, True)], frame)[0]
    hidden = under(frame, raster)
    assert (result[hidden] % (8 << (bits - 8)) == 0).all()
    assert len(np.unique(result[hidden])) <= effect.cells**2


def test_the_strongest_cover_wins_and_no_mean_is_taken_under_a_solid() -> None:
    mosaic = Cells(effect="mosaic", shape="box", cells=4, pad_permille=0)
    blur = Cells(effect="blur", shape="box", cells=4, pad_permille=0)
    frame = plan(cover(BLACK, (10, 10, 12, 12)), cover(mosaic, (4, 4, 30, 24), 1), cover(blur, (0, 0, 44, 32), 2))
    one, other = planes_420(1), planes_420(1)
    other[0].samples[10:22, 10:22] = 99
    for a, b in zip(painted(one, frame), painted(other, frame), strict=True):
        assert np.array_equal(a, b)
    luma = painted(one, frame)[0]
    assert (luma[10:22, 10:22] == 16).all()
    assert np.array_equal(luma[4:10, 4:10], painted(one, plan(*frame.covers[1:]))[0][4:10, 4:10])
    assert [c.effect.effect for c in frame.covers] == ["blur", "mosaic", "solid"]


def test_fewer_cells_are_stronger() -> None:
    coarse, fine = (Cells(effect="mosaic", shape="box", cells=n, pad_permille=0) for n in (2, 8))
    frame = plan(cover(coarse, (0, 0, 16, 16)), cover(fine, (8, 8, 24, 24), 1))
    assert np.array_equal(
        painted(planes_420(1), frame)[0][:16, :16],
        painted(planes_420(1), plan(cover(coarse, (0, 0, 16, 16))))[0][:16, :16],
    )


EDGES = {
    "last row and column": (WIDTH - 1, HEIGHT - 1, 1, 1),
    "cut by the left edge": (-10, 5, 12, 8),
    "cut by the bottom edge": (5, HEIGHT - 3, 8, 40),
    "larger than the picture": (-100, -100, 400, 400),
}


@pytest.mark.parametrize("box", EDGES.values(), ids=EDGES.keys())
@pytest.mark.parametrize("effect", ["solid", "mosaic", "blur"])
def test_boxes_at_the_edge_are_covered(box: Any, effect: str) -> None:
    kind: Any = BLACK if effect == "solid" else Cells(effect=effect, shape="box", cells=3, pad_permille=0)  # type: ignore[arg-type]
    planes = planes_420(5)
    result = painted(planes, plan(cover(kind, box)))[0]
    inside = clip(edges(box), WIDTH, HEIGHT)
    changed = result != planes[0].samples
    assert changed[inside.top : inside.bottom, inside.left : inside.right].mean() > 0.9


def test_odd_sides_are_covered_to_the_last_sample() -> None:
    raster = Raster(47, 35, 1, 2, 2)
    result = painted(planes_420(6, 47, 35), plan(cover(BLACK, (46, 34, 1, 1), raster=raster)))
    assert [result[0][34, 46], result[1][17, 23], result[2][17, 23]] == [16, 128, 128]


def test_everything_but_the_kept_rectangle_is_covered() -> None:
    planes = planes_420(7)
    kept = Edges(8, 8, 20, 20)
    frame = plan(cover(BLACK, (16, 16, 8, 8), 1), everything=cover_over_everything(BLACK, RASTER), keeps=[(0, kept)])
    result = painted(planes, frame)[0]
    visible = np.zeros((HEIGHT, WIDTH), bool)
    visible[8:20, 8:20] = True
    visible[16:24, 16:24] = False
    assert np.array_equal(result[visible], planes[0].samples[visible])
    assert (result[~visible] == 16).all()


PLACES = {
    "on whole blocks": (8, 8),
    "an odd column": (9, 8),
    "an odd row": (8, 9),
    "odd both ways": (9, 9),
    "over the left edge": (-4, 8),
    "over the lower right corner": (33, 27),
}


@pytest.mark.parametrize("name", PLACES)
def test_an_ellipse_covers_just_the_blocks_it_touches_wherever_it_has_moved(name: str) -> None:
    (w, h), expected = (20, 12), np.zeros((HEIGHT, WIDTH), bool)
    for x, y in PLACES.values():  # the same size in all places, as a cover that moves
        found = under(plan(cover(Solid(effect="solid", shape="ellipse", pad_permille=0), (x, y, w, h))))
        if (x, y) == PLACES[name]:
            break
    for row, column in np.ndindex(HEIGHT, WIDTH):
        corners = [(2 * (column + i) - 2 * x - w, 2 * (row + j) - 2 * y - h) for i in (0, 1) for j in (0, 1)]
        expected[row, column] = any((dx * h) ** 2 + (dy * w) ** 2 <= 2 * (w * h) ** 2 for dx, dy in corners)
    blocks = expected.reshape(HEIGHT // 2, 2, WIDTH // 2, 2).any(axis=(1, 3))
    assert np.array_equal(found, blocks.repeat(2, axis=0).repeat(2, axis=1))


def test_the_pixels_counted_are_those_painted() -> None:
    found = cover(Solid(effect="solid", shape="ellipse", pad_permille=0), (-5, 10, 21, 13))
    assert found.pixel_count() == int(under(plan(found)).sum())
