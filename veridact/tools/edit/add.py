"""A new item from the words of `add`: a track where there is a box, a range of sound elsewhere."""

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


def _stream_of(manifest: Manifest, word: str | None, boxes: bool, place: str) -> int | None:
    """The stream that a new item is on: the one named, else the only one that can be meant."""
    wanted = (VideoStream, PictureStream) if boxes else (AudioStream,)
    able = [s.index for s in manifest.source.streams if isinstance(s, wanted)]
    if word == "all" and not boxes:
        return None
    if word is not None:
        if not word.isdecimal() or int(word) not in able:
            raise UsageError(f"{place}: stream={word} is none of {', '.join(map(str, able))}")
        return int(word)
    if not boxes and able:
        return None
    if len(able) != 1:
        listed = ", ".join(map(str, able)) or "none"
        raise UsageError(f"{place}: on which stream? give stream=N (there are: {listed})")
    return able[0]


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


def added(manifest: Manifest, words: Sequence[str], clocks: Clocks, place: str) -> Track | AudioRange:
    """The new item; raises `UsageError` for what cannot be understood."""
    if not words:
        raise UsageError(f"{place}: write add LABEL RANGE X,Y,W,H, or for sound add LABEL RANGE")
    label, span, stream_word = words[0], None, None
    boxes: list[Box] = []
    for word in words[1:]:
        if (box := parse_box(word)) is not None and len(boxes) < 2:
            boxes.append(box)
        elif (found := parse_span(word)) is not None and span is None:
            span = found
        elif word.startswith("stream=") and stream_word is None:
            stream_word = word.removeprefix("stream=")
        else:
            raise UsageError(f"{place}: add does not understand {word!r}")
    head = {"id": next_id(manifest, label), "label": label}
    stream = _stream_of(manifest, stream_word, bool(boxes), place)
    if boxes and stream is not None:
        return _track(head, stream, span or Span(None, None), boxes, clocks)
    if span is None:
        raise UsageError(f"{place}: when? give a range, as 12.3s-14s; and for a picture a box, as 10,20,64,80")
    return _range(head, stream, span, manifest)
