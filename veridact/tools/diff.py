"""What changes for a viewer and a listener from one manifest to another, in words.

Pictures are compared pixel by pixel on every frame of the tracks that differ (`plan.visibility`), sound sample by
sample (`plan.audibility`). Padding, shapes, overlaps, rejected items and `keep` all count; ids and order do not. A
weaker cover over the same pixels counts as revealing too: it lets detail through that was hidden.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, Literal

from veridact.errors import BindingError
from veridact.schema.manifest import AudioRange, AudioStream, Manifest, PictureStream, Track, VideoStream
from veridact.schema.plan import audibility, visibility
from veridact.schema.plan.dispositions import rendered_indexes
from veridact.schema.plan.effects import counted_tracks, counts, effect_of
from veridact.schema.plan.video import StreamPlan
from veridact.schema.plan.visibility import VISIBLE
from veridact.schema.timeline import Clock, Clocks, from_manifest
from veridact.tools.edit.times import clock_text

Kind = Literal["visible", "weaker", "audible", "covered", "silenced", "record"]
REVEALING: tuple[Kind, ...] = ("visible", "weaker", "audible")


@dataclass(frozen=True)
class Change:
    """One difference; `start` and `end` are half-open frames, milliseconds for sound, None for the whole stream."""

    kind: Kind
    words: str
    stream: int | None = None
    item: str | None = None
    start: int | None = None
    end: int | None = None
    pixels: int | None = None

    def document(self) -> dict[str, Any]:
        """The change as JSON values, without the fields that are None."""
        return {k: v for k, v in asdict(self).items() if v is not None}


def _streams(a: Manifest, b: Manifest) -> Iterator[Change]:
    before, after = set(rendered_indexes(a)), set(rendered_indexes(b))
    for stream in a.source.streams:
        kinds: tuple[Kind, Kind] = ("audible", "silenced") if stream.type == "audio" else ("visible", "covered")
        if stream.index in after - before:
            yield Change(
                kinds[0], f"stream {stream.index} ({stream.type}) was dropped and is now in the output", stream.index
            )
        elif stream.index in before - after:
            yield Change(kinds[1], f"stream {stream.index} ({stream.type}) is now dropped", stream.index)


def _scope(a: Manifest, b: Manifest) -> Iterator[Change]:
    if a.scope != b.scope:
        if b.scope == "listed":
            yield Change("visible", "everything outside the listed items was hidden and is now visible and audible")
        else:
            yield Change("covered", "everything outside reviewed keeps is now hidden and silent")
    elif a.scope == "everything" and visibility.level_without_tracks(b) > visibility.level_without_tracks(a):
        yield Change("weaker", "the effect over everything is weaker than it was")


def _changed_tracks(a: Manifest, b: Manifest, stream: int) -> tuple[set[int], set[int]]:
    """The numbers of the tracks in either manifest that count on a stream and that the other does not have just so."""
    sides = [[(number, (t.segments, effect)) for number, t, effect in counted_tracks(m, stream)] for m in (a, b)]
    found: list[set[int]] = []
    for own, other in (sides, sides[::-1]):
        left = Counter(signature for _, signature in other)
        changed = set()
        for number, signature in own:
            if left[signature]:
                left[signature] -= 1
            else:
                changed.add(number)
        found.append(changed)
    return found[0], found[1]


def _runs(found: dict[int, int]) -> Iterator[tuple[int, int, int]]:
    """Unbroken runs of frames as (first, end, most pixels on one of them)."""
    for _, run in groupby(enumerate(sorted(found)), key=lambda pair: pair[1] - pair[0]):
        frames = [frame for _, frame in run]
        yield frames[0], frames[-1] + 1, max(found[f] for f in frames)


_PIXEL_KINDS: tuple[Kind, ...] = ("visible", "weaker", "covered")
PixelCounts = dict[tuple[str, Kind], dict[int, int]]
"""How many pixels change within the area of a track, by its id, the kind of change, and the frame."""


def _count_pixels(a: Manifest, b: Manifest, stream: VideoStream | PictureStream, clock: Clock) -> PixelCounts:
    """The pixels that change on every frame of the tracks that differ, each counted within the area of such a track."""
    changed = _changed_tracks(a, b, stream.index)
    plans = [StreamPlan.displayed(m, stream, clock) for m in (a, b)]
    tracks = [t for m, numbers in zip((a, b), changed, strict=True) for n, t in enumerate(m.tracks) if n in numbers]
    frames = {f for t in tracks for s in t.segments for f in range(s.keys[0].frame, s.end)}
    found: PixelCounts = {(t.id, kind): {} for t in tracks for kind in _PIXEL_KINDS}
    for frame in sorted(frames):
        before, after = (plan.at(frame) for plan in plans)
        for manifest, side, numbers in zip((a, b), (before, after), changed, strict=True):
            for number, area in side.areas():
                if number in numbers:
                    was, now = visibility.levels(before, area), visibility.levels(after, area)
                    for kind, count in zip(_PIXEL_KINDS, _pixel_changes(was, now), strict=True):
                        counted = found[manifest.tracks[number].id, kind]
                        if count:
                            counted[frame] = max(count, counted.get(frame, 0))
    return found


def _pixel_changes(was: visibility.Levels, now: visibility.Levels) -> tuple[int, int, int]:
    """How many pixels are newly visible, covered more weakly, and covered newly or more strongly."""
    visible = (now == VISIBLE) & (was < VISIBLE)
    weaker = (now < VISIBLE) & (now > was)
    return int(visible.sum()), int(weaker.sum()), int((now < was).sum())


def _picture(a: Manifest, b: Manifest, stream: VideoStream | PictureStream, clock: Clock) -> Iterator[Change]:
    labels = {t.id: t.label for m in (a, b) for t in m.tracks}
    for (item, kind), counted in _count_pixels(a, b, stream, clock).items():
        for first, end, most in _runs(counted):
            words = _picture_words(kind, item, labels[item], stream, clock, first, end, most)
            yield Change(kind, words, stream.index, item, first, end, most)


_WORDS = {
    "visible": "is newly visible",
    "weaker": "is covered more weakly",
    "covered": "is newly covered, or more strongly",
    "audible": "is newly audible",
    "silenced": "is newly silenced",
}


def span_words(clock: Clock, first: int, end: int) -> str:
    """Frames for a reader: `frames 130 to 169, 00:00:05.200 to 00:00:06.800`."""
    frames = f"frame {first}" if end == first + 1 else f"frames {first} to {end - 1}"
    start_seconds, end_seconds = clock.seconds_of(first), clock.seconds_of(end)
    if start_seconds is None or end_seconds is None:
        return frames
    return f"{frames}, {clock_text(start_seconds)} to {clock_text(end_seconds)}"


def _picture_words(
    kind: Kind,
    item: str,
    label: str,
    stream: VideoStream | PictureStream,
    clock: Clock,
    first: int,
    end: int,
    most: int,
) -> str:
    when = "" if stream.frames == 1 else f" ({span_words(clock, first, end)})"
    return f"{item}: {label} in stream {stream.index} {_WORDS[kind]}{when}, up to {most} px"


def _sound(a: Manifest, b: Manifest, stream: AudioStream) -> Iterator[Change]:
    was, now = audibility.hidden(a, stream), audibility.hidden(b, stream)
    pairs: tuple[tuple[Kind, audibility.Spans], ...] = (
        ("audible", audibility.without(was, now)),
        ("silenced", audibility.without(now, was)),
    )
    for kind, spans in pairs:
        for span in spans:
            start, end = audibility.rounded_ms(span, stream.sample_rate)
            until = "the end" if end is None else clock_text(audibility.seconds(end))
            when = f"{clock_text(audibility.seconds(start))} to {until}"
            yield Change(
                kind, f"sound of stream {stream.index} {_WORDS[kind]} ({when})", stream.index, None, start, end
            )


def items_by_id(manifest: Manifest) -> dict[str, Track | AudioRange]:
    """Every track and range, in the manifest's order."""
    return {**{t.id: t for t in manifest.tracks}, **{r.id: r for r in manifest.audio}}


