"""Keyframe reduction: from a box on every frame to few keys whose linear interpolation still contains every box.

Each edge of the box runs through a tube that extends outward by the tolerance:

      outer  ─────╮   ╭──────          a key may lie anywhere in the tube, on whole pixels;
                  ╰───╯                the line to the next key must stay inside on every frame between
      inner  ───╮       ╭────          (the tracked edge: never cut into)
                ╰───────╯

From one key, each frame narrows the cone of slopes that pass; the next key lies on the last frame that the cones of all
four edges reach, at the value from which the edge then extends furthest (a greedy cone intersection). Everything is in
integers, rounded as `geometry.interpolate` rounds: left and top down, right and bottom up. Right and bottom are
negated, so that every edge is one that may only be moved down.
"""

from collections.abc import Sequence

from veridact.schema.geometry import Box, Edges, box_of, edges
from veridact.schema.manifest import Key, Segment

MIN_TOLERANCE_PX = 3
TOLERANCE_PERCENT = 4
Tube = tuple[Sequence[int], Sequence[int]]
"""The least and the greatest value of an edge on every frame, both included."""


def tolerance(side: int) -> int:
    """How far outside the box an edge may lie, in pixels: 3 or 4 % of the side, whichever is more (SPEC §1.3)."""
    return max(MIN_TOLERANCE_PX, side * TOLERANCE_PERCENT // 100)


def _tubes(boxes: Sequence[Box]) -> list[Tube]:
    """The tubes of left, top, right and bottom; those of right and bottom negated."""
    tubes: list[Tube] = []
    for edge in range(4):
        inner = [(e[edge] if edge < 2 else -e[edge]) for e in map(edges, boxes)]
        outer = [value - tolerance(box[2 + edge % 2]) for value, box in zip(inner, boxes, strict=True)]
        tubes.append((outer, inner))
    return tubes


Reachable = list[range]
"""For each frame after a key, the values that the next key may have there; empty where only fractions would pass."""


def _reachable(tube: Tube, pts: Sequence[int], start: int, value: int) -> Reachable:
    """The values that a line from `value` on frame `start` can reach without leaving the tube.

    The line is floored on every frame, so slope s passes frame t when least <= value + s·dt < greatest + 1; the cone
    of slopes is kept as two fractions, half-open: the low one is included and the high one is not.
    """
    least, greatest = tube
    low_num, low_den, high_num, high_den = 0, 0, 0, 0
    reachable: Reachable = []
    for t in range(start + 1, len(pts)):
        dt = pts[t] - pts[start]
        a, b = least[t] - value, greatest[t] + 1 - value
        if low_den == 0 or a * low_den > low_num * dt:
            low_num, low_den = a, dt
        if high_den == 0 or b * high_den < high_num * dt:
            high_num, high_den = b, dt
        if low_num * high_den >= high_num * low_den:
            break
        reachable.append(range(value - (-low_num * dt // low_den), value - (-high_num * dt // high_den)))
    return reachable


def _best(tube: Tube, pts: Sequence[int], frame: int, values: Sequence[int], previous: int) -> tuple[int, Reachable]:
    """Of the values that a key may have at `frame`, one from which the edge extends furthest, and what it reaches.

    Only a few candidates are tried. Of equals, one that can stay constant is preferred, then `previous`, the value of
    the key before.
    """
    few = {values[0], values[len(values) // 3], values[len(values) // 2], values[-1]} | ({previous} & set(values))
    tried = [(value, _reachable(tube, pts, frame, value)) for value in sorted(few)]
    return max(tried, key=lambda t: (len(t[1]), bool(t[1]) and t[0] in t[1][-1], t[0] == previous, t[0]))


def reduce_keyframes(boxes: Sequence[Box], first: int, pts: Sequence[int]) -> Segment:
    """The segment that contains a box on every frame from `first` on, with as few keys as the greedy method needs.

    `boxes` are x, y, width, height in pixels; `pts` are the presentation times of the stream's frames, from frame 0.
    """
    times = pts[first : first + len(boxes)]
    tubes = _tubes(boxes)
    candidates = [_best(tube, times, 0, range(tube[0][0], tube[1][0] + 1), tube[1][0]) for tube in tubes]
    keys = [(0, [value for value, _ in candidates])]
    while keys[-1][0] < len(boxes) - 1:
        frame = keys[-1][0]
        furthest = min(len(reachable) for _, reachable in candidates)
        step = next(n for n in range(furthest, 0, -1) if all(reachable[n - 1] for _, reachable in candidates))
        frame += step
        candidates = [
            _best(tube, times, frame, reachable[step - 1], value)
            for tube, (value, reachable) in zip(tubes, candidates, strict=True)
        ]
        keys.append((frame, [value for value, _ in candidates]))
    if len(keys) > 1 and keys[-1][1] == keys[-2][1]:
        keys.pop()  # the box of the last key applies until the end of the segment
    return Segment(
        end=first + len(boxes),
        keys=tuple(Key(frame=first + n, box=box_of(Edges(v[0], v[1], -v[2], -v[3]))) for n, v in keys),
    )
