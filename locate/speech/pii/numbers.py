"""Numbers by their shape: how many digits and letters in a row, with or without a checksum that agrees.

A misheard digit breaks every checksum, so shape is enough to cover; a checksum only makes it surer. Of a reading that
holds digits and nothing else not even their count is sure.
"""

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass

from veridact.locate.speech.normalization import Text, tokens
from veridact.locate.speech.pii.finding import Finding
from veridact.locate.speech.recognizers.base import Reading

_RUN = re.compile(r"(?<![\w])\+?[a-z]{0,4}[0-9](?:[a-z]{0,4}[0-9]+)*[a-z]{0,2}(?![\w])")
_IBAN = re.compile(r"^[a-z]{2}[0-9]{2}[a-z0-9]{10,30}$")
_YEAR = re.compile(r"^(1[89]|20)[0-9]{2}$")


@dataclass(frozen=True)
class Shape:
    """A label for runs of `least` to `most` characters, taken from left to right."""

    label: str
    least: int
    most: int
    letters: bool


SHAPES = (
    Shape("iban", 15, 34, letters=True),
    Shape("credit_card", 13, 19, letters=False),
    Shape("phone_number", 7, 12, letters=False),
    Shape("id_number", 5, 40, letters=True),
)
NUMBER_LABELS = frozenset(shape.label for shape in SHAPES)
UNSURE = 0.5
SURE = 0.95


def luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn checksum of those before it (ISO/IEC 7812-1)."""
    total = 0
    for i, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + i % 2)
        total += doubled - 9 * (doubled > 9)
    return total % 10 == 0


def iban(text: str) -> bool:
    """Whether the check digits of an account number agree (ISO 13616, modulo 97)."""
    if not _IBAN.match(text):
        return False
    return int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 == 1


def _shape(run: str) -> tuple[str, float] | None:
    letters = any(c.isalpha() for c in run)
    length = sum(c.isalnum() for c in run)
    for shape in SHAPES:
        if shape.least <= length <= shape.most and (not letters or shape.letters) and shape.label != "iban":
            agrees = shape.label == "credit_card" and luhn(run)
            return shape.label, SURE if agrees else UNSURE
        if shape.label == "iban" and letters and _IBAN.match(run) and shape.least <= length <= shape.most:
            return "iban", SURE if iban(run) else UNSURE
    return None


def in_text(text: Text, labels: Set[str]) -> Iterator[Finding]:
    """Numbers in a reading of words; where its own label is not asked for, the nearest one that is."""
    for match in _RUN.finditer(text.text):
        run = match[0].lstrip("+")
        shape = _shape(run)
        if shape is None or _YEAR.match(run):
            continue
        label = shape[0] if shape[0] in labels else _nearest(len(run), labels)
        if label is not None:
            yield Finding(label, *text.span(match.start(), match.end()), shape[1])


def _nearest(length: int, labels: Set[str]) -> str | None:
    """The label asked for that a number of about this length, misheard by up to a third, could have."""
    for shape in SHAPES:
        if shape.label in labels and shape.least * 2 <= length * 3 and length * 2 <= shape.most * 3:
            return shape.label
    return None


def whole(number: Reading, labels: Set[str]) -> Iterator[Finding]:
    """A reading that is one number from first to last, labelled by about how long it is, for it may be misheard."""
    characters = "".join(t.text for t in tokens(number))
    label = _by_length(len(characters), sum(c.isalpha() for c in characters))
    chosen = label if label in labels else _nearest(len(characters), labels)
    if chosen is not None:
        yield Finding(chosen, 0, len(number), UNSURE * sum(w.confidence for w in number) / len(number))


def _by_length(length: int, letters: int) -> str:
    if (letters >= 3 and length >= 12) or length > 19:
        return "iban"
    if length >= 13:
        return "credit_card"
    return "phone_number" if length >= 7 else "id_number"
