"""Which samples of an audio stream are covered: the one answer of render, receipt, verify, diff and lint.

Sample 0 is the presentation time 0 ms of the manifest (SPEC §1.1.5), so samples before it are priming. Spans are
half-open, sorted and disjoint: a cover grows outward to whole samples, a `keep` shrinks inward. Opens no file.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from veridact.errors import MediaError
from veridact.schema.manifest import Manifest
from veridact.schema.plan.effects import counted_ranges
from veridact.schema.timeline import inner_sample_range, sample_range

Effect = Literal["silence", "beep"]
FAR = 1 << 60
"""A sample beyond any sound: in scope `everything` all is covered from -`FAR` to `FAR`."""


@dataclass(frozen=True)
class Range:
    """A range of the manifest with its effect, None for a `keep`: half-open milliseconds, not yet padded."""

    start_ms: int
    end_ms: int
    effect: Effect | None
    pad_ms: int

    def samples(self, rate_hz: int) -> tuple[int, int]:
        """The half-open samples that the range covers with its padding, or keeps: empty where it keeps none whole."""
        if self.effect is None:
            return inner_sample_range(self.start_ms, self.end_ms, rate_hz)
        return sample_range(self.start_ms - self.pad_ms, self.end_ms + self.pad_ms, rate_hz)


@dataclass(frozen=True)
class SoundPlan:
    """All that decides the covered samples of one stream; `keeps` are half-open milliseconds, for `everything` only."""

    ranges: tuple[Range, ...]
    keeps: tuple[tuple[int, int], ...] = ()
    scope: Literal["listed", "everything"] = "listed"

    @property
    def covers_nothing(self) -> bool:
        """Whether the stream stays as it is."""
        return self.scope == "listed" and not self.ranges


@dataclass(frozen=True)
class Span:
    """Covered samples `start` to `end`, half-open."""

    start: int
    end: int
    effect: Effect


def covered_samples(plan: SoundPlan, rate_hz: int) -> tuple[Span, ...]:
    """The covered spans of a stream at `rate_hz`; silence wins over beep, and any range over a `keep`.

    In scope `everything` the first span begins at -`FAR` and the last ends at `FAR`.
    """
    keeps = (Range(start_ms, end_ms, None, 0) for start_ms, end_ms in plan.keeps)
    events: list[tuple[int, str, int]] = []
    for item in (*plan.ranges, *keeps):
        start, end = item.samples(rate_hz)
        if start < end:
            kind = item.effect or "keep"
            events += [(start, kind, 1), (end, kind, -1)]
    if plan.scope == "everything":
        events += [(-FAR, "all", 1), (FAR, "all", -1)]
    return _sweep(sorted(events))


def _sweep(events: Sequence[tuple[int, str, int]]) -> tuple[Span, ...]:
    """The covered spans between sorted events `(sample, kind, step)`, where `step` is 1 at a start and -1 at an end."""
    depth = {"silence": 0, "beep": 0, "all": 0, "keep": 0}
    spans: list[Span] = []
    before = 0
    for at, kind, step in events:
        silent = depth["silence"] or (depth["all"] and not depth["keep"])
        effect: Effect | None = "silence" if silent else "beep" if depth["beep"] else None
        if effect is not None and at > before:
            if spans and spans[-1].end == before and spans[-1].effect == effect:
                spans[-1] = Span(spans[-1].start, at, effect)
            else:
                spans.append(Span(before, at, effect))
        depth[kind] += step
        before = at
    return tuple(spans)


class Covers:
    """The covered spans of one stream by position; `slack` samples are added on both sides of every range asked for."""

    def __init__(self, spans: Sequence[Span], slack: int = 0) -> None:
        self._spans = spans
        self._starts = [s.start for s in spans]
        self._slack = slack

    def touching(self, start: int, end: int) -> tuple[Span, ...]:
        """The spans that share a sample with `start` to `end` (half-open), in order, clipped to it."""
        start, end = start - self._slack, end + self._slack
        first = max(0, bisect_right(self._starts, start) - 1)
        found = []
        for span in self._spans[first:]:
            if span.start >= end:
                break
            if span.end > start:
                found.append(Span(max(span.start, start), min(span.end, end), span.effect))
        return tuple(found)

    def count(self, start: int, end: int) -> int:
        """How many samples of `start` to `end` (half-open) the spans cover, without the slack."""
        return sum(max(0, min(s.end, end) - max(s.start, start)) for s in self.touching(start, end))

    def painted(self, start: int, end: int) -> tuple[Span, ...]:
        """The spans within `start` to `end` (half-open), each grown by the slack, silence last so that it wins."""
        grown = [
            Span(max(start, s.start - self._slack), min(end, s.end + self._slack), s.effect)
            for s in self.touching(start, end)
        ]
        return tuple(sorted((s for s in grown if s.start < s.end), key=lambda s: s.effect))


class Overlap:
    """How far the sound runs ahead of its timestamps: samples with the same timestamp cannot be covered by time."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._lead = 0

    def check(self, expected: int, at: int) -> None:
        """Adds the difference between the expected position of a sample and that of its timestamp, both in samples.

        Raises `MediaError` when the sound is more than 100 ms and a thousandth of its length ahead.
        """
        self._lead = max(0, self._lead + expected - at)
        if self._lead > self._rate_hz // 10 + abs(at) // 1000:
            raise MediaError(
                "the sound's timestamps disagree with its length; repair it first: "
                "ffmpeg -i IN -c:v copy -c:a flac -af aresample=async=1 OUT.mkv"
            )


def sample_position(pts: int, time_base: Fraction, origin: Fraction, rate_hz: int) -> Fraction:
    """The position of a timestamp in samples, of which sample 0 is at `origin` seconds."""
    return (pts * time_base - origin) * rate_hz


def position_slack(time_base: Fraction, origin: Fraction, rate_hz: int) -> int:
    """By how many samples a timestamp may be off: 0 where every tick is a whole sample, else one tick, rounded up."""
    if (time_base * rate_hz).denominator == 1 and (origin * rate_hz).denominator == 1 and time_base * rate_hz <= 1:
        return 0
    return max(1, -int(-time_base * rate_hz // 1))


def _ranges(manifest: Manifest, index: int) -> Iterator[tuple[int, Range]]:
    """The ranges and keeps that count in one audio stream, each with its number in the manifest."""
    for number, item, effect in counted_ranges(manifest, index):
        kind, pad_ms = (effect.effect, effect.pad_ms) if effect is not None else (None, 0)
        yield number, Range(item.start_ms, item.end_ms, kind, pad_ms)


def sound_plan(manifest: Manifest, index: int) -> SoundPlan:
    """What is covered in one audio stream; in scope `everything` all of it is silent but what is kept."""
    found = [item for _, item in _ranges(manifest, index)]
    covers = tuple(item for item in found if item.effect is not None)
    keeps = tuple((item.start_ms, item.end_ms) for item in found if item.effect is None)
    return SoundPlan(covers, keeps, manifest.scope)


def range_samples(manifest: Manifest, index: int, rate_hz: int) -> Iterator[tuple[int, int, int]]:
    """The half-open samples that each range covers or keeps in one stream, as `(number in the manifest, start, end)`.

    Each range is taken by itself, whatever else covers the same samples.
    """
    for number, item in _ranges(manifest, index):
        yield number, *item.samples(rate_hz)
