"""What a listener can hear under a manifest: the hidden samples of a sound stream, sample 0 being 0 ms.

A sample is hidden when a cover touches it, or, in scope `everything`, when no single `keep` holds all of it: covers are
widened outward to whole samples, each `keep` shrinks inward for itself.
"""

from bisect import bisect_left
from fractions import Fraction

from veridact.schema.manifest import AudioStream, Manifest
from veridact.schema.plan.effects import counts, effect_of
from veridact.schema.timeline import inner_sample_range, sample_range

Spans = list[tuple[int, int]]
END = 1 << 60
"""A sample after any sound: scope `everything` silences to here."""


def joined(spans: Spans) -> Spans:
    """The same half-open spans, sorted, such that none touches or overlaps another."""
    found: Spans = []
    for start, end in sorted(s for s in spans if s[0] < s[1]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def without(spans: Spans, taken: Spans) -> Spans:
    """What of `spans` does not lie in `taken`."""
    found: Spans = []
    others = joined(taken)
    for start, end in joined(spans):
        at = start
        for other_start, other_end in others[max(0, bisect_left(others, (start, start)) - 1) :]:
            if other_start >= end:
                break
            if other_start > at:
                found.append((at, other_start))
            at = max(at, other_end)
        if at < end:
            found.append((at, end))
    return found


def hidden(manifest: Manifest, stream: AudioStream) -> Spans:
    """The silenced samples of a stream as half-open spans from sample 0 on, padding and scope included."""
    covers: Spans = []
    keeps: Spans = []
    for item in manifest.audio:
        if item.stream in (None, stream.index) and counts(item):
            effect = effect_of(item, manifest)
            if effect is None:
                keeps.append(inner_sample_range(item.start_ms, item.end_ms, stream.sample_rate))
            else:
                start_ms, end_ms = item.start_ms - effect.pad_ms, item.end_ms + effect.pad_ms
                start, end = sample_range(start_ms, end_ms, stream.sample_rate)
                covers.append((max(0, start), end))
    if manifest.scope == "listed":
        return joined(covers)
    return joined([*without([(0, END)], keeps), *covers])


def shown_ms(span: tuple[int, int], rate_hz: int) -> tuple[int, int | None]:
    """A span of samples in milliseconds for a reader: rounded to the nearest, at least one long, None for `END`."""
    start_ms, end_ms = ((2000 * at + rate_hz) // (2 * rate_hz) for at in span)
    return start_ms, None if span[1] == END else max(end_ms, start_ms + 1)


def seconds(ms: int) -> Fraction:
    """Milliseconds as exact seconds."""
    return Fraction(ms, 1000)
