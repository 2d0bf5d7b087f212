"""Keyframe reduction, SPEC §1.3: few keys, every tracked box contained, no edge outside the tolerance."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veridact.locate.video.keyframes import reduce_keyframes
from veridact.schema.geometry import Box, edges, interpolate
from veridact.schema.manifest import Segment

boxes_on_frames = st.lists(
    st.tuples(
        st.integers(-200, 2000), st.integers(-200, 2000), st.integers(1, 400), st.integers(1, 400), st.integers(1, 900)
    ),
    min_size=1,
    max_size=60,
)
walks = st.lists(
    st.tuples(*(st.integers(-9, 9) for _ in range(4)), st.integers(1, 9)),
    min_size=1,
    max_size=120,
)


def box_on(segment: Segment, frame: int, pts: list[int]) -> Box:
    """The box that the manifest says is on a frame."""
    before = [k for k in segment.keys if k.frame <= frame][-1]
    after = next((k for k in segment.keys if k.frame > frame), None)
    if after is None:
        return before.box
    return interpolate(before.box, after.box, pts[before.frame], pts[after.frame], pts[frame])


def assert_contained(segment: Segment, boxes: list[Box], first: int, pts: list[int]) -> None:
    assert segment.keys[0].frame == first
    assert segment.end == first + len(boxes)
    for n, tracked in enumerate(boxes):
        want, got = edges(tracked), edges(box_on(segment, first + n, pts))
        over = (want.left - got.left, want.top - got.top, got.right - want.right, got.bottom - want.bottom)
        for side, outside in zip((tracked[2], tracked[3], tracked[2], tracked[3]), over, strict=True):
            assert 0 <= outside <= max(3, side * 4 // 100), f"frame {n}: {got} for {want}"


def with_times(steps: list[int], first: int) -> list[int]:
    pts = list(range(-first, 0))
    for step in steps:
        pts.append((pts[-1] if pts else 0) + step)
    return pts


@given(boxes_on_frames, st.integers(0, 3))
def test_every_box_is_contained_however_it_jumps(rows: list[tuple[int, ...]], first: int) -> None:
    boxes: list[Box] = [(x, y, w, h) for x, y, w, h, _ in rows]
    pts = with_times([row[4] for row in rows], first)
    assert_contained(reduce_keyframes(boxes, first, pts), boxes, first, pts)


@given(walks, st.integers(0, 3))
@settings(max_examples=60)
def test_every_box_is_contained_on_a_walk(steps: list[tuple[int, ...]], first: int) -> None:
    x, y, w, h = 500, 400, 120, 160
    boxes: list[Box] = []
    for dx, dy, dw, dh, _ in steps:
        x, y, w, h = x + dx, y + dy, max(1, w + dw), max(1, h + dh)
        boxes.append((x, y, w, h))
    pts = with_times([step[4] for step in steps], first)
    assert_contained(reduce_keyframes(boxes, first, pts), boxes, first, pts)


LINE = [(10 + 3 * n, 20 + n, 60, 80) for n in range(100)]
CIRCLE = [(int(500 + 300 * (1 - (n / 150) ** 2) ** 0.5), 2 * n, 90, 90) for n in range(150)]
BEND = [(10 + 3 * min(n, 100 - n), 20, 60, 80) for n in range(101)]


@pytest.mark.parametrize(
    ("name", "boxes", "most_keys"),
    [
        ("one frame", [(5, 5, 9, 9)], 1),
        ("standing still", [(50, 50, 40, 40)] * 200, 1),
        ("trembling within the tolerance", [(50 + n % 3, 50, 40, 40) for n in range(200)], 1),
        ("a straight line", LINE, 2),
        ("there and back", BEND, 3),
        ("growing steadily", [(100 - n, 100 - n, 40 + 2 * n, 40 + 2 * n) for n in range(90)], 2),
        ("a quarter of a circle", CIRCLE, 12),
    ],
)  # fmt: skip
def test_few_keys_are_enough(name: str, boxes: list[Box], most_keys: int) -> None:
    pts = [n * 512 for n in range(len(boxes))]
    segment = reduce_keyframes(boxes, 0, pts)
    assert_contained(segment, boxes, 0, pts)
    assert len(segment.keys) <= most_keys
