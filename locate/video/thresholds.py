"""The scores that a track must reach."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Thresholds:
    """Scores from 0 to 1: a track must reach `start` once and is made of detections of at least `link`."""

    start: float
    link: float
