"""When a piece of text is a number plate: by what it reads like, which is looked at and forgotten."""

import re

_NOT_LETTERS = re.compile(r"[^0-9A-Z]")
_PLATE = re.compile(r"(?=.*[0-9])[0-9A-Z]{4,9}")


def reads_like_a_plate(text: str) -> bool:
    """Whether a text has the length and the characters of a number plate: 4 to 9 of A-Z and 0-9, a digit among them."""
    return _PLATE.fullmatch(_NOT_LETTERS.sub("", text.upper())) is not None
