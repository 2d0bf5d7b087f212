"""Keyframe reduction: boxes on every frame as few keys between which interpolation gives exactly the same boxes.

From a key on, an edge that has moved by `d` pixels after `t` ticks was floored from a line whose slope s satisfies
d <= s·t < d + 1. Each frame narrows the interval of slopes that remain, as the cone of the swing filter does
(Elmeleegy et al., VLDB 2009); the furthest box whose own slope still lies in it is the next key.
"""

from collections.abc import Iterator, Mapping, Sequence

from veridact.schema.geometry import Box
from veridact.schema.manifest import Key, Segment

LOOKAHEAD = 10_000
"""Keys are at most this many frames apart."""

_Slope = tuple[int, int]
"""Pixels and ticks: a fraction, with (-1, 0) and (1, 0) for no bound."""
_Extents = tuple[int, int, int, int]


def _floored(box: Box) -> _Extents:
    """The edges of a box with signs under which outward is downward for each, so that rounding outward is flooring."""
    x, y, w, h = box
    return (x, y, -x - w, -y - h)


def _less(a: _Slope, b: _Slope) -> bool:
    return a[0] * b[1] < b[0] * a[1]


def _furthest_key(extents: Sequence[_Extents], pts: Sequence[int], at: int) -> int:
    """The largest index such that interpolation from `at` to it gives every box between, less than `LOOKAHEAD` away."""
    furthest = at + 1
    low: list[_Slope] = [(-1, 0)] * 4
    high: list[_Slope] = [(1, 0)] * 4
    for to in range(at + 1, min(len(extents), at + LOOKAHEAD)):
        ticks = pts[to] - pts[at]
        moved = [b - a for a, b in zip(extents[at], extents[to], strict=True)]
        if all(not _less((d, ticks), low[k]) and _less((d, ticks), high[k]) for k, d in enumerate(moved)):
            furthest = to
        for k, d in enumerate(moved):
            low[k] = (d, ticks) if _less(low[k], (d, ticks)) else low[k]
            high[k] = (d + 1, ticks) if _less((d + 1, ticks), high[k]) else high[k]
        if any(not _less(low[k], high[k]) for k in range(4)):
            break
    return furthest


def _keys(boxes: Sequence[Box], pts: Sequence[int]) -> Iterator[int]:
    extents = [_floored(b) for b in boxes]
    at = 0
    yield at
    while at < len(boxes) - 1:
        at = _furthest_key(extents, pts, at)
        yield at


def segments(boxes: Mapping[int, Box], pts: Sequence[int]) -> tuple[Segment, ...]:
    """The boxes of a track, by frame, as segments: one for each run of consecutive frames.

    `pts` are the timestamps of all frames of the stream, in ticks of any one time base.
    """
    reduced: list[Segment] = []
    run: list[int] = []
    for frame in [*sorted(boxes), -1]:
        if run and frame != run[-1] + 1:
            values = [boxes[f] for f in run]
            keyed = list(_keys(values, [pts[f] for f in run]))
            while len(keyed) > 1 and values[keyed[-1]] == values[keyed[-2]]:
                keyed.pop()  # the last box repeats until the end of the segment
            keys = tuple(Key(frame=run[i], box=values[i]) for i in keyed)
            reduced.append(Segment(end=run[-1] + 1, keys=keys))
            run = []
        run.append(frame)
    return tuple(reduced)
