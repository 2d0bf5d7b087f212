"""What is personal in a reading: Presidio, numbers, dates, names and places, and the words that the caller lists."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from veridact.errors import UsageError
from veridact.locate.speech.normalization import plain, written
from veridact.locate.speech.pii import dates, names, numbers
from veridact.locate.speech.pii.finding import Finding
from veridact.locate.speech.pii.presidio import Presidio
from veridact.locate.speech.recognizers.base import Reading

MAX_LIST_BYTES = 1 << 20
SURE_NAME = 0.5
"""A word heard with less confidence names nobody on its own."""

Phrase = tuple[str, ...]


@dataclass(frozen=True)
class Wanted:
    """What to find: labels, and the phrases never and always to cover."""

    labels: frozenset[str]
    language: str = "en"
    keep: frozenset[Phrase] = frozenset()
    deny: frozenset[Phrase] = frozenset()


def read_phrases(path: Path, option: str) -> frozenset[Phrase]:
    """The phrases of a file, one a line; errors name the file and nothing in it."""
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
    return tuple(word for part in line.split() if (word := plain(part)))


def _occurrences(said: Sequence[str], phrases: frozenset[Phrase]) -> Iterator[tuple[int, int]]:
    by_first: dict[str, list[Phrase]] = {}
    for phrase in phrases:
        by_first.setdefault(phrase[0], []).append(phrase)
    for i, word in enumerate(said):
        for phrase in by_first.get(word, ()):
            if tuple(said[i : i + len(phrase)]) == phrase:
                yield i, i + len(phrase)


def find(reading: Reading, one_number: bool, wanted: Wanted, presidio: Presidio) -> list[Finding]:
    """What is to be covered in a reading, in order."""
    said = [plain(w.text) for w in reading]
    kept = {i for first, end in _occurrences(said, wanted.keep) for i in range(first, end)}
    raw = numbers.whole(reading, wanted.labels) if one_number else _words(reading, said, wanted, presidio)
    found = [
        f for f in raw if f.label in wanted.labels and f.end > f.first and not kept.issuperset(range(f.first, f.end))
    ]
    found += [Finding("custom", first, end, 1.0) for first, end in _occurrences(said, wanted.deny)]
    return sorted(found, key=lambda f: (f.first, f.end, f.label))


def _words(reading: Reading, said: Sequence[str], wanted: Wanted, presidio: Presidio) -> Iterator[Finding]:
    text = written(reading)
    yield from presidio.find(text)
    yield from numbers.in_text(text, wanted.labels)
    if "date" in wanted.labels:
        yield from dates.spoken(text)
    if "location" in wanted.labels:
        yield from names.locations(said)
    if "person_name" in wanted.labels:
        for name in names.people(said, wanted.language):
            if name.score > names.ALONE or reading[name.first].confidence >= SURE_NAME:
                yield name
