"""Exact surgery on the segments of a track: where a box is, cutting at a frame, setting a key, uniting two tracks.

Whatever is cut or united covers at least what was covered before: new keys are rounded outward, those of a `keep`
inward. A cut at frame f:

    before   k0 ─────────────────────── k1 ──── end
    after    k0 ──────── (f-1) | (f) ── k1 ──── end        two segments, both keys on the old line
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise, zip_longest

from schema.errors import UsageError
from schema.geometry import Box, Edges, box_of, edges, interpolate, interpolate_inward
from schema.manifest import Key, Segment, Track
from schema.tools.clock import Clock

Segments = tuple[Segment, ...]


def box_at(segment: Segment, frame: int, clock: Clock, inward: bool = False) -> Box | None:
    """The box of a segment on a frame, None outside it; raises `UsageError` where the timeline is needed and unknown.

    With `inward` the box of a `keep`, which may come out empty: it is then the smallest there is.
    """
    before = next((k for k in reversed(segment.keys) if k.frame <= frame), None)
    if before is None or frame >= segment.end:
        return None
    after = next((k for k in segment.keys if k.frame > frame), None)
    if before.frame == frame or after is None or after.box == before.box:
        return before.box
    between = interpolate_inward if inward else interpolate
    x, y, w, h = between(before.box, after.box, *(clock.pts_of(f) for f in (before.frame, after.frame, frame)))
    return (x, y, max(w, 1), max(h, 1))


def walk(
    segments: Segments, clock: Clock, inward: bool = False, within: range | None = None
) -> Iterator[tuple[int, Box]]:
    """Every frame that the segments cover, or those `within` an unbroken range, with the box on it, in order."""
    between = interpolate_inward if inward else interpolate
    limits = within if within is not None else range(2**63)
    for segment in segments:
        if segment.end <= limits.start or segment.keys[0].frame >= limits.stop:
            continue
        for key, after in zip_longest(segment.keys, segment.keys[1:]):
            end = after.frame if after else segment.end
            for frame in range(max(key.frame, limits.start), min(end, limits.stop)):
                if frame == key.frame or after is None or after.box == key.box:
                    yield frame, key.box
                else:
                    pts = (clock.pts_of(f) for f in (key.frame, after.frame, frame))
                    yield frame, between(key.box, after.box, *pts)


def cut(segments: Segments, frame: int, clock: Clock, inward: bool = False) -> tuple[Segments, Segments]:
    """The segments before a frame and those from it on."""
    left: list[Segment] = []
    right: list[Segment] = []
    for segment in segments:
        if segment.end <= frame:
            left.append(segment)
        elif segment.keys[0].frame >= frame:
            right.append(segment)
        else:
            keys_left = [k for k in segment.keys if k.frame < frame]
            keys_right = [k for k in segment.keys if k.frame >= frame]
            last = box_at(segment, frame - 1, clock, inward)
            if keys_left[-1].frame < frame - 1 and last is not None and last != keys_left[-1].box:
                keys_left.append(Key(frame=frame - 1, box=last))
            first = box_at(segment, frame, clock, inward)
            if first is not None and (not keys_right or keys_right[0].frame > frame):
                keys_right.insert(0, Key(frame=frame, box=first))
            left.append(Segment(end=frame, keys=tuple(keys_left)))
            right.append(Segment(end=segment.end, keys=tuple(keys_right)))
    return tuple(left), tuple(right)


def change_within(
    segments: Segments, first: int, end: int, change: Callable[[Box], Box], clock: Clock, inward: bool = False
) -> Segments:
    """The segments with `change` done to every box on the frames [first, end)."""
    before, rest = cut(segments, first, clock, inward)
    inside, after = cut(rest, end, clock, inward)
    if not inside:
        raise UsageError(f"nothing is covered on the frames {first} to {end - 1}; give a range of the track")
    return (*before, *change_all(inside, change), *after)


def change_all(segments: Segments, change: Callable[[Box], Box]) -> Segments:
    """The segments with `change` done to the box of every key."""
    return tuple(
        Segment(end=s.end, keys=tuple(Key(frame=k.frame, box=change(k.box)) for k in s.keys)) for s in segments
    )


def set_key(segments: Segments, frame: int, box: Box) -> Segments:
    """The segments with a key put or replaced on a frame that they cover."""
    for i, segment in enumerate(segments):
        if segment.keys[0].frame <= frame < segment.end:
            keys = sorted(
                [*(k for k in segment.keys if k.frame != frame), Key(frame=frame, box=box)], key=lambda k: k.frame
            )
            return (*segments[:i], Segment(end=segment.end, keys=tuple(keys)), *segments[i + 1 :])
    raise UsageError(f"the track does not cover frame {frame}; retime it first")


def retimed(segments: Segments, first: int, end: int, clock: Clock, inward: bool = False) -> Segments:
    """The segments cut to, or held out to, the frames [first, end): the first and last box stand still outside."""
    _, rest = cut(segments, first, clock, inward)
    inside, _ = cut(rest, end, clock, inward)
    if not inside:
        raise UsageError(f"the track has no frame in {first} to {end - 1}; add a new one instead")
    head, tail = inside[0], inside[-1]
    if first < segments[0].keys[0].frame:
        held = (Key(frame=first, box=head.keys[0].box), *head.keys)
        inside = (Segment(end=head.end, keys=held), *inside[1:])
    if tail.end < end:
        inside = (*inside[:-1], Segment(end=end, keys=inside[-1].keys))
    return inside


def around(boxes: Sequence[Box]) -> Box:
    """The smallest box around all of the boxes."""
    all_edges = [edges(b) for b in boxes]
    return box_of(
        Edges(
            min(e.left for e in all_edges),
            min(e.top for e in all_edges),
            max(e.right for e in all_edges),
            max(e.bottom for e in all_edges),
        )
    )


def united(a: Segments, b: Segments, clock: Clock) -> Segments:
    """Segments that cover what either covers: where both do, one box around the two.

    Between two of the keys of either, each edge of the union is a minimum or maximum of straight lines, so the straight
    line between the unions at the keys lies outside it.
    """
    bounds = sorted({f for s in (*a, *b) for f in (s.keys[0].frame, s.end)})
    made: list[Segment] = []
    for first, end in pairwise(bounds):
        parts = [_piece(side, first, end, clock) for side in (a, b)]
        found = [p for p in parts if p is not None]
        if len(found) == 2:
            frames = sorted({k.frame for p in found for k in p.keys})
            keys = [Key(frame=f, box=around([box for p in found if (box := box_at(p, f, clock))])) for f in frames]
            made.append(Segment(end=end, keys=tuple(keys)))
        elif found:
            made.append(found[0])
    return tuple(made)


def _piece(segments: Segments, first: int, end: int, clock: Clock) -> Segment | None:
    _, rest = cut(segments, first, clock)
    inside, _ = cut(rest, end, clock)
    return inside[0] if inside else None


def first_frame(track: Track) -> int:
    """The first frame that a track covers."""
    return track.segments[0].keys[0].frame


def end_frame(track: Track) -> int:
    """The frame after the last that a track covers."""
    return track.segments[-1].end
