"""Where a thing will be next: a Kalman filter over its centre, size and their velocities.

The four coordinates are independent and noise grows with the size of the thing, so one 2×2 covariance, in units of
that size, serves all four. Source: Kalman 1960; noise as in ByteTrack (Zhang et al. 2022), per frame of 1/30 s.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
"""Centre x, centre y, width, height in pixels."""

NOMINAL_FPS = 30.0
MEASURED = 1 / 20
DRIFT = 1 / 40
ACCELERATION = 1 / 60
"""Standard deviations of a measured coordinate, and of the place and velocity added per nominal frame."""


@dataclass(frozen=True)
class Motion:
    """A state at one moment: `place`, `velocity` per nominal frame, and the covariance (pp, pv, vv)."""

    place: Vector
    velocity: Vector
    covariance: tuple[float, float, float]

    def after(self, seconds: float) -> "Motion":
        """The state `seconds` later; sizes never fall below a pixel, and velocities fade over about a second."""
        dt = seconds * NOMINAL_FPS
        fade = float(np.exp(-max(0.0, seconds)))
        pp, pv, vv = self.covariance
        place = self.place + self.velocity * dt
        place[2:] = np.maximum(place[2:], 1.0)
        steps = abs(dt)
        grown = (
            pp + 2 * dt * pv + dt * dt * vv + DRIFT**2 * steps,
            pv + dt * vv,
            vv + ACCELERATION**2 * steps,
        )
        return Motion(place, self.velocity * fade, grown)

    def corrected(self, measured: Vector) -> "Motion":
        """The state after a measurement at the same moment."""
        pp, pv, vv = self.covariance
        gain_place = pp / (pp + MEASURED**2)
        gain_velocity = pv / (pp + MEASURED**2)
        missed = measured - self.place
        return Motion(
            self.place + gain_place * missed,
            self.velocity + gain_velocity * missed,
            ((1 - gain_place) * pp, (1 - gain_place) * pv, vv - gain_velocity * pv),
        )


GROWN = 0.3
SIZE_RATIO = 2.5


def likeness(a: Vector, b: Vector) -> float:
    """The overlap, from 0 to 1, of two places grown by GROWN on each side; 0 when their sizes are too different.

    Growing them lets small and fast things hold (C-BIoU, Yang et al. 2023).
    """
    ax, ay, a_width, a_height = a.tolist()
    bx, by, b_width, b_height = b.tolist()
    grown = 1 + 2 * GROWN
    if 2 * abs(ax - bx) >= grown * (a_width + b_width) or 2 * abs(ay - by) >= grown * (a_height + b_height):
        return 0.0  # most pairs end here
    if max(a_width, b_width) > SIZE_RATIO * min(a_width, b_width):
        return 0.0
    if max(a_height, b_height) > SIZE_RATIO * min(a_height, b_height):
        return 0.0
    a_width, a_height, b_width, b_height = a_width * grown, a_height * grown, b_width * grown, b_height * grown
    across = min(ax + a_width / 2, bx + b_width / 2) - max(ax - a_width / 2, bx - b_width / 2)
    down = min(ay + a_height / 2, by + b_height / 2) - max(ay - a_height / 2, by - b_height / 2)
    both = across * down
    alike: float = both / (a_width * a_height + b_width * b_height - both)
    return alike


def begin(measured: Vector) -> Motion:
    """The state of a thing seen once: it may move by about a tenth of its size a frame, nobody knows where to."""
    return Motion(measured, np.zeros(4), (MEASURED**2, 0.0, (1 / 10) ** 2))
