"""Whether recognised text has the form of a number plate; the text itself is not kept."""

import re

_NOT_ALPHANUMERIC = re.compile(r"[^0-9A-Z]")
_PLATE = re.compile(r"(?=.*[0-9])[0-9A-Z]{4,9}")


def matches_plate_pattern(text: str) -> bool:
    """Whether a text, without its separators, is 4 to 9 characters of A-Z and 0-9 with at least one digit."""
    return _PLATE.fullmatch(_NOT_ALPHANUMERIC.sub("", text.upper())) is not None
