"""Where readings of a manifest once differed: the smallest example of each, with what `render` paints as the answer."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.plan.strategies import HUGE, Case, plate, showing
from veridact.render.video import paint
from veridact.render.video.planes import Plane
from veridact.schema.geometry import Box, edges
from veridact.schema.manifest import Cells, Key, OutputStream, Segment, Solid
from veridact.schema.plan import visibility
from veridact.schema.plan.video import StreamPlan
from veridact.schema.plan.visibility import VISIBLE
from veridact.tools import diff
from veridact.tools.draw import overlay

BLACK = Solid(effect="solid", shape="box", pad_permille=0)
ROUND = Solid(effect="solid", shape="ellipse", pad_permille=0)
FINE_MOSAIC = Cells(effect="mosaic", shape="box", cells=8, pad_permille=0)
COARSE_BLUR = Cells(effect="blur", shape="box", cells=2, pad_permille=0)
BOX = (10, 10, 16, 16)


def _levels(case: Case) -> Any:
    frame = StreamPlan.displayed(case.manifest, case.stream, case.clock).at(0)
    return visibility.levels(frame, edges((0, 0, 70, 60)))


def _painted(case: Case, samples: Any) -> Any:
    plan = StreamPlan(case.manifest, case.stream, case.pts, case.raster).at(0)
    paint.paint([Plane(samples, 1, 1, 16, 8, False)], plan)
    return samples


def _noise(seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (60, 70), dtype=np.uint8)


# ---- render


@pytest.mark.parametrize("effect", ["mosaic", "blur"])
def test_the_effect_over_everything_takes_no_mean_of_what_a_solid_hides(effect: Any) -> None:
    """Its cells were averaged before solid covers went on, so that those beside one showed what it hid."""
    case = showing(Cells(effect=effect, shape="box", cells=2, pad_permille=0), BOX, effect=BLACK)
    case = replace(case, manifest=case.manifest.model_copy(update={"scope": "everything"}))
    dark, bright = np.full((60, 70), 100, np.uint8), np.full((60, 70), 100, np.uint8)
    bright[10:26, 10:26] = 255
    assert np.array_equal(_painted(case, dark), _painted(case, bright))


def test_a_blur_of_16_bits_under_the_largest_cover_is_the_mean() -> None:
    """The products of means and distances left 64 bits: white came out grey."""
    blur = Cells(effect="blur", shape="ellipse", cells=2, pad_permille=2000)
    case = showing(blur, (-HUGE // 2, -HUGE // 2, HUGE, HUGE))
    samples = np.full((60, 70), 65535, np.uint16)
    plan = StreamPlan(case.manifest, case.stream, case.pts, case.raster).at(0)
    paint.paint([Plane(samples, 1, 1, 0, 8 << 8, False)], plan)
    assert (samples == 65535 // (8 << 8) * (8 << 8)).all()


# ---- diff


def test_a_fine_mosaic_over_a_coarse_blur_is_what_is_seen() -> None:
    """`render` paints a mosaic over any blur; `diff` went by cells alone and took the blur for the one that is seen."""
    case = showing(COARSE_BLUR, BOX)
    both = showing(COARSE_BLUR, BOX)
    mosaic = plate(BOX, case, id="plate-0001", effect=FINE_MOSAIC)
    both = replace(both, manifest=case.manifest.model_copy(update={"tracks": (*case.manifest.tracks, mosaic)}))
    alone = replace(both, manifest=case.manifest.model_copy(update={"tracks": (mosaic,)}))
    assert np.array_equal(_painted(both, _noise()), _painted(alone, _noise()))
    assert np.array_equal(_levels(both), _levels(alone))
    assert "weaker" in {c.kind for c in diff.compare(case.manifest, both.manifest, {0: case.clock})}


def test_a_diff_of_a_huge_ellipse_takes_no_memory_for_what_is_off_the_picture() -> None:
    """The mask of the whole ellipse was made: 1.8 TiB for a box of a million pixels a side."""
    case = showing(ROUND, (-HUGE // 2, -HUGE // 2, HUGE, HUGE))
    nothing = case.manifest.model_copy(update={"tracks": ()})
    assert (_levels(case) == 0).all()
    changes = diff.compare(case.manifest, nothing, {0: case.clock})
    assert [c.pixels for c in changes if c.kind == "visible"] == [70 * 60]


@pytest.mark.parametrize("box", [(-5, 50, 31, 17), (30, 30, 1, 1), (10 - HUGE, 20, HUGE, 3), (68, -9, 40, 12)])
def test_an_ellipse_has_one_set_of_pixels_for_diff_and_for_painting(box: Box) -> None:
    """Two masks were computed, one of them row by row above a limit of pixels."""
    case = showing(ROUND, box)
    assert np.array_equal(_levels(case) < VISIBLE, _painted(case, np.full((60, 70), 255, np.uint8)) == 16)


# ---- show


def _thin(case: Case, size: tuple[int, int] = (70, 60)) -> Any:
    picture = Image.new("L", size)
    for outline in overlay.outlines(case.manifest, case.stream, case.clock, None).get(0, []):
        overlay.draw_cover(ImageDraw.Draw(picture), outline, overlay.Scale((70, 60), size))
    return np.asarray(picture) > 0


def _bounds(drawn: Any) -> Box:
    """Left, top, right and bottom of what is drawn, half-open."""
    ys, xs = np.nonzero(drawn)
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


@pytest.mark.parametrize("box", [(10, 10, 1, 1), (10, 10, 2, 2), (10, 10, 16, 16), (10, 10, 3, 30)])
def test_the_thin_line_of_an_ellipse_goes_around_all_its_pixels(box: Box) -> None:
    """It was drawn with a root of two of three digits and cut down to whole pixels, inside what is painted."""
    case = showing(ROUND, box)
    painted = _painted(case, np.full((60, 70), 255, np.uint8)) == 16
    assert _bounds(_thin(case)) == _bounds(painted)


def test_the_thin_line_on_a_smaller_picture_is_rounded_outward() -> None:
    """The right and lower edges were rounded down: a part of a pixel that is covered lay outside."""
    assert _bounds(_thin(showing(BLACK, (10, 10, 5, 5)), (35, 30))) == (5, 5, 8, 8)


def test_a_cover_on_the_last_row_is_in_sight_on_a_smaller_picture() -> None:
    """Both sides were scaled like the width, though the height is rounded by itself: the last row fell off."""
    assert _thin(showing(BLACK, (10, 59, 5, 1)), (35, 29))[28, 5:8].all()


def test_the_thin_line_of_one_row_is_one_row() -> None:
    """Pillow's rectangle leaves a pixel beside its corners."""
    assert _bounds(_thin(showing(BLACK, (10, 10, 5, 1)))) == (10, 10, 15, 11)


