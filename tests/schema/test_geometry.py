"""Exact geometry: everything rounds outward, and orientations are those of Pillow and of the display matrix."""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from veridact.media import video
from veridact.media.frames import side_data
from veridact.media.pictures import TRANSPOSITION
from veridact.schema import geometry
from veridact.schema.geometry import Box, Edges

SIDES = st.integers(1, 5000)
AT = st.integers(-5000, 5000)
BOXES = st.tuples(AT, AT, SIDES, SIDES)
TIMES = st.integers(-(10**12), 10**12)


@given(BOXES, BOXES, TIMES, st.integers(1, 10**9), st.data())
def test_an_interpolated_box_contains_the_exact_one_and_less_than_a_pixel_more(
    a: Box, b: Box, start: int, length: int, data: st.DataObject
) -> None:
    pts = data.draw(st.integers(start, start + length))
    part = Fraction(pts - start, length)
    exact = [p + (q - p) * part for p, q in zip(geometry.edges(a), geometry.edges(b), strict=True)]
    got = geometry.edges(geometry.interpolate(a, b, start, start + length, pts))
    assert exact[0] - 1 < got.left <= exact[0]
    assert exact[1] - 1 < got.top <= exact[1]
    assert exact[2] <= got.right < exact[2] + 1
    assert exact[3] <= got.bottom < exact[3] + 1


@given(BOXES, BOXES, st.integers(1, 10**6))
def test_interpolation_meets_both_keys(a: Box, b: Box, length: int) -> None:
    assert geometry.interpolate(a, b, 0, length, 0) == a
    assert geometry.interpolate(a, b, 0, length, length) == b


@given(BOXES, st.integers(0, 2000))
def test_padding_grows_each_side_by_the_rounded_up_share(box: Box, permille: int) -> None:
    inner, outer = geometry.edges(box), geometry.edges(geometry.pad(box, permille))
    share_x, share_y = Fraction(box[2] * permille, 1000), Fraction(box[3] * permille, 1000)
    assert share_x <= inner.left - outer.left < share_x + 1
    assert outer.right - inner.right == inner.left - outer.left
    assert share_y <= inner.top - outer.top < share_y + 1
    assert outer.bottom - inner.bottom == inner.top - outer.top


@given(st.integers(1, 8), SIDES, SIDES, BOXES)
def test_orientation_round_trip(orientation: int, width: int, height: int, box: Box) -> None:
    displayed = (width, height) if orientation < 5 else (height, width)
    coded = geometry.to_coded(box, orientation, *displayed)
    assert geometry.to_displayed(coded, orientation, width, height) == box


