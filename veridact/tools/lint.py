"""What in a manifest deserves a look, as a queue with the greatest risk first.

A rule is a function from the subject to findings; `RULES` is the table. The risk is 0 to 100: how likely it is that
somebody is visible who should not be, and how badly. Rules that need the footage are in `lint_sound`.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from veridact.schema import rules
from veridact.schema.geometry import Box, edges
from veridact.schema.manifest import (
    AudioEffect,
    AudioRange,
    AudioStream,
    Manifest,
    OtherStream,
    PictureStream,
    Solid,
    Track,
    VideoStream,
)
from veridact.schema.plan.audibility import seconds
from veridact.schema.plan.dispositions import rendered_indexes
from veridact.schema.plan.effects import counts, effect_of
from veridact.schema.plan.segments import first_frame
from veridact.schema.timeline import Clock, Clocks
from veridact.tools.diff import span_words
from veridact.tools.edit.times import clock_text

SHORT_FRAMES = 5
LOW_SCORE = 500
WEAK_CELLS = 7
WEAK_PAD_PERMILLE = 100
WEAK_PAD_MS = 40
NOT_UNDERSTOOD = re.compile("stream_([0-9]{1,4})_not_understood_permille")
"""The setting in which a recogniser notes how much of the speech in a stream has no word that it was sure of."""
NOT_UNDERSTOOD_RISK = 40
JUMP = 2
"""A box jumps when its centre moves more than its longer side / JUMP from one frame to the next."""


@dataclass(frozen=True)
class Finding:
    """One thing to look at; `start` and `end` are half-open frames, for sound milliseconds."""

    rule: str
    risk: int
    words: str
    item: str | None = None
    stream: int | None = None
    start: int | None = None
    end: int | None = None

    def document(self) -> dict[str, Any]:
        return {k: v for k, v in asdict(self).items() if v is not None}


@dataclass(frozen=True)
class Subject:
    """A manifest that has passed its schema, and its clocks."""

    manifest: Manifest
    clocks: Clocks

    def pictures(self) -> Iterator[tuple[Track, VideoStream | PictureStream, Clock]]:
        """The tracks that are not rejected and whose stream is there, with stream and clock."""
        streams = self.manifest.source.streams
        for track in self.manifest.tracks:
            stream = streams[track.stream] if track.stream < len(streams) else None
            if track.review != "rejected" and isinstance(stream, VideoStream | PictureStream):
                yield track, stream, self.clocks[track.stream]

    def sounds(self) -> Iterator[AudioRange]:
        return (r for r in self.manifest.audio if r.review != "rejected")


Findings = Iterator[Finding]


def _broken_rules(subject: Subject) -> Findings:
    for fault in rules.faults(subject.manifest):
        yield Finding("invalid", 100, f"{fault.path}: {fault.reason}; render refuses this manifest")


def _uncovered(subject: Subject) -> Findings:
    m = subject.manifest
    if m.scope == "listed" and not any(counts(i) for i in m.tracks) and not any(counts(i) for i in m.audio):
        yield Finding(
            "uncovered", 98, "nothing at all is covered; render refuses this unless --allow-uncovered is given"
        )


def _unsearched(subject: Subject) -> Findings:
    rendered = rendered_indexes(subject.manifest)
    for stream in subject.manifest.source.streams:
        if not isinstance(stream, OtherStream) and stream.searched is False:
            kept = stream.index in rendered
            words = "is kept as it is" if kept else "is dropped"
            risk = 90 if kept else 15
            yield Finding("unsearched", risk, f"stream {stream.index} ({stream.type}) was not searched and {words}",
                          stream=stream.index)  # fmt: skip


def _gaps(subject: Subject) -> Findings:
    for track, _, clock in subject.pictures():
        for before, after in pairwise(track.segments):
            start, end = before.end, after.keys[0].frame
            if 0 < end - start < clock.second_in_frames() and track.label != "keep":
                words = f"{track.id}: uncovered for less than a second ({span_words(clock, start, end)})"
                yield Finding("gap", 85, words, track.id, track.stream, start, end)


def _centre_moves(a: Box, b: Box) -> tuple[int, int]:
    """How far the doubled centre moves, and the longer side of both boxes, in pixels."""
    move = max(abs(2 * b[0] + b[2] - 2 * a[0] - a[2]), abs(2 * b[1] + b[3] - 2 * a[1] - a[3]))
    return move, max(*a[2:], *b[2:])


def _jumps(subject: Subject) -> Findings:
    for track, _, clock in subject.pictures():
        keys = [k for s in track.segments for k in s.keys]
        for a, b in pairwise(keys):
            move, side = _centre_moves(a.box, b.box)
            if move * JUMP > 2 * side * (b.frame - a.frame):
                words = f"{track.id}: the box jumps ({span_words(clock, a.frame, b.frame + 1)})"
                yield Finding("jump", 75, words, track.id, track.stream, a.frame, b.frame + 1)


def _vanishing(subject: Subject) -> Findings:
    """A thing that leaves does so over the edge; one that is lost in the middle is likely still there."""
    for track, stream, clock in subject.pictures():
        segment = track.segments[-1]
        e = edges(segment.keys[-1].box)
        margin_x, margin_y = e.width // 2, e.height // 2
        at_edge = e.left < margin_x or e.top < margin_y
        at_edge |= e.right > stream.width - margin_x or e.bottom > stream.height - margin_y
        if segment.end < stream.frames and not at_edge and track.label != "keep":
            words = f"{track.id}: ends in the middle of the picture ({span_words(clock, segment.end - 1, segment.end)})"
            yield Finding("vanishes", 65, words, track.id, track.stream, segment.end - 1, segment.end)


def _short(subject: Subject) -> Findings:
    for track, stream, clock in subject.pictures():
        frames = sum(s.end - s.keys[0].frame for s in track.segments)
        if frames < SHORT_FRAMES and stream.frames > SHORT_FRAMES:
            first, end = first_frame(track), track.segments[-1].end
            count = "one frame" if frames == 1 else f"{frames} frames"
            words = f"{track.id}: only {count} long ({span_words(clock, first, end)})"
            yield Finding("short", 55, words, track.id, track.stream, first, end)


def _edges(subject: Subject) -> Findings:
    for track, stream, clock in subject.pictures():
        for segment in track.segments:
            for key in segment.keys:
                e = edges(key.box)
                if e.right <= 0 or e.bottom <= 0 or e.left >= stream.width or e.top >= stream.height:
                    words, risk = "lies wholly off the picture", 35
                elif e.left < 0 or e.top < 0 or e.right > stream.width or e.bottom > stream.height:
                    words, risk = "is cut by the edge of the picture", 30
                else:
                    continue
                when = span_words(clock, key.frame, key.frame + 1)
                yield Finding("edge", risk, f"{track.id}: the box {words} ({when})", track.id, track.stream,
                              key.frame, key.frame + 1)  # fmt: skip
                break


def _when(item: Track | AudioRange) -> tuple[int, int]:
    if isinstance(item, AudioRange):
        return item.start_ms, item.end_ms
    return first_frame(item), item.segments[-1].end


def _live(subject: Subject) -> Iterator[Track | AudioRange]:
    yield from (t for t, _, _ in subject.pictures())
    yield from subject.sounds()


def _low_scores(subject: Subject) -> Findings:
    for item in _live(subject):
        score = item.origin.score
        if item.review == "proposed" and score is not None and score < LOW_SCORE:
            words = f"{item.id}: found with a low score of {score}; it may be something else"
            yield Finding("low-score", 45, words, item.id, item.stream, *_when(item))


def _proposed(subject: Subject) -> Findings:
    for item in _live(subject):
        if item.review == "proposed":
            keep = item.label == "keep"
            words = f"{item.id}: still proposed" + ("; a keep counts only when it is accepted" if keep else "")
            yield Finding("proposed", 40, words, item.id, item.stream, *_when(item))


def _weakness(effect: Any) -> str | None:
    if isinstance(effect, AudioEffect):
        return f"a padding of {effect.pad_ms} ms" if effect.pad_ms < WEAK_PAD_MS else None
    if not isinstance(effect, Solid) and effect.effect == "blur":
        return "a blur"
    if not isinstance(effect, Solid) and effect.cells >= WEAK_CELLS:
        return f"a mosaic of {effect.cells} cells"
    if effect.pad_permille < WEAK_PAD_PERMILLE:
        return f"a padding of {effect.pad_permille} thousandths"
    return None


def _weak_effects(subject: Subject) -> Findings:
    for item in _live(subject):
        effect = effect_of(item, subject.manifest)
        weakness = _weakness(effect) if effect is not None else None
        if weakness:
            words = f"{item.id}: {weakness} may leave something to recognise"
            yield Finding("weak-effect", 50, words, item.id, item.stream, *_when(item))


def _sound_without_end(subject: Subject) -> Findings:
    lengths = [s.duration_ms for s in subject.manifest.source.streams if isinstance(s, AudioStream)]
    for item in subject.sounds():
        if lengths and item.start_ms >= max(lengths):
            words = f"{item.id}: begins after the end of the sound ({clock_text(seconds(item.start_ms))})"
            yield Finding("outside", 60, words, item.id, item.stream, item.start_ms, item.end_ms)


def _not_understood(subject: Subject) -> Findings:
    """What `locate` noted of each stream of sound, unless all of its speech is covered."""
    covered = {item.stream for item in subject.sounds() if item.label == "speech"}
    for producer in subject.manifest.producers:
        for name, share in producer.settings.items():
            noted = NOT_UNDERSTOOD.fullmatch(name)
            if noted and type(share) is int and share > 0 and not covered & {None, int(noted[1])}:
                words = f"stream {noted[1]}: {-(-share // 10)} % of the speech was not understood; listen to it"
                risk = min(90, NOT_UNDERSTOOD_RISK + share // 20)
                yield Finding("not-understood", risk, words, stream=int(noted[1]))


RULES: tuple[Callable[[Subject], Findings], ...] = (
    _broken_rules,
    _uncovered,
    _unsearched,
    _gaps,
    _jumps,
    _vanishing,
    _short,
    _edges,
    _low_scores,
    _proposed,
    _weak_effects,
    _sound_without_end,
    _not_understood,
)


def inspect(subject: Subject, more: Sequence[Finding] = ()) -> list[Finding]:
    """Every finding, the greatest risk first, then by stream and time; `more` comes from the footage."""
    found = [f for rule in RULES for f in rule(subject)] + list(more)
    return sorted(found, key=lambda f: (-f.risk, f.rule, f.stream or 0, f.start or 0, f.item or ""))


def report(findings: Sequence[Finding]) -> str:
    """The queue in words, one finding a line."""
    if not findings:
        return "nothing to look at\n"
    return "".join(f"{f.risk:3} {f.rule}: {f.words}\n" for f in findings)
