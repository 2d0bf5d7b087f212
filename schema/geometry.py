"""Exact integer geometry of boxes: interpolation, padding, orientation, the chroma grid and the ellipse.

A box is `(x, y, w, h)`, an `Edges` is `(left, top, right, bottom)`; both are half-open, origin top left:

        left        right
    top  ┌───────────┐         a pixel (px, py) is inside when left <= px < right and top <= py < bottom
         │           │
  bottom └───────────┘

Units are pixels. Functions for covers round outward, so that a cover can only grow; `interpolate_inward` and
`shrink_to_grid`, for `keep`, round inward.
"""

from math import isqrt
from typing import NamedTuple

Box = tuple[int, int, int, int]


class Edges(NamedTuple):
    """A rectangle by its edges; empty when right <= left or bottom <= top."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Right minus left; at most 0 when empty."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Bottom minus top; at most 0 when empty."""
        return self.bottom - self.top

    @property
    def empty(self) -> bool:
        """Whether it contains no pixel."""
        return self.right <= self.left or self.bottom <= self.top


def edges(box: Box) -> Edges:
    """The edges of a box."""
    x, y, w, h = box
    return Edges(x, y, x + w, y + h)


def box_of(e: Edges) -> Box:
    """The box with these edges."""
    return (e.left, e.top, e.right - e.left, e.bottom - e.top)


def _floor_between(a: int, b: int, num: int, den: int) -> int:
    """floor(a + (b - a)·num/den)."""
    return (a * den + (b - a) * num) // den


