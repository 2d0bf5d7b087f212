"""The scores that decide what starts and what continues a track."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Thresholds:
    """Scores from 0 to 1: a track must reach `start` once and consists of detections that score `link` at least.

    They are the high and the low threshold of ByteTrack (Zhang et al. 2022).
    """

    start: float
    link: float
