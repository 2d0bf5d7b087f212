"""A Kalman filter with constant velocity over a box's centre and size, and buffered intersection over union.

The four coordinates are independent, and noise grows with the size of the object, so one 2×2 covariance in units of
that size serves all four. Sources: Kalman 1960; noise as in ByteTrack (Zhang et al. 2022), per nominal frame of 1/30 s.
"""

from dataclasses import dataclass

import numpy as np

from veridact.locate.detectors.base import CxCyWh

NOMINAL_FPS = 30.0
MEASUREMENT_STD = 1 / 20
POSITION_STD = 1 / 40
VELOCITY_STD = 1 / 60
"""Standard deviations of a measured coordinate, and of the process noise of position and velocity per nominal frame."""

INITIAL_VELOCITY_STD = 1 / 10
"""Standard deviation of the velocity of an object that was observed once, per nominal frame."""


@dataclass(frozen=True)
class KalmanState:
    """The state at one moment: mean position and velocity (per nominal frame), and their covariance (pp, pv, vv)."""

    position: CxCyWh
    velocity: CxCyWh
    covariance: tuple[float, float, float]

    def predict(self, seconds: float) -> "KalmanState":
        """The state `seconds` later; sizes stay at least a pixel, and velocities decay with a time constant of 1 s."""
        dt = seconds * NOMINAL_FPS
        decay = float(np.exp(-max(0.0, seconds)))
        pp, pv, vv = self.covariance
        position = self.position + self.velocity * dt
        position[2:] = np.maximum(position[2:], 1.0)
        steps = abs(dt)
        predicted = (
            pp + 2 * dt * pv + dt * dt * vv + POSITION_STD**2 * steps,
            pv + dt * vv,
            vv + VELOCITY_STD**2 * steps,
        )
        return KalmanState(position, self.velocity * decay, predicted)

    def update(self, measurement: CxCyWh) -> "KalmanState":
        """The state after a measurement at the same moment."""
        pp, pv, vv = self.covariance
        position_gain = pp / (pp + MEASUREMENT_STD**2)
        velocity_gain = pv / (pp + MEASUREMENT_STD**2)
        innovation = measurement - self.position
        return KalmanState(
            self.position + position_gain * innovation,
            self.velocity + velocity_gain * innovation,
            ((1 - position_gain) * pp, (1 - position_gain) * pv, vv - velocity_gain * pv),
        )


def initiate(measurement: CxCyWh) -> KalmanState:
    """The state of an object that was observed once: at rest, with a large variance of its velocity."""
    return KalmanState(measurement, np.zeros(4), (MEASUREMENT_STD**2, 0.0, INITIAL_VELOCITY_STD**2))


BUFFER_RATIO = 0.3
"""Boxes are enlarged on each side by this fraction of their width and height."""

MAX_SIZE_RATIO = 2.5


def buffered_iou(a: CxCyWh, b: CxCyWh) -> float:
    """Buffered intersection over union (BIoU), 0 to 1: the IoU of both boxes after enlarging each by BUFFER_RATIO.

    Enlarging them makes small and fast objects overlap from frame to frame. Source: Yang et al., Hard to Track Objects
    with Irregular Motions and Similar Appearances? Make It Easier by Buffering the Matching Space (C-BIoU, 2023), §3;
    of its two matching passes, with a small and a large buffer, only one is made here. Beyond the paper, boxes whose
    widths or heights differ by more than MAX_SIZE_RATIO do not match: 0.
    """
    ax, ay, a_width, a_height = a.tolist()
    bx, by, b_width, b_height = b.tolist()
    factor = 1 + 2 * BUFFER_RATIO
    if 2 * abs(ax - bx) >= factor * (a_width + b_width) or 2 * abs(ay - by) >= factor * (a_height + b_height):
        return 0.0  # most pairs end here
    if max(a_width, b_width) > MAX_SIZE_RATIO * min(a_width, b_width):
        return 0.0
    if max(a_height, b_height) > MAX_SIZE_RATIO * min(a_height, b_height):
        return 0.0
    a_width, a_height, b_width, b_height = a_width * factor, a_height * factor, b_width * factor, b_height * factor
    across = min(ax + a_width / 2, bx + b_width / 2) - max(ax - a_width / 2, bx - b_width / 2)
    down = min(ay + a_height / 2, by + b_height / 2) - max(ay - a_height / 2, by - b_height / 2)
    intersection = across * down
    ratio: float = intersection / (a_width * a_height + b_width * b_height - intersection)
    return ratio
