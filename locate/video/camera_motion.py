"""Camera motion estimation: the translation of the whole picture between two frames, by phase correlation.

Source: Kuglin and Hines, The Phase Correlation Image Alignment Method (1975). Both frames are reduced to thumbnails of
160×90 pixels and multiplied by a Hann window; the peak of the correlation is located to a fraction of a pixel by a
parabola. A translation counts only where the peak is high enough; else the camera is taken not to have moved.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

THUMBNAIL_COLUMNS, THUMBNAIL_ROWS = 160, 90
Thumbnail = NDArray[np.float32]
"""The luma of a picture as `(90, 160)`, 0 to 255: enough to detect cuts and pans."""

MIN_PEAK = 0.06
MAX_RESIDUAL_RATIO = 0.8
"""The least height of the peak, and the greatest part of the difference that may remain once the shift is undone."""

MIN_SHARED = 0.75
"""Two frames of one shot share this part of their width and height; less is a cut that correlates by chance."""

FAST_FRACTION = 0.03
"""A camera that moves by this fraction of the picture's longer side in one frame blurs it."""

_HANN_WINDOW = np.outer(np.hanning(THUMBNAIL_ROWS), np.hanning(THUMBNAIL_COLUMNS)).astype(np.float32)


@dataclass(frozen=True)
class Spectrum:
    """A thumbnail and its Fourier transform, computed once and compared with both neighbouring frames."""

    thumbnail: Thumbnail
    coefficients: NDArray[np.complex128]

    @classmethod
    def of(cls, thumbnail: Thumbnail) -> "Spectrum":
        """The spectrum of a thumbnail, with its mean removed and its edges faded out."""
        return cls(thumbnail, np.fft.rfft2((thumbnail - thumbnail.mean()) * _HANN_WINDOW))

    def change_from(self, before: "Spectrum") -> float:
        """The mean absolute difference of the two thumbnails, 0 to 255."""
        return float(np.abs(self.thumbnail - before.thumbnail).mean())


def _parabola_vertex(low: float, mid: float, high: float) -> float:
    """The abscissa of the vertex of the parabola through values at -1, 0 and 1; from -0.5 to 0.5."""
    bend = low - 2 * mid + high
    return 0.0 if bend >= 0 else float(np.clip((low - high) / (2 * bend), -0.5, 0.5))


def estimate_shift(before: Spectrum, now: Spectrum) -> tuple[float, float]:
    """The translation of the picture's content, right and down, as fractions of width and height.

    `(0, 0)` where the correlation has no clear peak, or where undoing the shift does not make the frames more alike.
    """
    cross = now.coefficients * before.coefficients.conj()
    heights = np.fft.irfft2(cross / (np.abs(cross) + 1e-3), s=(THUMBNAIL_ROWS, THUMBNAIL_COLUMNS))
    row, column = np.unravel_index(int(heights.argmax()), heights.shape)
    if heights[row, column] < MIN_PEAK:
        return 0.0, 0.0
    x = column + _parabola_vertex(
        heights[row, column - 1], heights[row, column], heights[row, (column + 1) % THUMBNAIL_COLUMNS]
    )
    y = row + _parabola_vertex(
        heights[row - 1, column], heights[row, column], heights[(row + 1) % THUMBNAIL_ROWS, column]
    )
    x = (x + THUMBNAIL_COLUMNS / 2) % THUMBNAIL_COLUMNS - THUMBNAIL_COLUMNS / 2
    y = (y + THUMBNAIL_ROWS / 2) % THUMBNAIL_ROWS - THUMBNAIL_ROWS / 2
    if not _is_plausible(before.thumbnail, now.thumbnail, round(x), round(y)):
        return 0.0, 0.0
    return float(x / THUMBNAIL_COLUMNS), float(y / THUMBNAIL_ROWS)


def _is_plausible(before: Thumbnail, now: Thumbnail, x: int, y: int) -> bool:
    """Whether the thumbnails are clearly more alike once a shift by whole pixels is undone; (0, 0) always is."""
    if x == 0 and y == 0:
        return True
    rows, columns = THUMBNAIL_ROWS - abs(y), THUMBNAIL_COLUMNS - abs(x)
    if min(rows / THUMBNAIL_ROWS, columns / THUMBNAIL_COLUMNS) < MIN_SHARED:
        return False
    top, left = max(0, y), max(0, x)
    current = now[top : top + rows, left : left + columns]
    aligned = before[top - y : top - y + rows, left - x : left - x + columns]
    unaligned = before[top : top + rows, left : left + columns]
    return float(np.abs(current - aligned).mean()) < MAX_RESIDUAL_RATIO * float(np.abs(current - unaligned).mean())


def is_fast(shift_px: tuple[float, float], size: tuple[int, int]) -> bool:
    """Whether the camera moved so far in one frame that the frame is motion-blurred; `size` is width and height."""
    return max(map(abs, shift_px)) >= FAST_FRACTION * max(size)


def camera_path(shifts_px: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """The position of the scene on every frame relative to the first, in pixels right and down: `(frames, 2)`."""
    return np.cumsum(np.array(shifts_px, np.float64).reshape(-1, 2), axis=0)