def _picture(width: int, height: int, box: Box) -> Image.Image:
    pixels = np.zeros((height, width), np.uint8)
    x, y, w, h = box
    pixels[y : y + h, x : x + w] = 255
    return Image.fromarray(pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("box", [(0, 0, 1, 1), (2, 1, 3, 4), (6, 0, 1, 5), (0, 4, 7, 1)])
def test_an_oriented_box_is_where_pillow_puts_it(orientation: int, box: Box) -> None:
    stored = _picture(7, 5, box)
    shown = stored.transpose(TRANSPOSITION[orientation]) if orientation in TRANSPOSITION else stored
    left, top, right, bottom = shown.getbbox() or (0, 0, 0, 0)
    assert geometry.to_displayed(box, orientation, 7, 5) == (left, top, right - left, bottom - top)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_oriented_box_is_where_the_display_matrix_puts_it(orientation: int) -> None:
    """ISO/IEC 14496-12 §6.2.2 on the corners of box and picture, moved so that the picture begins at 0, 0."""
    a, b, _, c, d, _, _, _, _ = (v >> 16 for v in geometry.matrix_of_orientation(orientation))
    width, height, (x, y, w, h) = 7, 5, (2, 1, 3, 2)

    def shown(points: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
        return [a * px + c * py for px, py in points], [b * px + d * py for px, py in points]

    whole_x, whole_y = shown([(0, 0), (width, height)])
    box_x, box_y = shown([(x, y), (x + w, y + h)])
    left, top = min(box_x) - min(whole_x), min(box_y) - min(whole_y)
    expected = (left, top, max(box_x) - min(box_x), max(box_y) - min(box_y))
    assert geometry.to_displayed((x, y, w, h), orientation, width, height) == expected


ONE = 1 << 16
MATRICES: dict[str, tuple[tuple[int, ...], int | None]] = {
    "a phone held upright": ((0, ONE, 0, -ONE, 0, 0, 1080 << 16, 0, 1 << 30), 6),
    "a phone upside down": ((0, -ONE, 0, ONE, 0, 0, 0, 1920 << 16, 1 << 30), 8),
    "turned by 180 degrees": ((-ONE, 0, 0, 0, -ONE, 0, 1920 << 16, 1080 << 16, 1 << 30), 3),
    "a front camera": ((-ONE, 0, 0, 0, ONE, 0, 1920 << 16, 0, 1 << 30), 2),
    "as it is": ((ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30), 1),
    "turned by 45 degrees": ((46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30), None),
    "scaled to half": ((ONE // 2, 0, 0, 0, ONE // 2, 0, 0, 0, 1 << 30), None),
    "with perspective": ((ONE, 0, 5, 0, ONE, 0, 0, 0, 1 << 30), None),
    "collapsed to a line": ((ONE, 0, 0, ONE, 0, 0, 0, 0, 1 << 30), None),
}


@pytest.mark.parametrize("case", MATRICES)
def test_a_display_matrix_is_an_orientation_or_refused(case: str) -> None:
    matrix, orientation = MATRICES[case]
    assert geometry.orientation_of_matrix(matrix) == orientation


@pytest.mark.real_media
def test_a_real_clip_turned_by_90_degrees() -> None:
    if "VERIDACT_MEDIA" not in os.environ:
        pytest.skip("VERIDACT_MEDIA names no folder of real clips")
    path = Path(os.environ["VERIDACT_MEDIA"]) / "metadata" / "cvat_test_rotated_90_video.mp4"
    with video.open_media(path) as file, video.demux(file) as container:
        frame = next(video.decode(container, container.streams.video[0]))
        assert frame.rotation in {90, -90, 270}
        assert side_data.orientation(frame) == (8 if frame.rotation == 90 else 6)


@given(BOXES, st.sampled_from([1, 2, 4]), st.sampled_from([1, 2]))
def test_the_chroma_grid_grows_a_cover_and_shrinks_a_keep(box: Box, step_x: int, step_y: int) -> None:
    e = geometry.edges(box)
    grown, shrunk = geometry.grow_to_grid(e, step_x, step_y), geometry.shrink_to_grid(e, step_x, step_y)
    for r in (grown, shrunk):
        assert (r.left % step_x, r.right % step_x, r.top % step_y, r.bottom % step_y) == (0, 0, 0, 0)
    assert e.left - step_x < grown.left <= e.left <= shrunk.left < e.left + step_x
    assert e.top - step_y < grown.top <= e.top <= shrunk.top < e.top + step_y
    assert e.right + step_x > grown.right >= e.right >= shrunk.right > e.right - step_x
    assert e.bottom + step_y > grown.bottom >= e.bottom >= shrunk.bottom > e.bottom - step_y


@given(BOXES, SIDES, SIDES)
def test_a_clipped_box_lies_on_the_picture(box: Box, width: int, height: int) -> None:
    e = geometry.clip(geometry.edges(box), width, height)
    x, y, w, h = box
    inside = x < width and y < height and x + w > 0 and y + h > 0
    assert e.empty != inside
    if inside:
        assert e == Edges(max(x, 0), max(y, 0), min(x + w, width), min(y + h, height))


SMALL = st.tuples(st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 14), st.integers(1, 14))


@given(SMALL, st.integers(-12, 12), st.integers(0, 20))
def test_the_ellipse_is_every_pixel_with_a_corner_inside_it(box: Box, top: int, height: int) -> None:
    x, y, w, h = box

    def inside(px: int, py: int) -> bool:
        return 2 * ((px - x - w / 2) * h) ** 2 + 2 * ((py - y - h / 2) * w) ** 2 <= (w * h) ** 2  # exact in floats

    expected = {
        (px, py)
        for px in range(x - 7, x + w + 7)
        for py in range(top, top + height)
        if any(inside(px + i, py + j) for i in (0, 1) for j in (0, 1))
    }
    rows = geometry.ellipse_rows(box, top, top + height)
    got = [(px, row) for row, left, right in rows for px in range(left, right)]
    assert set(got) == expected
    assert len(got) == len(expected)


@given(BOXES)
def test_the_ellipse_contains_its_box_and_lies_within_its_bounds(box: Box) -> None:
    x, y, w, h = box
    bounds = geometry.ellipse_bounds(box)
    for row in (y, y + h // 2, y + h - 1):
        ((_, left, right),) = geometry.ellipse_rows(box, row, row + 1)
        assert bounds.left <= left <= x
        assert bounds.right >= right >= x + w
    assert bounds.top <= y
    assert bounds.bottom >= y + h
    assert geometry.ellipse_rows(box, bounds.top - 3, bounds.top) == []
    assert geometry.ellipse_rows(box, bounds.bottom, bounds.bottom + 3) == []


@given(BOXES, BOXES, st.integers(0, 1000))
def test_a_keep_between_two_keys_lies_inside_the_exact_box(a: Box, b: Box, at: int) -> None:
    exact = [p + (q - p) * Fraction(at, 1000) for p, q in zip(geometry.edges(a), geometry.edges(b), strict=True)]
    got = geometry.edges(geometry.interpolate_inward(a, b, 0, 1000, at))
    if not got.empty:
        assert exact[0] <= got.left
        assert exact[1] <= got.top
        assert got.right <= exact[2]
        assert got.bottom <= exact[3]
