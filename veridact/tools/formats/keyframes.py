"""Boxes on every frame as few keys that give back exactly the same boxes.

From a key on, an edge at `d` pixels after `t` ticks was floored from a line whose slope s has d <= s·t < d + 1. Each
frame narrows the slopes that are left; the furthest box whose own slope is still among them is the next key.
"""

from collections.abc import Iterator, Mapping, Sequence

from veridact.schema.geometry import Box
from veridact.schema.manifest import Key, Segment

LOOKAHEAD = 10_000
"""Keys stand at most this many frames apart."""

_Slope = tuple[int, int]
_Four = tuple[int, int, int, int]


def _floored(box: Box) -> _Four:
    """The edges of a box so that outward is downward for each."""
    x, y, w, h = box
    return (x, y, -x - w, -y - h)


def _less(a: _Slope, b: _Slope) -> bool:
    return a[0] * b[1] < b[0] * a[1]


def _reach(walls: Sequence[_Four], pts: Sequence[int], at: int) -> int:
    """The furthest index whose box, joined to that at `at`, gives every box between."""
    found = at + 1
    low: list[_Slope] = [(-1, 0)] * 4
    high: list[_Slope] = [(1, 0)] * 4
    for to in range(at + 1, min(len(walls), at + LOOKAHEAD)):
        ticks = pts[to] - pts[at]
        moved = [b - a for a, b in zip(walls[at], walls[to], strict=True)]
        if all(not _less((d, ticks), low[k]) and _less((d, ticks), high[k]) for k, d in enumerate(moved)):
            found = to
        for k, d in enumerate(moved):
            low[k] = (d, ticks) if _less(low[k], (d, ticks)) else low[k]
            high[k] = (d + 1, ticks) if _less((d + 1, ticks), high[k]) else high[k]
        if any(not _less(low[k], high[k]) for k in range(4)):
            break
    return found


def _keys(boxes: Sequence[Box], pts: Sequence[int]) -> Iterator[int]:
    walls = [_floored(b) for b in boxes]
    at = 0
    yield at
    while at < len(boxes) - 1:
        at = _reach(walls, pts, at)
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