def _described(item: Track | AudioRange, manifest: Manifest) -> dict[str, Any]:
    extent = item.segments if isinstance(item, Track) else (item.start_ms, item.end_ms)
    return {
        "label": item.label,
        "review": item.review,
        "reviewer": item.reviewer,
        "reason": item.reason,
        "note": item.note,
        "effect": effect_of(item, manifest),
        "where and when": extent,
    }


def _whole(a: Manifest, b: Manifest) -> Iterator[Change]:
    """The changes that are not of one item."""
    for name in ("container", "profile", "quality"):
        was, now = getattr(a.output, name), getattr(b.output, name)
        if was != now:
            yield Change("record", f"output {_one_change(name, was, now)}")
    for name in ("effects", "producers", "ext"):
        if getattr(a, name) != getattr(b, name):
            yield Change("record", f"{name} changed")


def _record(a: Manifest, b: Manifest) -> Iterator[Change]:
    before, after = items_by_id(a), items_by_id(b)
    for item_id in dict.fromkeys((*before, *after)):
        old, new = before.get(item_id), after.get(item_id)
        if old is None and new is not None:
            yield Change("record", f"{item_id}: new, {new.review}", new.stream, item_id)
        elif new is None and old is not None:
            kept = "" if not counts(old) else "; reject it instead, so that the record stays"
            yield Change("record", f"{item_id}: gone from the manifest{kept}", old.stream, item_id)
        elif old is not None and new is not None and old != new:
            was, now = _described(old, a), _described(new, b)
            parts = [_one_change(name, was[name], now[name]) for name in was if was[name] != now[name]]
            if parts:
                yield Change("record", f"{item_id}: {', '.join(parts)}", new.stream, item_id)


