"""Which lines of recognised text contain personal data: by the same finders as for speech; no text is kept."""

import threading
from collections.abc import Sequence

from veridact.locate.speech.pii.finder import PiiFinder
from veridact.locate.speech.pii.presidio import Presidio
from veridact.locate.speech.pipeline import AUDIO_LABELS
from veridact.locate.speech.recognizers.base import Word

Edges = tuple[float, float, float, float]
"""A bounding box as left, top, right, bottom, in pixels."""

MAX_GAP_HEIGHTS = 1.2
"""Lines in one row that are no further apart, in heights, are read together as well: the groups of a card number stand
so far apart that each is detected as a line of its own."""


class TextPiiFinder:
    """Finds personal data in lines of text; one analyser is shared between threads, one call at a time."""

    def __init__(self, language: str = "en") -> None:
        self._presidio = Presidio("written", language, None)
        self.producer = self._presidio.producer
        self._finder = PiiFinder(self._presidio, frozenset(AUDIO_LABELS) - {"speech", "custom"}, language)
        self._lock = threading.Lock()

    def contains_pii(self, lines: Sequence[str], boxes: Sequence[Edges]) -> list[bool]:
        """For each line, whether it contains a number, a name, an address or the like, or a part of one.

        `boxes` are those of the lines; lines side by side in a row are also searched as one text.
        """
        covered = {n for n, line in enumerate(lines) if self._lines_with_pii([line])}
        for row in text_rows(boxes):
            covered.update(row[n] for n in self._lines_with_pii([lines[n] for n in row]))
        return [n in covered for n in range(len(lines))]

    def _lines_with_pii(self, lines: Sequence[str]) -> set[int]:
        """The indexes of the lines, joined to one text, that contain a word of a finding."""
        line_of_word = [n for n, line in enumerate(lines) for _ in line.split()]
        words = tuple(Word(word, None, None) for line in lines for word in line.split())
        with self._lock:
            findings = self._finder.find(words) if words else []
        return {line_of_word[word] for finding in findings for word in range(finding.first, finding.end)}


def text_rows(boxes: Sequence[Edges]) -> list[list[int]]:
    """Lines that stand side by side, as lists of indexes from left to right; lines that stand alone are left out."""
    grouped: list[list[int]] = []
    for n in sorted(range(len(boxes)), key=lambda n: boxes[n]):
        row = next((row for row in grouped if _continues(boxes[row[-1]], boxes[n])), None)
        if row is None:
            grouped.append([n])
        else:
            row.append(n)
    return [row for row in grouped if len(row) > 1]


def _continues(a: Edges, b: Edges) -> bool:
    """Whether `b` follows `a` in a row: they overlap vertically by half of the lower one, and the gap is small."""
    heights = (a[3] - a[1], b[3] - b[1])
    shared = min(a[3], b[3]) - max(a[1], b[1])
    return shared >= min(heights) / 2 and b[0] - a[2] <= MAX_GAP_HEIGHTS * max(heights)
