"""The bounding box of a segment on a frame, and the walk over all frames that a track covers."""

from bisect import bisect_right
from collections.abc import Callable, Iterator

from veridact.schema.geometry import Box, edges, interpolate, interpolate_inward
from veridact.schema.manifest import Segment, Track
from veridact.schema.timeline import Clock

Segments = tuple[Segment, ...]
PtsOf = Callable[[int], int]
"""From a frame number to its presentation timestamp, in ticks of the stream's time base."""


def box_at(segment: Segment, frame: int, pts_of: PtsOf, inward: bool = False) -> Box | None:
    """The bounding box of a segment on a frame of the displayed picture, None where it has none.

    Between two keys the box moves linearly in presentation time, rounded outward or, for a `keep`, `inward`. A segment
    has no box outside [first key, `end`), and inward none where it has shrunk to nothing. `pts_of` is called only
    between two keys with different boxes; `Clock.pts_of` raises `UsageError` where the timeline is not known.
    """
    keys = segment.keys
    at = bisect_right(keys, frame, key=lambda key: key.frame) - 1
    if at < 0 or frame >= segment.end:
        return None
    before = keys[at]
    after = keys[at + 1] if at + 1 < len(keys) else before
    if frame == before.frame or after.box == before.box:
        return before.box
    pts = pts_of(before.frame), pts_of(after.frame), pts_of(frame)
    if not inward:
        return interpolate(before.box, after.box, *pts)
    shrunk = interpolate_inward(before.box, after.box, *pts)
    return None if edges(shrunk).empty else shrunk


def walk(segments: Segments, clock: Clock, inward: bool = False) -> Iterator[tuple[int, Box]]:
    """Every frame on which the segments have a box, in order, with that box (see `box_at`)."""
    for segment in segments:
        for frame in range(segment.keys[0].frame, segment.end):
            box = box_at(segment, frame, clock.pts_of, inward)
            if box is not None:
                yield frame, box


def first_frame(track: Track) -> int:
    """The first frame that a track covers."""
    return track.segments[0].keys[0].frame


def end_frame(track: Track) -> int:
    """The frame after the last that a track covers."""
    return track.segments[-1].end
