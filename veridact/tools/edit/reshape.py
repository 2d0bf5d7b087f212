"""Moving, resizing and retiming one item, as the arguments of the operation say."""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from veridact.errors import UsageError
from veridact.schema.geometry import Box, Edges, box_of, edges
from veridact.schema.manifest import AudioRange, Key, Segment, Track
from veridact.schema.plan.segments import Segments, box_at, end_frame, first_frame
from veridact.schema.timeline import Clock, Clocks, Frame, Span
from veridact.tools.edit.query import Item, parse_box
from veridact.tools.edit.times import instant, milliseconds, parse_span

_SHIFT = re.compile(r"([+-]?[0-9]{1,7}),([+-]?[0-9]{1,7})")
_SIZE = re.compile(r"([0-9]{1,7})x([0-9]{1,7})")
_PERCENT = re.compile(r"([0-9]{1,4})%")


def _with_boxes(
    track: Track, arguments: Sequence[str], change: Callable[[Box], Box], clocks: Clocks, location: str
) -> Track:
    """The track with `change` done to its boxes, everywhere or in the range that the arguments give."""
    if not arguments:
        return track.model_copy(update={"segments": change_all(track.segments, change)})
    span = parse_span(arguments[0]) if len(arguments) == 1 else None
    if span is None:
        raise UsageError(f"{location}: {arguments[0]!r} is not a range; write 120-180 or 4s-6.5s")
    clock = clocks[track.stream]
    first, end = clock.span(span)
    inward = track.label == "keep"
    return track.model_copy(update={"segments": change_within(track.segments, first, end, change, clock, inward)})


def _as_track(item: Item, verb: str, location: str) -> Track:
    if not isinstance(item, Track):
        raise UsageError(f"{location}: {item.id} is a range of sound and has no box to {verb}; retime it")
    return item


def moved(item: Item, arguments: Sequence[str], clocks: Clocks, location: str) -> Item:
    """The item with its boxes shifted by `DX,DY` pixels, or with the box of one frame replaced."""
    track = _as_track(item, "move", location)
    if len(arguments) == 3 and arguments[1] == "at" and (box := parse_box(arguments[0])) is not None:
        frame = clocks[track.stream].frame_of(instant(arguments[2]), up=False)
        return track.model_copy(update={"segments": set_key(track.segments, frame, box)})
    match = _SHIFT.fullmatch(arguments[0]) if arguments else None
    if match is None:
        raise UsageError(f"{location}: write move ITEMS DX,DY [RANGE], or move ITEM X,Y,W,H at TIME")
    dx, dy = int(match[1]), int(match[2])
    return _with_boxes(track, arguments[1:], lambda b: (b[0] + dx, b[1] + dy, b[2], b[3]), clocks, location)


