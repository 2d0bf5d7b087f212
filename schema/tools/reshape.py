"""Moving, resizing and retiming one item, from the words of the edit."""

import re
from collections.abc import Callable, Sequence

from schema.errors import UsageError
from schema.geometry import Box
from schema.manifest import AudioRange, Track
from schema.tools.clock import Clocks
from schema.tools.times import Frame, Span, instant, milliseconds, parse_span
from schema.tools.tracks import change_all, change_within, end_frame, first_frame, retimed, set_key
from schema.tools.where import Item, parse_box

_SHIFT = re.compile(r"([+-]?[0-9]{1,7}),([+-]?[0-9]{1,7})")
_SIZE = re.compile(r"([0-9]{1,7})x([0-9]{1,7})")
_PERCENT = re.compile(r"([0-9]{1,4})%")


def _changed(track: Track, words: Sequence[str], change: Callable[[Box], Box], clocks: Clocks, place: str) -> Track:
    """The track with its boxes changed, everywhere or in the range that the words give."""
    if not words:
        return track.model_copy(update={"segments": change_all(track.segments, change)})
    span = parse_span(words[0]) if len(words) == 1 else None
    if span is None:
        raise UsageError(f"{place}: {words[0]!r} is no range; write 120-180 or 4s-6.5s")
    clock = clocks[track.stream]
    first, end = clock.span(span)
    inward = track.label == "keep"
    return track.model_copy(update={"segments": change_within(track.segments, first, end, change, clock, inward)})


def _of_picture(item: Item, verb: str, place: str) -> Track:
    if not isinstance(item, Track):
        raise UsageError(f"{place}: {item.id} is a range of sound and has no box to {verb}; retime it")
    return item


def moved(item: Item, words: Sequence[str], clocks: Clocks, place: str) -> Item:
    """The item with its boxes shifted, or with one box set on one frame."""
    track = _of_picture(item, "move", place)
    if len(words) == 3 and words[1] == "at" and (box := parse_box(words[0])) is not None:
        frame = clocks[track.stream].frame_of(instant(words[2]), up=False)
        return track.model_copy(update={"segments": set_key(track.segments, frame, box)})
    match = _SHIFT.fullmatch(words[0]) if words else None
    if match is None:
        raise UsageError(f"{place}: write move ITEMS DX,DY [RANGE], or move ITEM X,Y,W,H at TIME")
    dx, dy = int(match[1]), int(match[2])
    return _changed(track, words[1:], lambda b: (b[0] + dx, b[1] + dy, b[2], b[3]), clocks, place)


def _about_centre(box: Box, width: int, height: int) -> Box:
    """A box of another size about the same centre; an odd pixel goes to the left and to the top."""
    x, y, w, h = box
    return (x - (width - w + 1) // 2, y - (height - h + 1) // 2, width, height)


def resized(item: Item, words: Sequence[str], clocks: Clocks, place: str) -> Item:
    """The item with its boxes of another size about their centres."""
    track = _of_picture(item, "resize", place)
    size = _SIZE.fullmatch(words[0]) if words else None
    percent = _PERCENT.fullmatch(words[0]) if words else None
    if size is not None and int(size[1]) and int(size[2]):
        width, height = int(size[1]), int(size[2])
        return _changed(track, words[1:], lambda b: _about_centre(b, width, height), clocks, place)
    if percent is not None and int(percent[1]):
        share = int(percent[1])
        return _changed(
            track,
            words[1:],
            lambda b: _about_centre(b, -(-b[2] * share // 100), -(-b[3] * share // 100)),
            clocks,
            place,
        )
    raise UsageError(f"{place}: write resize ITEMS WIDTHxHEIGHT [RANGE], or resize ITEMS 120% [RANGE]")


def retimed_item(item: Item, words: Sequence[str], clocks: Clocks, place: str) -> Item:
    """The item cut to, or held out to, another range; a side left out of the range stays where it is."""
    span = parse_span(words[0]) if len(words) == 1 else None
    if span is None:
        raise UsageError(f"{place}: write retime ITEMS FROM-TO, as 120-180 or 4s-6.5s")
    inward = item.label == "keep"
    if isinstance(item, AudioRange):
        start = item.start_ms if span.start is None else milliseconds(span.start, up=inward)
        end = item.end_ms if span.end is None else milliseconds(span.end, up=not inward)
        return item.model_copy(update={"start_ms": start, "end_ms": end})
    own = Span(span.start or Frame(first_frame(item)), span.end or Frame(end_frame(item)))
    first, end = clocks[item.stream].span(own, inward)
    segments = retimed(item.segments, first, end, clocks[item.stream], inward)
    return item.model_copy(update={"segments": segments})
