"""Boxes on every frame as the fewest keys that give back exactly the same boxes."""

from collections.abc import Iterator, Mapping, Sequence

from schema.geometry import Box, interpolate
from schema.manifest import Key, Segment

LOOKAHEAD = 600
"""Keys stand at most this many frames apart, so that the search stays short."""


def _same(boxes: Sequence[Box], pts: Sequence[int], a: int, b: int) -> bool:
    """Whether the line from box `a` to box `b` gives every box between them."""
    return all(interpolate(boxes[a], boxes[b], pts[a], pts[b], pts[i]) == boxes[i] for i in range(a + 1, b))


def _keys(boxes: Sequence[Box], pts: Sequence[int]) -> Iterator[int]:
    at = 0
    yield at
    while at < len(boxes) - 1:
        reach, step = at + 1, 1
        while reach + step < len(boxes) and reach + step - at <= LOOKAHEAD and _same(boxes, pts, at, reach + step):
            reach, step = reach + step, step * 2
        while step > 1:
            step //= 2
            if reach + step < len(boxes) and _same(boxes, pts, at, reach + step):
                reach += step
        at = reach
        yield at


def segments(boxes: Mapping[int, Box], pts: Sequence[int]) -> tuple[Segment, ...]:
    """The boxes of a track, by frame, as segments: one for each unbroken run of frames."""
    found: list[Segment] = []
    run: list[int] = []
    for frame in [*sorted(boxes), -1]:
        if run and frame != run[-1] + 1:
            values = [boxes[f] for f in run]
            picked = list(_keys(values, [pts[f] for f in run]))
            while len(picked) > 1 and values[picked[-1]] == values[picked[-2]]:
                picked.pop()  # the box holds until the end
            keys = tuple(Key(frame=run[i], box=values[i]) for i in picked)
            found.append(Segment(end=run[-1] + 1, keys=keys))
            run = []
        run.append(frame)
    return tuple(found)