def test_a_stream_that_is_dropped_has_no_thin_lines() -> None:
    """Covers were drawn on footage that is in no output."""
    case = showing(BLACK, BOX)
    output = case.manifest.output.model_copy(update={"streams": (OutputStream(index=0, disposition="drop"),)})
    assert _thin(case).any()
    assert not _thin(replace(case, manifest=case.manifest.model_copy(update={"output": output}))).any()


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ((10, 10, 4, 4), (13, 10, 4, 4), {0: (10, 10, 4, 4), 1: (12, 10, 3, 4), 2: (13, 10, 4, 4)}),
        ((10, 10, 1, 4), (11, 10, 1, 4), {0: (10, 10, 1, 4), 2: (11, 10, 1, 4)}),
    ],
)
def test_a_keep_between_two_keys_is_outlined_where_it_shrank_to(
    first: Box, last: Box, expected: dict[int, Box]
) -> None:
    """The outline of a `keep` was rounded outward like that of a cover, and drawn where it had shrunk to nothing."""
    case = replace(showing(BLACK), pts=(0, 1, 2))
    keys = (Key(frame=0, box=first), Key(frame=2, box=last))
    keep = plate(BOX, case, id="keep-0001", label="keep", segments=(Segment(end=3, keys=keys),))
    manifest = case.manifest.model_copy(update={"scope": "everything", "tracks": (keep,)})
    assert {f: o.box for f, (o,) in overlay.outlines(manifest, case.stream, case.clock, None).items()} == expected
