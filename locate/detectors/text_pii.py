"""Which lines of written text are personal: the same finders as for spoken words, and nothing of the text is kept."""

import threading
from collections.abc import Sequence

from veridact.locate.speech.pii.finder import PiiFinder
from veridact.locate.speech.pii.presidio import Presidio
from veridact.locate.speech.pipeline import AUDIO_LABELS
from veridact.locate.speech.recognizers.base import Word

Edges = tuple[float, float, float, float]
"""Left, top, right, bottom."""

GAP_HEIGHTS = 1.2
"""Lines beside each other that are no further apart, in heights, are read together as well: the groups of a number on a
card stand so far apart that each is found as a line of its own."""


class WrittenWords:
    """Reads lines for what is personal in them; the finder is shared between threads, one at a time."""

    def __init__(self, language: str = "en") -> None:
        self._presidio = Presidio("written", language, None)
        self.producer = self._presidio.producer
        self._finder = PiiFinder(self._presidio, frozenset(AUDIO_LABELS) - {"speech", "custom"}, language)
        self._lock = threading.Lock()

    def personal(self, lines: Sequence[str], places: Sequence[Edges]) -> list[bool]:
        """Whether there is a number, a name, an address or the like, or a part of one, in each of some lines."""
        covered = {n for n, line in enumerate(lines) if self._found([line])}
        for row in rows(places):
            covered.update(row[n] for n in self._found([lines[n] for n in row]))
        return [n in covered for n in range(len(lines))]

    def _found(self, lines: Sequence[str]) -> set[int]:
        """Which of some lines, read one after the other, hold a word of something personal."""
        of_line = [n for n, line in enumerate(lines) for _ in line.split()]
        reading = tuple(Word(word, None, None) for line in lines for word in line.split())
        with self._lock:
            found = self._finder.find(reading) if reading else []
        return {of_line[word] for finding in found for word in range(finding.first, finding.end)}


def rows(places: Sequence[Edges]) -> list[list[int]]:
    """The numbers of lines that stand beside each other, from left to right; none of those that stand alone."""
    made: list[list[int]] = []
    for n in sorted(range(len(places)), key=lambda n: places[n]):
        row = next((row for row in made if _beside(places[row[-1]], places[n])), None)
        if row is None:
            made.append([n])
        else:
            row.append(n)
    return [row for row in made if len(row) > 1]


def _beside(a: Edges, b: Edges) -> bool:
    """Whether `b` goes on where `a` ends: at the same height, for half of the lower one at least, and not far away."""
    heights = (a[3] - a[1], b[3] - b[1])
    shared = min(a[3], b[3]) - max(a[1], b[1])
    return shared >= min(heights) / 2 and b[0] - a[2] <= GAP_HEIGHTS * max(heights)
