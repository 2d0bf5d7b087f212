"""What is found in words: a label for a half-open run of words, and how sure that is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Words `first` to `end`, half-open, are of kind `label`; `score` is from 0 to 1."""

    label: str
    first: int
    end: int
    score: float
