"""Exact time: the digest of a video timeline, and milliseconds of sound as whole samples."""

import hashlib
from collections.abc import Sequence
from fractions import Fraction

import numpy as np


def pts_sha256(pts: Sequence[int]) -> str:
    """SHA-256 over the big-endian int64 presentation timestamps in presentation order."""
    return hashlib.sha256(np.asarray(pts, dtype=">i8").tobytes()).hexdigest()


def first_fault(pts: Sequence[int | None]) -> str | None:
    """Why these presentation timestamps are no timeline (missing or not increasing), or None when they are one."""
    before: int | None = None
    for frame, value in enumerate(pts):
        if value is None:
            return f"frame {frame} has no timestamp"
        if before is not None and value <= before:
            return f"the timestamp of frame {frame} does not come after the one before it"
        before = value
    return None


def sample_range(start_ms: int, end_ms: int, rate_hz: int) -> tuple[int, int]:
    """Half-open milliseconds as half-open samples at `rate_hz`, widened outward to whole samples."""
    return (start_ms * rate_hz // 1000, -(-end_ms * rate_hz // 1000))


def inner_sample_range(start_ms: int, end_ms: int, rate_hz: int) -> tuple[int, int]:
    """Half-open milliseconds as the half-open samples that lie wholly within them; empty where none does."""
    start = -(-start_ms * rate_hz // 1000)
    return start, max(start, end_ms * rate_hz // 1000)


def milliseconds_up(seconds: Fraction) -> int:
    """A duration in milliseconds, rounded up."""
    return -int(-seconds * 1000 // 1)