def _ceil_between(a: int, b: int, num: int, den: int) -> int:
    """ceil(a + (b - a)·num/den)."""
    return -((-a * den - (b - a) * num) // den)


def interpolate(a: Box, b: Box, pts_a: int, pts_b: int, pts: int) -> Box:
    """The box at `pts` on the line from `a` at `pts_a` to `b` at `pts_b`, each edge rounded outward.

    `pts_a < pts_b`, all in the same time base. Left and top are rounded down, right and bottom up, so that the result
    contains the exact box.
    """
    num, den = pts - pts_a, pts_b - pts_a
    ea, eb = edges(a), edges(b)
    return box_of(
        Edges(
            _floor_between(ea.left, eb.left, num, den),
            _floor_between(ea.top, eb.top, num, den),
            _ceil_between(ea.right, eb.right, num, den),
            _ceil_between(ea.bottom, eb.bottom, num, den),
        )
    )


def interpolate_inward(a: Box, b: Box, pts_a: int, pts_b: int, pts: int) -> Box:
    """As `interpolate`, with each edge rounded inward, for a `keep`; the result may be empty (a side <= 0)."""
    num, den = pts - pts_a, pts_b - pts_a
    ea, eb = edges(a), edges(b)
    return box_of(
        Edges(
            _ceil_between(ea.left, eb.left, num, den),
            _ceil_between(ea.top, eb.top, num, den),
            _floor_between(ea.right, eb.right, num, den),
            _floor_between(ea.bottom, eb.bottom, num, den),
        )
    )


def pad(box: Box, permille: int) -> Box:
    """The box grown by ceil(w·permille/1000) on the left and right and ceil(h·permille/1000) above and below."""
    x, y, w, h = box
    dx, dy = -(-w * permille // 1000), -(-h * permille // 1000)
    return (x - dx, y - dy, w + 2 * dx, h + 2 * dy)


def to_coded(box: Box, orientation: int, width: int, height: int) -> Box:
    """A box of the displayed `width`×`height` picture as a box of the stored (coded) one.

    `orientation` is the EXIF value, the transformation from the stored to the displayed picture (1 none, 2 mirror,
    3 rotate by 180°, 4 flip, 5 transpose, 6 rotate by 90° clockwise, 7 transverse, 8 rotate by 90° anticlockwise).
    """
    x, y, w, h = box
    right, below = width - x - w, height - y - h
    return {
        1: (x, y, w, h),
        2: (right, y, w, h),
        3: (right, below, w, h),
        4: (x, below, w, h),
        5: (y, x, h, w),
        6: (y, right, h, w),
        7: (below, right, h, w),
        8: (below, x, h, w),
    }[orientation]


INVERSE_ORIENTATION = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
"""The inverse of each orientation; all but the two quarter turns are their own."""


def to_displayed(box: Box, orientation: int, coded_width: int, coded_height: int) -> Box:
    """The inverse of `to_coded`: a box of the stored picture as a box of the displayed one."""
    return to_coded(box, INVERSE_ORIENTATION[orientation], coded_width, coded_height)


_MATRIX_ORIENTATION = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}


def orientation_of_matrix(matrix: tuple[int, ...]) -> int | None:
    """The EXIF orientation of a display matrix, or None when it is not a rotation by a multiple of 90°, or a flip.

    `matrix` has nine fixed-point integers, 16.16 and in the last column 2.30. Source: ISO/IEC 14496-12 §6.2.2:
    x' = a·x + c·y + tx, y' = b·x + d·y + ty; the translation is ignored.
    """
    a, b, u, c, d, v, _, _, w = matrix
    if (u, v) != (0, 0) or w <= 0 or {abs(n) for n in (a, b, c, d)} - {0, 1 << 16}:
        return None
    return _MATRIX_ORIENTATION.get((a >> 16, b >> 16, c >> 16, d >> 16))


def matrix_of_orientation(orientation: int) -> tuple[int, ...]:
    """The display matrix of an EXIF orientation, without translation."""
    a, b, c, d = next(m for m, o in _MATRIX_ORIENTATION.items() if o == orientation)
    one = 1 << 16
    return (a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)


def clip(e: Edges, width: int, height: int) -> Edges:
    """The part of a rectangle on a `width`×`height` picture; empty when it lies outside."""
    return Edges(max(e.left, 0), max(e.top, 0), min(e.right, width), min(e.bottom, height))


def grow_to_grid(e: Edges, step_x: int, step_y: int) -> Edges:
    """The smallest rectangle of whole `step_x`×`step_y` chroma blocks that contains `e`."""
    return Edges(
        e.left // step_x * step_x,
        e.top // step_y * step_y,
        -(-e.right // step_x) * step_x,
        -(-e.bottom // step_y) * step_y,
    )


def shrink_to_grid(e: Edges, step_x: int, step_y: int) -> Edges:
    """The largest rectangle of whole `step_x`×`step_y` chroma blocks inside `e`; may be empty."""
    return Edges(
        -(-e.left // step_x) * step_x,
        -(-e.top // step_y) * step_y,
        e.right // step_x * step_x,
        e.bottom // step_y * step_y,
    )


def ellipse_bounds(box: Box) -> Edges:
    """A rectangle that contains every pixel of the ellipse around `box` (see `ellipse_rows`)."""
    x, y, w, h = box
    cx, cy, reach_x, reach_y = 2 * x + w, 2 * y + h, isqrt(2 * w * w), isqrt(2 * h * h)
    return Edges((cx - reach_x) // 2 - 1, (cy - reach_y) // 2 - 1, (cx + reach_x) // 2 + 2, (cy + reach_y) // 2 + 2)


def ellipse_rows(box: Box, top: int, bottom: int) -> list[tuple[int, int, int]]:
    """The pixels of the ellipse around `box` on the rows [top, bottom), as half-open spans `(y, left, right)`.

    The ellipse circumscribes the box: a pixel belongs to it when any of its four corners satisfies
    2(dx/w)² + 2(dy/h)² <= 1, with dx and dy from the box's centre (SPEC §3). Computed in doubled coordinates, where the
    centre is an integer: DX²·h² + DY²·w² <= 2·w²·h² with DX = 2X - (2x + w), DY = 2Y - (2y + h).
    """
    x, y, w, h = box
    cx, cy = 2 * x + w, 2 * y + h
    limit = 2 * w * w * h * h
    bounds = ellipse_bounds(box)
    rows: list[tuple[int, int, int]] = []
    for row in range(max(top, bounds.top), min(bottom, bounds.bottom)):
        dy = min(abs(2 * row - cy), abs(2 * row + 2 - cy))
        room = limit - dy * dy * w * w
        if room < 0:
            continue
        dx = isqrt(room // (h * h))
        first, last = -(-(cx - dx) // 2), (cx + dx) // 2  # corners inside the ellipse on this grid line
        if first <= last:
            rows.append((row, first - 1, last + 1))
    return rows
