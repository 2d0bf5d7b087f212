"""What a listener can hear under a manifest: the hidden samples of an audio stream, sample 0 being 0 ms.

Which samples are hidden is asked of `audio.covered_samples`, silence and beep alike; here they are merged and compared.
"""

from bisect import bisect_left
from fractions import Fraction

from veridact.schema.manifest import AudioStream, Manifest
from veridact.schema.plan.audio import FAR, covered_samples, sound_plan

Spans = list[tuple[int, int]]
"""Half-open ranges of samples, or of milliseconds."""
END = FAR
"""A sample after any sound: in scope `everything` the last span ends here."""


def joined(spans: Spans) -> Spans:
    """The union of half-open spans, sorted, such that none touches or overlaps another."""
    found: Spans = []
    for start, end in sorted(s for s in spans if s[0] < s[1]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def without(spans: Spans, taken: Spans) -> Spans:
    """The parts of `spans` that no span of `taken` overlaps, sorted and joined."""
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
    """The covered samples of a stream as half-open spans from sample 0 on, padding and scope included."""
    covered = covered_samples(sound_plan(manifest, stream.index), stream.sample_rate)
    return joined([(max(0, span.start), span.end) for span in covered])


def rounded_ms(span: tuple[int, int], rate_hz: int) -> tuple[int, int | None]:
    """A span of samples in milliseconds, rounded to the nearest and at least 1 ms long, the end None for `END`."""
    start_ms, end_ms = ((2000 * at + rate_hz) // (2 * rate_hz) for at in span)
    return start_ms, None if span[1] == END else max(end_ms, start_ms + 1)


def seconds(ms: int) -> Fraction:
    """Milliseconds as exact seconds."""
    return Fraction(ms, 1000)
