"""Spoken dates: "the fourteenth of march nineteen eighty five", "march the third", "3 may 1990"."""

import re
from collections.abc import Iterator

from veridact.locate.speech.normalization import NormalizedText
from veridact.locate.speech.number_words import ORDINALS
from veridact.locate.speech.pii.match import PiiMatch

_MONTHS = (
    "january february march april may june july august september october november december "
    "jan feb mar apr jun jul aug sep sept oct nov dec"
).split()
_MONTH = f"(?:{'|'.join(sorted(_MONTHS, key=len, reverse=True))})"
_DAY = f"(?:[0-3]?[0-9](?:st|nd|rd|th)?|(?:[23]0 )?(?:{'|'.join(ORDINALS)}))"
_YEAR = r"(?:,? ?(?:of )?(?:1[789]|20)[0-9]{2}|,? 2000 (?:and )?[0-9]{1,2})"
_PATTERNS = tuple(
    re.compile(rf"(?<!\w){pattern}(?!\w)")
    for pattern in (
        rf"(?:the )?{_DAY} (?:of )?{_MONTH}{_YEAR}?",
        rf"{_MONTH} (?:the )?{_DAY}{_YEAR}?",
        rf"{_MONTH}{_YEAR}",
        r"[0-9]{1,4}[/.\-][0-9]{1,2}[/.\-][0-9]{2,4}",
    )
)
SCORE = 0.85


def find_dates(text: NormalizedText) -> Iterator[PiiMatch]:
    """Dates of a month with a day or a year."""
    for pattern in _PATTERNS:
        for match in pattern.finditer(text.text):
            yield PiiMatch("date", *text.word_span(match.start(), match.end()), SCORE)
