"""The beep as whole numbers: a sine of about 1 kHz that fits 1024 samples a whole number of times, at every rate."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

PERIOD_SAMPLES = 1024
_PI = 57952155664616982739  # π · 2⁶⁴, rounded down
_ONE = 1 << 64
_PEAK = 1 << 20  # one eighth of full scale at 24 bits
# The 24-bit tone in each sample form: (dtype, shift to the right, silence).
_FORMS = {
    "u8": ("u1", 16, 128),
    "s16": ("<i2", 8, 0),
    "s32": ("<i4", -8, 0),
    "flt": ("<f4", 0, 0),
    "dbl": ("<f8", 0, 0),
}


def cycles(rate_hz: int) -> int:
    """How many times the tone fits 1024 samples: near 1 kHz, at most a quarter of the rate."""
    return max(1, min(PERIOD_SAMPLES // 4, (1000 * PERIOD_SAMPLES + rate_hz // 2) // rate_hz))


def _sine(step: int) -> int:
    """The sine of `step` 1024ths of a turn, times the peak, by its Taylor series in whole numbers (no libm)."""
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
    return np.array([_sine(n) for n in range(PERIOD_SAMPLES)], np.int64)


def silence_of(form: str) -> int:
    """The number that means silence in a sample form."""
    return _FORMS[form][2]


def tone(start: int, count: int, rate_hz: int, form: str) -> NDArray[Any]:
    """`count` samples of the beep from sample `start` on, in the numbers of `form`."""
    dtype, shift, middle = _FORMS[form]
    steps = (np.arange(start, start + count, dtype=np.int64) * cycles(rate_hz)) % PERIOD_SAMPLES
    values = _table()[steps]
    if form in {"flt", "dbl"}:
        return (values / (1 << 23)).astype(dtype)
    return ((values >> shift if shift >= 0 else values << -shift) + middle).astype(dtype)
