"""From matched words to ranges of milliseconds; every rounding and every rule widens.

words      |four|zero|  |one|      a word without a time reaches from the word before to the word after
range    |<-pad->............|<-pad->|    the pad grows with the doubt about the words; near ranges merge
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from veridact.locate.speech.pii.match import PiiMatch
from veridact.locate.speech.pii.numbers import NUMBER_LABELS
from veridact.locate.speech.recognizers.base import Word

PAD_MS = 60
MAX_EXTRA_PAD_MS = 160
"""Added to the pad in proportion as the confidence of the least certain word falls from 1 to 0."""

MERGE_GAP_MS = 250


@dataclass(frozen=True)
class ProposedRange:
    """A range to cover, half-open in milliseconds, in one stream; `score` in thousandths, `by` the id of a producer."""

    label: str
    start_ms: int
    end_ms: int
    score: int
    stream: int
    by: str


def range_of(match: PiiMatch, words: Sequence[Word], stream: int, by: str, end_ms: int) -> ProposedRange:
    """The range of matched words; `end_ms` is the end of the audio, where a last word without a time ends."""
    matched = words[match.first : match.end]
    pad = PAD_MS + round(MAX_EXTRA_PAD_MS * (1 - min(w.confidence for w in matched)))
    first, last = matched[0], matched[-1]
    start = first.start_ms if first.start_ms is not None else _end_before(words, match.first)
    end = last.end_ms if last.end_ms is not None else _start_after(words, match.end, end_ms)
    times = [t for w in matched for t in (w.start_ms, w.end_ms) if t is not None]
    start, end = min([start, *times]), max([end, *times])
    score = round(min(1.0, match.score) * 1000)
    return ProposedRange(match.label, max(0, start - pad), max(end, start + 1) + pad, score, stream, by)


def _end_before(words: Sequence[Word], index: int) -> int:
    """The latest known time before a word, in milliseconds; 0 if there is none."""
    ends = [w.end_ms if w.end_ms is not None else w.start_ms for w in words[:index]]
    return next((end for end in reversed(ends) if end is not None), 0)


def _start_after(words: Sequence[Word], index: int, end_ms: int) -> int:
    """The first known time from a word on, in milliseconds; `end_ms` if there is none."""
    starts = [w.start_ms if w.start_ms is not None else w.end_ms for w in words[index:]]
    return next((start for start in starts if start is not None), end_ms)


def merge_ranges(ranges: Iterable[ProposedRange]) -> tuple[ProposedRange, ...]:
    """The ranges in order of time; those of one stream and label less than 250 ms apart become one.

    All numbers count as one label here, and the higher score names the merged range.
    """
    merged: list[ProposedRange] = []
    latest: dict[tuple[int, str], int] = {}
    for item in sorted(ranges, key=lambda r: (r.stream, r.start_ms, r.end_ms, r.label, -r.score)):
        key = (item.stream, "number" if item.label in NUMBER_LABELS else item.label)
        index = latest.get(key)
        if index is not None and item.start_ms - merged[index].end_ms < MERGE_GAP_MS:
            before = merged[index]
            likelier = max((before, item), key=lambda r: r.score)
            merged[index] = replace(likelier, start_ms=before.start_ms, end_ms=max(before.end_ms, item.end_ms))
        else:
            latest[key] = len(merged)
            merged.append(item)
    return tuple(sorted(merged, key=lambda r: (r.start_ms, r.stream, r.label)))


def overlap_ms(intervals: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]]) -> int:
    """How many milliseconds are in both of two sets of half-open intervals, which may overlap within a set."""
    one, two = merge_intervals(intervals), merge_intervals(others)
    total = i = j = 0
    while i < len(one) and j < len(two):
        total += max(0, min(one[i][1], two[j][1]) - max(one[i][0], two[j][0]))
        if one[i][1] < two[j][1]:
            i += 1
        else:
            j += 1
    return total


def merge_intervals(intervals: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Half-open intervals in order, those that overlap or touch merged."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
