"""The result type of every PII recogniser: a label for a span of words, with a score."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PiiMatch:
    """Words `first` to `end`, half-open, are PII of kind `label`; `score` is from 0 to 1."""

    label: str
    first: int
    end: int
    score: float
