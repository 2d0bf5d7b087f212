"""MOT challenge CSV: `frame,id,left,top,width,height,confidence,-1,-1,-1`, one line for each box of each frame.

Frames, ids and pixels begin at 1 (motchallenge.net/instructions), those of a manifest at 0: export adds one, import
subtracts it.
"""

import re
from fractions import Fraction

from veridact.errors import UsageError
from veridact.schema.geometry import Box
from veridact.schema.manifest import Manifest, PictureStream, VideoStream
from veridact.schema.plan.segments import walk
from veridact.schema.timeline import Clocks
from veridact.tools.formats import common
from veridact.tools.formats.common import Exported, Imported

MAX_LINES = 5_000_000
_NUMBER = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,12})?")


def write(manifest: Manifest, clocks: Clocks) -> Exported:
    """The boxes of the tracks that are not rejected, by frame; ids are the tracks' places in the manifest, from 1."""
    lost = [*common.common_losses(manifest, record=False, sound=False), "labels"]
    stream = common.picture_stream(manifest, lost)
    clock = clocks[stream.index]
    if clock.pts is None:
        lost.append("exact boxes between keys: the frame rate is not constant, so name the footage with --media")
    lines: list[tuple[int, int, str]] = []
    tracks = [t for t in manifest.tracks if t.stream == stream.index and t.review != "rejected"]
    for number, track in enumerate(tracks, 1):
        score = track.origin.score
        confidence = "1" if score is None else f"{score // 1000}.{score % 1000:03}"
        for frame, (x, y, w, h) in walk(track.segments, clock.assumed()):
            text = f"{frame + 1},{number},{x + 1},{y + 1},{w},{h},{confidence},-1,-1,-1"
            lines.append((frame, number, text))
    return Exported("".join(f"{text}\n" for _, _, text in sorted(lines)).encode(), lost)


def _line(text: str, number: int, frames: int) -> tuple[int, str, Box]:
    fields = [f.strip() for f in text.split(",")]
    if len(fields) < 6 or not all(_NUMBER.fullmatch(f) for f in fields[:6]):
        raise UsageError(f"line {number}: write frame,id,left,top,width,height as numbers; more columns may follow")
    frame, left, top, width, height = (Fraction(f) for f in (fields[0], *fields[2:6]))
    if frame.denominator != 1 or not 1 <= frame <= frames:
        raise UsageError(f"line {number}: frame {fields[0]} is not one of 1 to {frames} (MOT begins at 1)")
    try:
        box = common.outward(left - 1, top - 1, left - 1 + width, top - 1 + height)
    except ValueError as e:
        raise UsageError(f"line {number}: {e}") from None
    return int(frame) - 1, fields[1], box


def read(raw: bytes, stream: VideoStream | PictureStream, label: str) -> Imported:
    """The tracks of a MOT file, all with the same label; raises `UsageError` naming the line."""
    imported = Imported(lost=["confidences, classes and visibilities"], searched=frozenset({stream.index}))
    tracks: dict[str, dict[int, Box]] = {}
    lines = raw.decode("utf-8", "replace").splitlines()
    if len(lines) > MAX_LINES:
        raise UsageError(f"more than {MAX_LINES} lines; split the file")
    for number, text in enumerate(lines, 1):
        if text.strip():
            frame, track, box = _line(text, number, stream.frames)
            if frame in tracks.setdefault(track, {}):
                raise UsageError(f"line {number}: id {track} is on frame {frame + 1} twice")
            tracks[track][frame] = box
    for _, boxes in sorted(tracks.items(), key=lambda item: Fraction(item[0])):
        imported.tracks.append({**common.item_fields({}, stream.index, label), "boxes": boxes})
    return imported
