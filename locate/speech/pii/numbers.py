"""Numbers by their format: how many digits and letters in a row, with or without a valid checksum.

A misrecognised digit breaks every checksum, so the format is enough to match; a valid checksum only raises the score.
Of a spotted number not even the count of digits is certain.
"""

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass

from veridact.locate.speech.normalization import NormalizedText, tokenize
from veridact.locate.speech.pii.match import PiiMatch
from veridact.locate.speech.recognizers.base import Hypothesis

_NUMBER = re.compile(r"(?<![\w])\+?[a-z]{0,4}[0-9](?:[a-z]{0,4}[0-9]+)*[a-z]{0,2}(?![\w])")
_IBAN = re.compile(r"^[a-z]{2}[0-9]{2}[a-z0-9]{10,30}$")
_YEAR = re.compile(r"^(1[89]|20)[0-9]{2}$")


@dataclass(frozen=True)
class NumberFormat:
    """The label of numbers of `min_length` to `max_length` characters, with or without letters among them."""

    label: str
    min_length: int
    max_length: int
    letters: bool


FORMATS = (
    NumberFormat("iban", 15, 34, letters=True),
    NumberFormat("credit_card", 13, 19, letters=False),
    NumberFormat("phone_number", 7, 12, letters=False),
    NumberFormat("id_number", 5, 40, letters=True),
)
"""The first that fits gives the label."""

NUMBER_LABELS = frozenset(f.label for f in FORMATS)
FORMAT_SCORE = 0.5
CHECKSUM_SCORE = 0.95


def is_luhn_valid(digits: str) -> bool:
    """Whether the last digit is the Luhn checksum of those before it (ISO/IEC 7812-1)."""
    total = 0
    for i, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + i % 2)
        total += doubled - 9 * (doubled > 9)
    return total % 10 == 0


def is_iban_valid(text: str) -> bool:
    """Whether the check digits of an account number agree (ISO 13616, modulo 97)."""
    if not _IBAN.match(text):
        return False
    return int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 == 1


def _classify(number: str) -> tuple[str, float] | None:
    """The label and score of a number by its format; None where it fits none."""
    letters = any(c.isalpha() for c in number)
    length = sum(c.isalnum() for c in number)
    for f in FORMATS:
        if not f.min_length <= length <= f.max_length:
            continue
        if f.label == "iban":
            if letters and _IBAN.match(number):
                return "iban", CHECKSUM_SCORE if is_iban_valid(number) else FORMAT_SCORE
        elif not letters or f.letters:
            valid = f.label == "credit_card" and is_luhn_valid(number)
            return f.label, CHECKSUM_SCORE if valid else FORMAT_SCORE
    return None


def find_numbers(text: NormalizedText, labels: Set[str]) -> Iterator[PiiMatch]:
    """Numbers in normalised text, but years; one whose own label is not in `labels` gets the nearest that is."""
    for match in _NUMBER.finditer(text.text):
        number = match[0].lstrip("+")
        classified = _classify(number)
        if classified is None or _YEAR.match(number):
            continue
        label = classified[0] if classified[0] in labels else _nearest_label(len(number), labels)
        if label is not None:
            yield PiiMatch(label, *text.word_span(match.start(), match.end()), classified[1])


def _nearest_label(length: int, labels: Set[str]) -> str | None:
    """The first of `labels` that a number of this length could have if recognition got up to a third of it wrong."""
    for f in FORMATS:
        if f.label in labels and f.min_length * 2 <= length * 3 and length * 2 <= f.max_length * 3:
            return f.label
    return None


def match_spotted_number(number: Hypothesis, labels: Set[str]) -> Iterator[PiiMatch]:
    """A hypothesis that is one number as a whole, labelled by its approximate length, for digits may be wrong.

    The score is in proportion to the mean confidence of the words.
    """
    characters = "".join(t.text for t in tokenize(number))
    own = _label_by_length(len(characters), sum(c.isalpha() for c in characters))
    label = own if own in labels else _nearest_label(len(characters), labels)
    if label is not None:
        yield PiiMatch(label, 0, len(number), FORMAT_SCORE * sum(w.confidence for w in number) / len(number))


def _label_by_length(length: int, letters: int) -> str:
    """The label of a number with so many characters, so many of them letters."""
    if (letters >= 3 and length >= 12) or length > 19:
        return "iban"
    if length >= 13:
        return "credit_card"
    return "phone_number" if length >= 7 else "id_number"
