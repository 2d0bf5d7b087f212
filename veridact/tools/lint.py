"""The rules that find doubtful places in a manifest, and the review queue of what they find, greatest risk first.

A rule is a function from a `Subject` to findings; `RULES` is the table. The risk is 0 to 100: how likely it is that
somebody is visible or audible who should not be, and how badly. The rule that needs the media is in `lint_audio`.
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
"""A track of fewer frames is often a false detection."""
LOW_SCORE = 500
"""A proposed item below this score, of 1000, is often a false detection."""
WEAK_CELLS = 7
WEAK_PAD_PERMILLE = 100
WEAK_PAD_MS = 40
"""Effects with as many cells, or less padding in thousandths or milliseconds, may leave something to recognise."""
NOT_UNDERSTOOD = re.compile("stream_([0-9]{1,4})_not_understood_permille")
"""The setting in which a recogniser records how much of the speech in a stream has no word it was sure of."""
NOT_UNDERSTOOD_RISK = 40
JUMP_DIVISOR = 2
"""A box jumps when its centre moves more than its longer side / JUMP_DIVISOR from one frame to the next."""


@dataclass(frozen=True)
class Finding:
    """One entry of the queue; `start` and `end` are half-open frames, milliseconds on a sound stream."""

    rule: str
    risk: int
    words: str
    item: str | None = None
    stream: int | None = None
    start: int | None = None
    end: int | None = None

    def document(self) -> dict[str, Any]:
        """The fields that are known, as `veridact lint --json` prints them."""
        return {k: v for k, v in asdict(self).items() if v is not None}


@dataclass(frozen=True)
class Subject:
    """A manifest that has passed the schema but maybe not the rules, and the clocks of its streams."""

    manifest: Manifest
    clocks: Clocks

    def tracks(self) -> Iterator[tuple[Track, VideoStream | PictureStream, Clock]]:
        """The tracks that are not rejected, with stream and clock; one whose stream does not exist is left out."""
        streams = self.manifest.source.streams
        for track in self.manifest.tracks:
            stream = streams[track.stream] if track.stream < len(streams) else None
            if track.review != "rejected" and isinstance(stream, VideoStream | PictureStream):
                yield track, stream, self.clocks[track.stream]

    def ranges(self) -> Iterator[AudioRange]:
        """The ranges of sound that are not rejected."""
        return (r for r in self.manifest.audio if r.review != "rejected")


Findings = Iterator[Finding]


def _broken_rules(subject: Subject) -> Findings:
    for fault in rules.faults(subject.manifest):
        yield Finding("invalid", 100, f"{fault.path}: {fault.reason}; render refuses this manifest")


def _uncovered(subject: Subject) -> Findings:
    m = subject.manifest
    if m.scope == "listed" and not any(counts(i) for i in m.tracks) and not any(counts(i) for i in m.audio):
        yield Finding(
            "uncovered", 98, "nothing is covered; render refuses this manifest unless --allow-uncovered is given"
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
    for track, _, clock in subject.tracks():
        for before, after in pairwise(track.segments):
            start, end = before.end, after.keys[0].frame
            if 0 < end - start < clock.second_in_frames() and track.label != "keep":
                words = f"{track.id}: uncovered for less than a second ({span_words(clock, start, end)})"
                yield Finding("gap", 85, words, track.id, track.stream, start, end)


def _centre_moves(a: Box, b: Box) -> tuple[int, int]:
    """Twice the distance that the centre moves along the axis where it moves more, and the longest side, in pixels."""
    move = max(abs(2 * b[0] + b[2] - 2 * a[0] - a[2]), abs(2 * b[1] + b[3] - 2 * a[1] - a[3]))
    return move, max(*a[2:], *b[2:])


def _jumps(subject: Subject) -> Findings:
    for track, _, clock in subject.tracks():
        keys = [k for s in track.segments for k in s.keys]
        for a, b in pairwise(keys):
            move, side = _centre_moves(a.box, b.box)
            if move * JUMP_DIVISOR > 2 * side * (b.frame - a.frame):
                words = f"{track.id}: the box jumps ({span_words(clock, a.frame, b.frame + 1)})"
                yield Finding("jump", 75, words, track.id, track.stream, a.frame, b.frame + 1)


def _vanishing(subject: Subject) -> Findings:
    """An object leaves the picture over an edge; a track that ends elsewhere was probably lost by the tracker."""
    for track, stream, clock in subject.tracks():
        segment = track.segments[-1]
        e = edges(segment.keys[-1].box)
        margin_x, margin_y = e.width // 2, e.height // 2
        at_edge = e.left < margin_x or e.top < margin_y
        at_edge |= e.right > stream.width - margin_x or e.bottom > stream.height - margin_y
        if segment.end < stream.frames and not at_edge and track.label != "keep":
            words = f"{track.id}: ends in the middle of the picture ({span_words(clock, segment.end - 1, segment.end)})"
            yield Finding("vanishes", 65, words, track.id, track.stream, segment.end - 1, segment.end)


def _short(subject: Subject) -> Findings:
    for track, stream, clock in subject.tracks():
        frames = sum(s.end - s.keys[0].frame for s in track.segments)
        if frames < SHORT_FRAMES and stream.frames > SHORT_FRAMES:
            first, end = first_frame(track), track.segments[-1].end
            count = "one frame" if frames == 1 else f"{frames} frames"
            words = f"{track.id}: only {count} long ({span_words(clock, first, end)})"
            yield Finding("short", 55, words, track.id, track.stream, first, end)


def _edges(subject: Subject) -> Findings:
    for track, stream, clock in subject.tracks():
        for segment in track.segments:
            for key in segment.keys:
                e = edges(key.box)
                if e.right <= 0 or e.bottom <= 0 or e.left >= stream.width or e.top >= stream.height:
                    words, risk = "lies wholly outside the picture", 35
                elif e.left < 0 or e.top < 0 or e.right > stream.width or e.bottom > stream.height:
                    words, risk = "is cut by the edge of the picture", 30
                else:
                    continue
                when = span_words(clock, key.frame, key.frame + 1)
                yield Finding("edge", risk, f"{track.id}: the box {words} ({when})", track.id, track.stream,
                              key.frame, key.frame + 1)  # fmt: skip
                break


def _extent(item: Track | AudioRange) -> tuple[int, int]:
    """From where to where an item lasts: half-open milliseconds of a range, half-open frames of a track."""
    if isinstance(item, AudioRange):
        return item.start_ms, item.end_ms
    return first_frame(item), item.segments[-1].end


def _not_rejected(subject: Subject) -> Iterator[Track | AudioRange]:
    yield from (t for t, _, _ in subject.tracks())
    yield from subject.ranges()


def _low_scores(subject: Subject) -> Findings:
    for item in _not_rejected(subject):
        score = item.origin.score
        if item.review == "proposed" and score is not None and score < LOW_SCORE:
            words = f"{item.id}: detected with a low score of {score}; it may be a false detection"
            yield Finding("low-score", 45, words, item.id, item.stream, *_extent(item))


def _proposed(subject: Subject) -> Findings:
    for item in _not_rejected(subject):
        if item.review == "proposed":
            keep = item.label == "keep"
            words = f"{item.id}: still proposed" + ("; a keep counts only when it is accepted" if keep else "")
            yield Finding("proposed", 40, words, item.id, item.stream, *_extent(item))


def _weakness(effect: Any) -> str | None:
    """What about an effect may leave something to recognise; None for a strong one."""
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
    for item in _not_rejected(subject):
        effect = effect_of(item, subject.manifest)
        weakness = _weakness(effect) if effect is not None else None
        if weakness:
            words = f"{item.id}: {weakness} may leave something to recognise"
            yield Finding("weak-effect", 50, words, item.id, item.stream, *_extent(item))


def _after_end_of_sound(subject: Subject) -> Findings:
    lengths = [s.duration_ms for s in subject.manifest.source.streams if isinstance(s, AudioStream)]
    for item in subject.ranges():
        if lengths and item.start_ms >= max(lengths):
            words = f"{item.id}: begins after the end of the sound ({clock_text(seconds(item.start_ms))})"
            yield Finding("outside", 60, words, item.id, item.stream, item.start_ms, item.end_ms)


def _not_understood(subject: Subject) -> Findings:
    """The share of speech not understood that `locate` recorded, for streams whose speech is not covered entirely."""
    covered = {item.stream for item in subject.ranges() if item.label == "speech"}
    for producer in subject.manifest.producers:
        for name, share in producer.settings.items():
            recorded = NOT_UNDERSTOOD.fullmatch(name)
            if recorded and type(share) is int and share > 0 and not covered & {None, int(recorded[1])}:
                words = f"stream {recorded[1]}: {-(-share // 10)} % of the speech was not understood; listen to it"
                risk = min(90, NOT_UNDERSTOOD_RISK + share // 20)
                yield Finding("not-understood", risk, words, stream=int(recorded[1]))


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
    _after_end_of_sound,
    _not_understood,
)


def inspect(subject: Subject, more: Sequence[Finding] = ()) -> list[Finding]:
    """Every finding, by falling risk, then by rule, stream and time; `more` are the findings of `lint_audio`."""
    findings = [f for rule in RULES for f in rule(subject)] + list(more)
    return sorted(findings, key=lambda f: (-f.risk, f.rule, f.stream or 0, f.start or 0, f.item or ""))


def report(findings: Sequence[Finding]) -> str:
    """The queue as text, one finding a line."""
    if not findings:
        return "no findings\n"
    return "".join(f"{f.risk:3} {f.rule}: {f.words}\n" for f in findings)