def _one_change(name: str, was: Any, now: Any) -> str:
    if name in {"effect", "where and when", "note"}:
        return f"{name} changed"
    return f"{name} {was or 'none'} → {now or 'none'}"


def compare(a: Manifest, b: Manifest, clocks: Clocks | None = None) -> list[Change]:
    """Everything that differs, what is revealed first; raises `BindingError` when the two are for different files."""
    if a.source.sha256 != b.source.sha256:
        raise BindingError("the two manifests are for different files; compare manifests of one and the same")
    known = from_manifest(a) if clocks is None else clocks
    both = set(rendered_indexes(a)) & set(rendered_indexes(b))
    found: list[Change] = [*_streams(a, b), *_scope(a, b)]
    for stream in a.source.streams:
        if stream.index in both and isinstance(stream, VideoStream | PictureStream):
            found += _picture(a, b, stream, known[stream.index])
        elif stream.index in both and isinstance(stream, AudioStream):
            found += _sound(a, b, stream)
    found += [*_whole(a, b), *_record(a, b)]
    return sorted(found, key=lambda c: (*_ORDER[c.kind], c.stream or 0, c.start or 0))


_ORDER: dict[str, tuple[int]] = {k: (n,) for n, k in enumerate((*REVEALING, "covered", "silenced", "record"))}


def reveals(changes: Iterable[Change]) -> bool:
    """Whether anything is newly visible, audible or less strongly covered."""
    return any(c.kind in REVEALING for c in changes)


def report(changes: Sequence[Change]) -> str:
    """The changes in words, one a line."""
    if not changes:
        return "nothing changes for a viewer or a listener, and nothing in the record\n"
    lines = [f"{'! ' if c.kind in REVEALING else '  '}{c.words}" for c in changes]
    if not any(c.kind != "record" for c in changes):
        lines.append("  nothing changes for a viewer or a listener")
    return "\n".join(lines) + "\n"
