"""CVAT for video 1.1 (XML): tracks of boxes on keyframes, for review and correction in CVAT.

CVAT counts frames from 0, interpolates boxes linearly in frames, and holds the last keyframe to the end of the task
unless one with `outside="1"` ends the track. So a box with `outside` is written on the frame *after* the last covered
one, and a track read without one lasts to the end. Corners are `xtl ytl xbr ybr` in pixels; `xbr` and `ybr` are
exclusive.
"""

from collections.abc import Iterator
from fractions import Fraction
from html import escape
from itertools import pairwise
from typing import Any

from veridact.errors import BindingError, UsageError
from veridact.schema.geometry import Box, edges
from veridact.schema.manifest import Key, Manifest, PictureStream, Segment, Track, VideoStream
from veridact.schema.plan.segments import walk
from veridact.schema.timeline import Clock, Clocks
from veridact.tools.edit.reshape import enclosing_box
from veridact.tools.formats import common
from veridact.tools.formats.common import Exported, Imported
from veridact.tools.formats.cvat_xml import CvatBox, CvatTask, CvatTrack, parse
from veridact.tools.formats.keyframes import segments

_FREE_TEXT = {"id", "score", "reviewer", "reason", "note"}
_NOT_XML = {c: "�" for c in range(32) if c not in (9, 10, 13)} | {0xFFFE: "�", 0xFFFF: "�"}


def _text(value: str) -> str:
    return (
        escape(value.translate(_NOT_XML), quote=True)
        .replace("\n", "&#10;")
        .replace("\t", "&#9;")
        .replace("\r", "&#13;")
    )


def _label(name: str) -> str:
    states = "proposed\naccepted\nedited\nadded\nrejected"
    attributes = "".join(
        f"<attribute><name>{a}</name><mutable>False</mutable>"
        f"<input_type>{'text' if a in _FREE_TEXT else 'select'}</input_type>"
        f"<default_value>{'' if a in _FREE_TEXT else 'proposed'}</default_value>"
        f"<values>{'' if a in _FREE_TEXT else states}</values></attribute>"
        for a in common.ATTRIBUTES
    )
    return f"<label><name>{_text(name)}</name><type>rectangle</type><attributes>{attributes}</attributes></label>"


def _box(frame: int, box: Box, outside: bool, attributes: dict[str, str]) -> str:
    e = edges(box)
    inner = "".join(f'<attribute name="{k}">{_text(v)}</attribute>' for k, v in attributes.items())
    return (
        f'    <box frame="{frame}" keyframe="1" outside="{int(outside)}" occluded="0" '
        f'xtl="{e.left}.00" ytl="{e.top}.00" xbr="{e.right}.00" ybr="{e.bottom}.00" z_order="0">{inner}</box>\n'
    )


def _track(number: int, track: Track, clock: Clock) -> Iterator[str]:
    boxes = dict(walk(track.segments, clock.assumed()))
    attributes = common.record_of(track)
    yield f'  <track id="{number}" label="{_text(track.label)}" source="manual">\n'
    for segment in segments(boxes, range(clock.frames)):
        for key in segment.keys:
            yield _box(key.frame, key.box, False, attributes)
        if segment.end < clock.frames:
            yield _box(segment.end, segment.keys[-1].box, True, attributes)
    yield "  </track>\n"


def write(manifest: Manifest, clocks: Clocks) -> Exported:
    """All tracks of the first stream with a picture, rejected ones too, with their review records as attributes."""
    lost = common.common_losses(manifest, record=True, sound=False)
    stream = common.picture_stream(manifest, lost)
    clock = clocks[stream.index]
    if clock.pts is None:
        lost.append("exact boxes between keys: the frame rate is not constant, so name the footage with --media")
    tracks = [t for t in manifest.tracks if t.stream == stream.index]
    labels = "".join(_label(name) for name in dict.fromkeys(t.label for t in tracks))
    head = (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  <meta><task>'
        f"<name>veridact</name><size>{stream.frames}</size><mode>interpolation</mode><start_frame>0</start_frame>"
        f"<stop_frame>{stream.frames - 1}</stop_frame><frame_filter></frame_filter><labels>{labels}</labels>"
        f"<original_size><width>{stream.width}</width><height>{stream.height}</height></original_size>"
        "</task></meta>\n"
    )
    body = "".join(line for n, t in enumerate(tracks) for line in _track(n, t, clock))
    if any("�" in line for line in body.splitlines() if "<attribute" in line):
        lost.append("control characters in texts")
    return Exported(f"{head}{body}</annotations>\n".encode(), lost)


