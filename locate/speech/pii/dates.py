"""Spoken dates: "the fourteenth of march nineteen eighty five", "march the third", "3 may 1990"."""

import re
from collections.abc import Iterator

from veridact.locate.speech.normalization import Text
from veridact.locate.speech.number_words import ORDINALS
from veridact.locate.speech.pii.finding import Finding

_MONTHS = (
    "january february march april may june july august september october november december "
    "jan feb mar apr jun jul aug sep sept oct nov dec"
).split()
_MONTH = f"(?:{'|'.join(sorted(_MONTHS, key=len, reverse=True))})"
_DAY = f"(?:[0-3]?[0-9](?:st|nd|rd|th)?|(?:[23]0 )?(?:{'|'.join(ORDINALS)}))"
_YEAR = r"(?:,? ?(?:of )?(?:1[789]|20)[0-9]{2}|,? 2000 (?:and )?[0-9]{1,2})"
_FORMS = tuple(
    re.compile(rf"(?<!\w){form}(?!\w)")
    for form in (
        rf"(?:the )?{_DAY} (?:of )?{_MONTH}{_YEAR}?",
        rf"{_MONTH} (?:the )?{_DAY}{_YEAR}?",
        rf"{_MONTH}{_YEAR}",
        r"[0-9]{1,4}[/.\-][0-9]{1,2}[/.\-][0-9]{2,4}",
    )
)
SCORE = 0.85


def spoken(text: Text) -> Iterator[Finding]:
    """Dates with a month and a day or a year."""
    for form in _FORMS:
        for match in form.finditer(text.text):
            yield Finding("date", *text.span(match.start(), match.end()), SCORE)
