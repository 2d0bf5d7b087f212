"""The item that `add` makes from its arguments: a track where a box is given, else a range of sound."""

from collections.abc import Sequence
from typing import Any

from veridact.errors import UsageError
from veridact.schema.geometry import Box
from veridact.schema.ids import next_id
from veridact.schema.manifest import AudioRange, AudioStream, Manifest, PictureStream, Track, VideoStream
from veridact.schema.timeline import Clocks, Span
from veridact.tools.edit.query import parse_box
from veridact.tools.edit.times import milliseconds, parse_span

_BY_HAND: dict[str, Any] = {"review": "added", "origin": {"by": "hand"}}


def _stream_of(manifest: Manifest, word: str | None, has_box: bool, location: str) -> int | None:
    """The stream of a new item: the one named, else the only one possible; None is every sound stream."""
    wanted = (VideoStream, PictureStream) if has_box else (AudioStream,)
    possible = [s.index for s in manifest.source.streams if isinstance(s, wanted)]
    listed = ", ".join(map(str, possible)) or "none"
    if word == "all" and not has_box:
        return None
    if word is not None:
        if not word.isdecimal() or int(word) not in possible:
            kind = "a picture" if has_box else "sound"
            raise UsageError(f"{location}: stream={word} is not a stream with {kind}; those are: {listed}")
        return int(word)
    if not has_box and possible:
        return None
    if len(possible) != 1:
        raise UsageError(f"{location}: name the stream as stream=N; possible are: {listed}")
    return possible[0]


def _track(head: dict[str, Any], stream: int, span: Span, boxes: list[Box], clocks: Clocks) -> Track:
    first, end = clocks[stream].span(span, inward=head["label"] == "keep")
    keys = [{"frame": first, "box": boxes[0]}]
    if len(boxes) == 2 and end - 1 > first:
        keys.append({"frame": end - 1, "box": boxes[1]})
    return Track.model_validate({**head, "stream": stream, **_BY_HAND, "segments": [{"end": end, "keys": keys}]})


def _range(head: dict[str, Any], stream: int | None, span: Span, manifest: Manifest) -> AudioRange:
    inward = head["label"] == "keep"
    start = 0 if span.start is None else milliseconds(span.start, up=inward)
    longest = max((s.duration_ms for s in manifest.source.streams if isinstance(s, AudioStream)), default=0)
    end = longest if span.end is None else milliseconds(span.end, up=not inward)
    if end <= start:
        raise UsageError("the range ends before it begins; write FROM-TO")
    return AudioRange.model_validate({**head, "stream": stream, **_BY_HAND, "start_ms": start, "end_ms": end})


def new_item(manifest: Manifest, arguments: Sequence[str], clocks: Clocks, location: str) -> Track | AudioRange:
    """A track or range under the next free id of its label, in state `added`.

    Raises `UsageError` for arguments that are not understood or leave the time or the stream open.
    """
    if not arguments:
        raise UsageError(f"{location}: write add LABEL RANGE X,Y,W,H, or for sound add LABEL RANGE")
    label, span, stream_word = arguments[0], None, None
    boxes: list[Box] = []
    for word in arguments[1:]:
        if (box := parse_box(word)) is not None and len(boxes) < 2:
            boxes.append(box)
        elif (parsed := parse_span(word)) is not None and span is None:
            span = parsed
        elif word.startswith("stream=") and stream_word is None:
            stream_word = word.removeprefix("stream=")
        else:
            raise UsageError(f"{location}: add does not understand {word!r}")
    head = {"id": next_id(manifest, label), "label": label}
    stream = _stream_of(manifest, stream_word, bool(boxes), location)
    if boxes and stream is not None:
        return _track(head, stream, span or Span(None, None), boxes, clocks)
    if span is None:
        raise UsageError(f"{location}: add needs a range, as 12.3s-14s, and for a picture a box, as 10,20,64,80")
    return _range(head, stream, span, manifest)
