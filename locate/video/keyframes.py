"""From a box a frame to the fewest keys between which the box, moved linearly in time, still contains every one.

Each edge runs through a tube that is open outward by the tolerance:

      outer  ─────╮   ╭──────          a key may stand anywhere in the tube, on whole pixels;
                  ╰───╯                the line to the next key must stay inside on every frame between
      inner  ───╮       ╭────          (what was tracked: never cut into)
                ╰───────╯

From one key, each frame narrows the cone of slopes that pass; the next key stands on the last frame that the cones of
all four edges reach, at the value from which the edge then gets furthest. Everything is in integers, rounded as
`geometry.interpolate` rounds: left and top down, right and bottom up. Right and bottom are mirrored, so that
every edge is one that may only be moved down.
"""

from collections.abc import Sequence

from veridact.schema.geometry import Box, Edges, box_of, edges
from veridact.schema.manifest import Key, Segment

LEAST_TOLERANCE_PX = 3
TOLERANCE_PERCENT = 4
Tube = tuple[Sequence[int], Sequence[int]]
"""The least and greatest value of an edge on every frame, both allowed."""


def tolerance(side: int) -> int:
    """How far outside a box an edge may run: 3 px or 4 % of the side, whichever is more (SPEC §1.3)."""
    return max(LEAST_TOLERANCE_PX, side * TOLERANCE_PERCENT // 100)


def _tubes(boxes: Sequence[Box]) -> list[Tube]:
    tubes: list[Tube] = []
    for edge in range(4):
        inner = [(e[edge] if edge < 2 else -e[edge]) for e in map(edges, boxes)]
        outer = [value - tolerance(box[2 + edge % 2]) for value, box in zip(inner, boxes, strict=True)]
        tubes.append((outer, inner))
    return tubes


Passage = list[range]
"""For each frame after a key, the whole values that the next key may have there; an empty range is none."""


def _passage(tube: Tube, pts: Sequence[int], start: int, value: int) -> Passage:
    """What a line from `value` at `start` can reach.

    The line is floored on every frame, so slope s passes frame t when least <= value + s·dt < greatest + 1; the cone
    of slopes is kept as two fractions, the low one included and the high one not.
    """
    least, greatest = tube
    low_num, low_den, high_num, high_den = 0, 0, 0, 0
    passage: Passage = []
    for t in range(start + 1, len(pts)):
        dt = pts[t] - pts[start]
        a, b = least[t] - value, greatest[t] + 1 - value
        if low_den == 0 or a * low_den > low_num * dt:
            low_num, low_den = a, dt
        if high_den == 0 or b * high_den < high_num * dt:
            high_num, high_den = b, dt
        if low_num * high_den >= high_num * low_den:
            break
        passage.append(range(value - (-low_num * dt // low_den), value - (-high_num * dt // high_den)))
    return passage


def _best(tube: Tube, pts: Sequence[int], frame: int, values: Sequence[int], held: int) -> tuple[int, Passage]:
    """Of the values that a key may have at `frame`, the one from which the edge gets furthest.

    Among equals, one from which it can stay where it is comes first, then `held`, the value of the key before.
    """
    few = {values[0], values[len(values) // 3], values[len(values) // 2], values[-1]} | ({held} & set(values))
    tried = [(value, _passage(tube, pts, frame, value)) for value in sorted(few)]
    return max(tried, key=lambda t: (len(t[1]), bool(t[1]) and t[0] in t[1][-1], t[0] == held, t[0]))


def simplified(boxes: Sequence[Box], first: int, pts: Sequence[int]) -> Segment:
    """The segment of boxes on the frames from `first` on; `pts` are the stream's presentation times, by frame."""
    times = pts[first : first + len(boxes)]
    tubes = _tubes(boxes)
    heads = [_best(tube, times, 0, range(tube[0][0], tube[1][0] + 1), tube[1][0]) for tube in tubes]
    keys = [(0, [value for value, _ in heads])]
    while keys[-1][0] < len(boxes) - 1:
        frame = keys[-1][0]
        reached = min(len(passage) for _, passage in heads)
        step = next(n for n in range(reached, 0, -1) if all(passage[n - 1] for _, passage in heads))
        frame += step
        heads = [
            _best(tube, times, frame, passage[step - 1], value)
            for tube, (value, passage) in zip(tubes, heads, strict=True)
        ]
        keys.append((frame, [value for value, _ in heads]))
    if len(keys) > 1 and keys[-1][1] == keys[-2][1]:
        keys.pop()  # the last key holds until the end by itself
    return Segment(
        end=first + len(boxes),
        keys=tuple(Key(frame=first + n, box=box_of(Edges(v[0], v[1], -v[2], -v[3]))) for n, v in keys),
    )
