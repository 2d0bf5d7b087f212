"""From found words to ranges of milliseconds, always outward.

words      |four|zero|  |one|      a word without a time reaches from the word before to the word after
range    |<-pad->............|<-pad->|    the pad grows as the words are less sure; neighbours join
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from veridact.locate.speech.pii.finding import Finding
from veridact.locate.speech.pii.numbers import NUMBER_LABELS
from veridact.locate.speech.recognizers.base import Word

PAD_MS = 60
WIDEN_MS = 160
"""Added to the pad, in proportion, as the least sure word goes from certain to unheard of."""

JOIN_MS = 250


@dataclass(frozen=True)
class ProposedRange:
    """A stretch of sound to cover: half-open milliseconds in one stream, `score` in thousandths, `by` a producer."""

    label: str
    start_ms: int
    end_ms: int
    score: int
    stream: int
    by: str


def range_of(finding: Finding, words: Sequence[Word], stream: int, by: str, end_ms: int) -> ProposedRange:
    """The range of a finding; `end_ms` is where the sound ends, for a last word without a time."""
    heard = words[finding.first : finding.end]
    pad = PAD_MS + round(WIDEN_MS * (1 - min(w.confidence for w in heard)))
    first, last = heard[0], heard[-1]
    start = first.start_ms if first.start_ms is not None else _end_before(words, finding.first)
    end = last.end_ms if last.end_ms is not None else _start_after(words, finding.end, end_ms)
    times = [t for w in heard for t in (w.start_ms, w.end_ms) if t is not None]
    start, end = min([start, *times]), max([end, *times])
    return ProposedRange(
        finding.label, max(0, start - pad), max(end, start + 1) + pad, round(min(1.0, finding.score) * 1000), stream, by
    )


def _end_before(words: Sequence[Word], index: int) -> int:
    ends = [w.end_ms if w.end_ms is not None else w.start_ms for w in words[:index]]
    return next((end for end in reversed(ends) if end is not None), 0)


def _start_after(words: Sequence[Word], index: int, end_ms: int) -> int:
    starts = [w.start_ms if w.start_ms is not None else w.end_ms for w in words[index:]]
    return next((start for start in starts if start is not None), end_ms)


def joined(ranges: Iterable[ProposedRange]) -> tuple[ProposedRange, ...]:
    """Ranges in order of time; those of one kind closer than 250 ms become one. All numbers are of one kind."""
    done: list[ProposedRange] = []
    open_at: dict[tuple[int, str], int] = {}
    for item in sorted(ranges, key=lambda r: (r.stream, r.start_ms, r.end_ms, r.label, -r.score)):
        key = (item.stream, "number" if item.label in NUMBER_LABELS else item.label)
        at = open_at.get(key)
        if at is not None and item.start_ms - done[at].end_ms < JOIN_MS:
            before = done[at]
            surer = max((before, item), key=lambda r: r.score)
            done[at] = replace(surer, start_ms=before.start_ms, end_ms=max(before.end_ms, item.end_ms))
        else:
            open_at[key] = len(done)
            done.append(item)
    return tuple(sorted(done, key=lambda r: (r.start_ms, r.stream, r.label)))


def overlap_ms(ranges: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]]) -> int:
    """How long two sets of half-open ranges overlap; each set is first united."""
    one, two = united(ranges), united(others)
    total = i = j = 0
    while i < len(one) and j < len(two):
        total += max(0, min(one[i][1], two[j][1]) - max(one[i][0], two[j][0]))
        if one[i][1] < two[j][1]:
            i += 1
        else:
            j += 1
    return total


def united(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Half-open ranges in order, touching ones joined."""
    done: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if done and start <= done[-1][1]:
            done[-1] = (done[-1][0], max(done[-1][1], end))
        else:
            done.append((start, end))
    return done