def _check_task(task: CvatTask, stream: VideoStream | PictureStream) -> None:
    meta: dict[str, Any] = {
        "size": stream.frames, "start_frame": 0, "stop_frame": stream.frames - 1,
        "width": stream.width, "height": stream.height,
    }  # fmt: skip
    for name, wanted in meta.items():
        given = task.meta.get(name)
        if given and given != str(wanted):
            raise BindingError(
                f"the CVAT task has {name} {given:.20}, the media {wanted}; export the task made from this file"
            )
    if task.meta.get("frame_filter"):
        raise UsageError("the CVAT task leaves out frames (frame_filter); export a task that has all frames")


def _interpolated(shape: CvatBox, after: CvatBox | None, frames: int) -> dict[int, Box]:
    """The box of each frame from one keyframe up to but not including the next, or to the end of the clip.

    Before a keyframe with `outside` versions of CVAT either hold the box or interpolate it, so both boxes are enclosed.
    """
    own = common.outward(*shape.corners)
    if after is None:
        return dict.fromkeys(range(shape.frame, frames), own)
    if after.outside and after.corners[0] >= after.corners[2]:
        return dict.fromkeys(range(shape.frame, after.frame), own)
    clock = Clock(0, frames, Fraction(1), range(frames), Fraction(0))
    keys = (Key(frame=shape.frame, box=own), Key(frame=after.frame, box=common.outward(*after.corners)))
    moving = dict(walk((Segment(end=after.frame + 1, keys=keys),), clock))
    del moving[after.frame]
    return {f: enclosing_box([own, box]) for f, box in moving.items()} if after.outside else moving


def _boxes(track: CvatTrack, frames: int) -> dict[int, Box]:
    """The box of each frame of a track, interpolated between its keyframes; raises `UsageError` for wrong frames."""
    shapes = sorted(track.boxes, key=lambda b: b.frame)
    for shape, after in pairwise([*shapes, None]):
        if shape is not None and (shape.frame >= frames or (after is not None and after.frame == shape.frame)):
            raise UsageError(
                f"track {track.number}: frame {shape.frame} occurs twice, or is not one of 0 to {frames - 1}"
            )
    keyframes = [s for n, s in enumerate(shapes) if s.key or s.outside or n == 0]
    boxes: dict[int, Box] = {}
    for shape, after in zip(keyframes, [*keyframes[1:], None], strict=True):
        if not shape.outside:
            boxes |= _interpolated(shape, after, frames)
    for shape in shapes:
        if not shape.key and not shape.outside:
            own = common.outward(*shape.corners)
            boxes[shape.frame] = enclosing_box([own, boxes.get(shape.frame, own)])
    return boxes


def read(raw: bytes, stream: VideoStream | PictureStream) -> Imported:
    """The tracks of a CVAT file; raises `UsageError` for another format, `BindingError` for a task of another clip."""
    task = parse(raw)
    _check_task(task, stream)
    imported = Imported(lost=list(task.lost), searched=frozenset({stream.index}))
    for track in task.tracks:
        label = common.known_label(track.label, None, imported.lost)
        try:
            boxes = _boxes(track, stream.frames)
        except ValueError as e:
            raise UsageError(f"track {track.number}: {e}") from None
        if boxes:
            imported.tracks.append({**common.item_fields(track.attributes, stream.index, label), "boxes": boxes})
    return imported
