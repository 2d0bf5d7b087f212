"""How the camera moves: the shift of the whole picture from one frame to the next, by phase correlation of its gist.

Source: Kuglin and Hines, The Phase Correlation Image Alignment Method (1975). The picture is taken at 160×90 places
with its edges faded out; the peak of the correlation is placed between pixels by a parabola. A shift counts only where
the peak stands out; else the camera is taken to stand still, which is what everybody assumes who asks nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GIST_COLUMNS, GIST_ROWS = 160, 90
Gist = NDArray[np.float32]
"""The brightness of a picture on 160×90 places, 0 to 255: enough to tell one shot from the next, and a pan."""

LEAST_PEAK = 0.06
EXPLAINED = 0.8
"""How high the peak must stand, and what part of the difference may be left once the shift is undone."""

LEAST_SHARED = 0.75
"""Two frames of one shot show this much of each other, across and down; less is a cut that happens to correlate."""

FAST_PART = 0.03
"""A camera that moves by this part of the picture's longer side in one frame smears it."""

_FADE = np.outer(np.hanning(GIST_ROWS), np.hanning(GIST_COLUMNS)).astype(np.float32)


Spectrum = NDArray[np.complex128]


@dataclass(frozen=True)
class Glance:
    """A picture's gist and its Fourier transform, ready to be compared with those of its neighbour."""

    gist: Gist
    spectrum: Spectrum

    @classmethod
    def of(cls, gist: Gist) -> "Glance":
        """The glance at a gist."""
        return cls(gist, np.fft.rfft2((gist - gist.mean()) * _FADE))

    def change_from(self, before: "Glance") -> float:
        """How much brightness changed on average, 0 to 255."""
        return float(np.abs(self.gist - before.gist).mean())


def _between(low: float, mid: float, high: float) -> float:
    """Where the top of the parabola through three heights lies, from -0.5 to 0.5."""
    bend = low - 2 * mid + high
    return 0.0 if bend >= 0 else float(np.clip((low - high) / (2 * bend), -0.5, 0.5))


def shift(before: Glance, now: Glance) -> tuple[float, float]:
    """How far what is seen moved right and down, as parts of the picture's width and height; (0, 0) when unsure."""
    cross = now.spectrum * before.spectrum.conj()
    heights = np.fft.irfft2(cross / (np.abs(cross) + 1e-3), s=(GIST_ROWS, GIST_COLUMNS))
    row, column = np.unravel_index(int(heights.argmax()), heights.shape)
    if heights[row, column] < LEAST_PEAK:
        return 0.0, 0.0
    x = column + _between(heights[row, column - 1], heights[row, column], heights[row, (column + 1) % GIST_COLUMNS])
    y = row + _between(heights[row - 1, column], heights[row, column], heights[(row + 1) % GIST_ROWS, column])
    x, y = (x + GIST_COLUMNS / 2) % GIST_COLUMNS - GIST_COLUMNS / 2, (y + GIST_ROWS / 2) % GIST_ROWS - GIST_ROWS / 2
    if not _explains(before.gist, now.gist, round(x), round(y)):
        return 0.0, 0.0
    return float(x / GIST_COLUMNS), float(y / GIST_ROWS)


def _explains(before: Gist, now: Gist, x: int, y: int) -> bool:
    """Whether the pictures are clearly more alike when one is moved by whole places; less than one needs no proof."""
    if x == 0 and y == 0:
        return True
    rows, columns = GIST_ROWS - abs(y), GIST_COLUMNS - abs(x)
    if min(rows / GIST_ROWS, columns / GIST_COLUMNS) < LEAST_SHARED:
        return False
    top, left = max(0, y), max(0, x)
    stayed = now[top : top + rows, left : left + columns]
    moved = before[top - y : top - y + rows, left - x : left - x + columns]
    still = before[top : top + rows, left : left + columns]
    return float(np.abs(stayed - moved).mean()) < EXPLAINED * float(np.abs(stayed - still).mean())


def is_fast(shift_px: tuple[float, float], size: tuple[int, int]) -> bool:
    """Whether the camera moved so far in one frame that what it shows is smeared; `size` is width and height."""
    return max(map(abs, shift_px)) >= FAST_PART * max(size)


def path(shifts_px: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Where the scene lies on every frame relative to the first, in pixels right and down: (frames, 2)."""
    return np.cumsum(np.array(shifts_px, np.float64).reshape(-1, 2), axis=0)
