"""What a listener can hear under a manifest: the hidden parts of a sound stream, as half-open milliseconds."""

from bisect import bisect_left
from fractions import Fraction

from schema.digests import counts, effect_of
from schema.manifest import AudioStream, Manifest

Spans = list[tuple[int, int]]
END_MS = 10**13
"""After any sound: scope `everything` silences to here."""


def joined(spans: Spans) -> Spans:
    """The same milliseconds as sorted spans that neither touch nor overlap."""
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
    """The silenced parts of a stream, padding and scope included."""
    covers: Spans = []
    keeps: Spans = []
    for item in manifest.audio:
        if item.stream in (None, stream.index) and counts(item):
            effect = effect_of(item, manifest)
            if effect is None:
                keeps.append((item.start_ms, item.end_ms))
            else:
                covers.append((max(0, item.start_ms - effect.pad_ms), item.end_ms + effect.pad_ms))
    if manifest.scope == "listed":
        return joined(covers)
    return joined([*without([(0, END_MS)], keeps), *covers])


def seconds(ms: int) -> Fraction:
    """Milliseconds as exact seconds."""
    return Fraction(ms, 1000)
