"""The PII finder: Presidio, numbers, dates, names and places, and the phrase lists of the caller."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from veridact.errors import UsageError
from veridact.locate.speech.normalization import normalize, normalize_word
from veridact.locate.speech.pii import dates, names, numbers
from veridact.locate.speech.pii.match import PiiMatch
from veridact.locate.speech.pii.presidio import Presidio
from veridact.locate.speech.recognizers.base import Hypothesis

MAX_LIST_BYTES = 1 << 20
MIN_NAME_CONFIDENCE = 0.5
"""A word recognised with less confidence is no name on its own."""

Phrase = tuple[str, ...]
"""Normalised words."""


def read_phrases(path: Path, option: str) -> frozenset[Phrase]:
    """The phrases of a file, one a line; raises `UsageError`, which names the file and quotes nothing in it."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_LIST_BYTES + 1)
        text = raw.decode("utf-8-sig")
    except OSError as e:
        raise UsageError(f"{option} {path}: cannot be read ({e.strerror})") from None
    except UnicodeDecodeError:
        raise UsageError(f"{option} {path}: not UTF-8; save it as UTF-8, one phrase a line") from None
    if len(raw) > MAX_LIST_BYTES:
        raise UsageError(f"{option} {path}: longer than 1 MiB; split it")
    return frozenset(phrase for line in text.splitlines() if (phrase := _phrase(line)))


def _phrase(line: str) -> Phrase:
    return tuple(word for part in line.split() if (word := normalize_word(part)))


def _occurrences(words: Sequence[str], phrases: frozenset[Phrase]) -> Iterator[tuple[int, int]]:
    """The half-open spans of words that are one of the phrases."""
    by_first: dict[str, list[Phrase]] = {}
    for phrase in phrases:
        by_first.setdefault(phrase[0], []).append(phrase)
    for i, word in enumerate(words):
        for phrase in by_first.get(word, ()):
            if tuple(words[i : i + len(phrase)]) == phrase:
                yield i, i + len(phrase)


@dataclass(frozen=True)
class PiiFinder:
    """Finds PII of some labels; the phrases in `keep` never match, those in `deny` always, as `custom`."""

    presidio: Presidio
    labels: frozenset[str]
    language: str = "en"
    keep: frozenset[Phrase] = frozenset()
    deny: frozenset[Phrase] = frozenset()

    def find(self, hypothesis: Hypothesis) -> list[PiiMatch]:
        """The PII in recognised words, in order; matches may overlap."""
        words = [normalize_word(w.text) for w in hypothesis]
        return self._filtered(self._candidates(hypothesis, words), words)

    def find_in_number(self, hypothesis: Hypothesis) -> list[PiiMatch]:
        """The same, where the hypothesis is a single spotted number."""
        words = [normalize_word(w.text) for w in hypothesis]
        return self._filtered(numbers.match_spotted_number(hypothesis, self.labels), words)

    def _filtered(self, candidates: Iterable[PiiMatch], words: Sequence[str]) -> list[PiiMatch]:
        """Candidates of the labels asked for, without those wholly in phrases to keep; and the phrases to deny."""
        kept = {i for first, end in _occurrences(words, self.keep) for i in range(first, end)}
        matches = [
            m
            for m in candidates
            if m.label in self.labels and m.end > m.first and not kept.issuperset(range(m.first, m.end))
        ]
        matches += [PiiMatch("custom", first, end, 1.0) for first, end in _occurrences(words, self.deny)]
        return sorted(matches, key=lambda m: (m.first, m.end, m.label))

    def _candidates(self, hypothesis: Hypothesis, words: Sequence[str]) -> Iterator[PiiMatch]:
        text = normalize(hypothesis)
        yield from self.presidio.find(text)
        yield from numbers.find_numbers(text, self.labels)
        if "date" in self.labels:
            yield from dates.find_dates(text)
        if "location" in self.labels:
            yield from names.find_locations(words)
        if "person_name" in self.labels:
            for name in names.find_names(words, self.language):
                if name.score > names.FIRST_NAME_SCORE or hypothesis[name.first].confidence >= MIN_NAME_CONFIDENCE:
                    yield name