def _about_centre(box: Box, width: int, height: int) -> Box:
    """A box of `width` by `height` pixels about the centre of another; an odd pixel goes to the left and to the top."""
    x, y, w, h = box
    return (x - (width - w + 1) // 2, y - (height - h + 1) // 2, width, height)


def resized(item: Item, arguments: Sequence[str], clocks: Clocks, location: str) -> Item:
    """The item with its boxes about the same centres, of a size in pixels or in percent, rounded up to a pixel."""
    track = _as_track(item, "resize", location)
    size = _SIZE.fullmatch(arguments[0]) if arguments else None
    percent = _PERCENT.fullmatch(arguments[0]) if arguments else None
    if size is not None and int(size[1]) and int(size[2]):
        width, height = int(size[1]), int(size[2])
        return _with_boxes(track, arguments[1:], lambda b: _about_centre(b, width, height), clocks, location)
    if percent is not None and int(percent[1]):
        share = int(percent[1])
        return _with_boxes(
            track,
            arguments[1:],
            lambda b: _about_centre(b, -(-b[2] * share // 100), -(-b[3] * share // 100)),
            clocks,
            location,
        )
    raise UsageError(f"{location}: write resize ITEMS WIDTHxHEIGHT [RANGE], or resize ITEMS 120% [RANGE]")


def retimed_item(item: Item, arguments: Sequence[str], clocks: Clocks, location: str) -> Item:
    """The item trimmed or extended to another range; a side left out of the range stays where it is."""
    span = parse_span(arguments[0]) if len(arguments) == 1 else None
    if span is None:
        raise UsageError(f"{location}: write retime ITEMS FROM-TO, as 120-180 or 4s-6.5s")
    inward = item.label == "keep"
    if isinstance(item, AudioRange):
        start = item.start_ms if span.start is None else milliseconds(span.start, up=inward)
        end = item.end_ms if span.end is None else milliseconds(span.end, up=not inward)
        return item.model_copy(update={"start_ms": start, "end_ms": end})
    own = Span(span.start or Frame(first_frame(item)), span.end or Frame(end_frame(item)))
    first, end = clocks[item.stream].span(own, inward)
    segments = retimed(item.segments, first, end, clocks[item.stream], inward)
    return item.model_copy(update={"segments": segments})


def split_at(segments: Segments, frame: int, clock: Clock, inward: bool = False) -> tuple[Segments, Segments]:
    """The segments before a frame, and those from it on.

    A segment across the frame gets a key on the frame before it and one on it, so that no box shrinks: the interpolated
    boxes are rounded outward, those of a `keep` inward.

    Where a `keep`, split `inward`, has shrunk to nothing at the frame, the first part ends after the last frame on
    which it has a box, and the second begins at the next one that has.
    """
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
            last = _first_box(segment, range(frame - 1, keys_left[-1].frame - 1, -1), clock, inward)
            if last.box != keys_left[-1].box:
                keys_left.append(last)
            first = _first_box(segment, range(frame, segment.end), clock, inward)
            if not keys_right or keys_right[0].frame > first.frame:
                keys_right.insert(0, first)
            left.append(Segment(end=last.frame + 1, keys=tuple(keys_left)))
            right.append(Segment(end=segment.end, keys=tuple(keys_right)))
    return tuple(left), tuple(right)


def _first_box(segment: Segment, frames: range, clock: Clock, inward: bool) -> Key:
    """A key on the first of the frames on which the segment has a box; there is one, as no key's own box is empty."""
    boxes = ((frame, box_at(segment, frame, clock.pts_of, inward)) for frame in frames)
    return next(Key(frame=frame, box=box) for frame, box in boxes if box is not None)


def change_within(
    segments: Segments, first: int, end: int, change: Callable[[Box], Box], clock: Clock, inward: bool = False
) -> Segments:
    """The segments with `change` done to every box on the frames [first, end); raises `UsageError` if none is there."""
    before, rest = split_at(segments, first, clock, inward)
    inside, after = split_at(rest, end, clock, inward)
    if not inside:
        raise UsageError(f"nothing is covered on the frames {first} to {end - 1}; give a range of the track")
    return (*before, *change_all(inside, change), *after)


def change_all(segments: Segments, change: Callable[[Box], Box]) -> Segments:
    """The segments with `change` done to the box of every key."""
    return tuple(
        Segment(end=s.end, keys=tuple(Key(frame=k.frame, box=change(k.box)) for k in s.keys)) for s in segments
    )


def set_key(segments: Segments, frame: int, box: Box) -> Segments:
    """The segments with a key added or replaced on a frame that they cover; raises `UsageError` where they do not."""
    for i, segment in enumerate(segments):
        if segment.keys[0].frame <= frame < segment.end:
            keys = sorted(
                [*(k for k in segment.keys if k.frame != frame), Key(frame=frame, box=box)], key=lambda k: k.frame
            )
            return (*segments[:i], Segment(end=segment.end, keys=tuple(keys)), *segments[i + 1 :])
    raise UsageError(f"the track does not cover frame {frame}; retime it first")


def retimed(segments: Segments, first: int, end: int, clock: Clock, inward: bool = False) -> Segments:
    """The segments trimmed or extended to the frames [first, end); beyond the old ends the first and last box repeat.

    Raises `UsageError` where the segments cover no frame of the new range.
    """
    _, rest = split_at(segments, first, clock, inward)
    inside, _ = split_at(rest, end, clock, inward)
    if not inside:
        raise UsageError(f"the track has no frame in {first} to {end - 1}; add a new one instead")
    head = inside[0]
    reach = max(s.end for s in segments if s.keys[0].frame < end)
    if first < segments[0].keys[0].frame:
        extended = (Key(frame=first, box=head.keys[0].box), *head.keys)
        inside = (Segment(end=head.end, keys=extended), *inside[1:])
    if reach < end:  # a keep that has shrunk to nothing before `end` is not extended to it
        inside = (*inside[:-1], Segment(end=end, keys=inside[-1].keys))
    return inside


def enclosing_box(boxes: Sequence[Box]) -> Box:
    """The smallest box that contains all of the boxes, of which there is at least one."""
    all_edges = [edges(b) for b in boxes]
    return box_of(
        Edges(
            min(e.left for e in all_edges),
            min(e.top for e in all_edges),
            max(e.right for e in all_edges),
            max(e.bottom for e in all_edges),
        )
    )


def union(a: Segments, b: Segments, clock: Clock) -> Segments:
    """Segments that cover what either covers: where both do, the one box that encloses the two.

    Between two of the keys of either, each edge of the union is a minimum or maximum of straight lines, so the straight
    line between the unions at the keys lies outside it.
    """
    bounds = sorted({f for s in (*a, *b) for f in (s.keys[0].frame, s.end)})
    merged: list[Segment] = []
    for first, end in pairwise(bounds):
        parts = [_part(side, first, end, clock) for side in (a, b)]
        present = [p for p in parts if p is not None]
        if len(present) == 2:
            frames = sorted({k.frame for p in present for k in p.keys})
            keys = [
                Key(frame=f, box=enclosing_box([box for p in present if (box := box_at(p, f, clock.pts_of))]))
                for f in frames
            ]
            merged.append(Segment(end=end, keys=tuple(keys)))
        elif present:
            merged.append(present[0])
    return tuple(merged)


def _part(segments: Segments, first: int, end: int, clock: Clock) -> Segment | None:
    """The segment on the frames [first, end), which no segment begins or ends within; None where none is."""
    _, rest = split_at(segments, first, clock)
    inside, _ = split_at(rest, end, clock)
    return inside[0] if inside else None
