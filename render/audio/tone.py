"""The beep in integers: a sine of about 1 kHz with a whole number of cycles in 1024 samples, at every sample rate."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

PERIOD_SAMPLES = 1024
_PI = 57952155664616982739  # floor(π · 2⁶⁴)
_ONE = 1 << 64
_PEAK = 1 << 20  # one eighth of full scale at 24 bits
# How the 24-bit tone is stored in each sample format: (dtype, shift to the right, value of silence).
_FORMATS = {
    "u8": ("u1", 16, 128),
    "s16": ("<i2", 8, 0),
    "s32": ("<i4", -8, 0),
    "flt": ("<f4", 0, 0),
    "dbl": ("<f8", 0, 0),
}


def cycles(rate_hz: int) -> int:
    """The tone's cycles in 1024 samples: as near to 1 kHz as possible, at most a quarter of the sample rate."""
    return max(1, min(PERIOD_SAMPLES // 4, (1000 * PERIOD_SAMPLES + rate_hz // 2) // rate_hz))


def _sine(step: int) -> int:
    """`_PEAK`·sin(2π·step/1024), rounded: a Taylor series in fixed point with 64 fractional bits, so without libm."""
    step %= PERIOD_SAMPLES
    if step >= PERIOD_SAMPLES // 2:
        return -_sine(step - PERIOD_SAMPLES // 2)
    angle = 2 * _PI * min(step, PERIOD_SAMPLES // 2 - step) // PERIOD_SAMPLES
    term = total = angle
    for n in range(1, 12):
        term = -term * angle // _ONE * angle // _ONE // (2 * n * (2 * n + 1))
        total += term
    return (total * _PEAK + _ONE // 2) // _ONE


@cache
def _table() -> NDArray[np.int64]:
    """One full turn of the sine in 1024 steps."""
    return np.array([_sine(n) for n in range(PERIOD_SAMPLES)], np.int64)


def silence_value(sample_format: str) -> int:
    """The sample value of silence in a sample format."""
    return _FORMATS[sample_format][2]


def tone(start: int, count: int, rate_hz: int, sample_format: str) -> NDArray[Any]:
    """Samples [start, start + count) of the beep in a sample format, shape (count,)."""
    dtype, shift, zero = _FORMATS[sample_format]
    steps = (np.arange(start, start + count, dtype=np.int64) * cycles(rate_hz)) % PERIOD_SAMPLES
    values = _table()[steps]
    if sample_format in {"flt", "dbl"}:
        return (values / (1 << 23)).astype(dtype)
    return ((values >> shift if shift >= 0 else values << -shift) + zero).astype(dtype)
