"""The bounding box of a segment on a frame, and the frames that a track covers."""

from collections.abc import Iterator
from itertools import zip_longest

from veridact.schema.geometry import Box, interpolate, interpolate_inward
from veridact.schema.manifest import Segment, Track
from veridact.schema.timeline import Clock

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


def first_frame(track: Track) -> int:
    """The first frame that a track covers."""
    return track.segments[0].keys[0].frame


def end_frame(track: Track) -> int:
    """The frame after the last that a track covers."""
    return track.segments[-1].end
