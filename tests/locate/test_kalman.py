"""The Kalman filter against its textbook matrix form, and buffered IoU against IoU of enlarged boxes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veridact.locate.detectors.base import Detection
from veridact.locate.detectors.nms import iou
from veridact.locate.video.kalman import (
    BUFFER_RATIO,
    INITIAL_VELOCITY_STD,
    MAX_SIZE_RATIO,
    MEASUREMENT_STD,
    NOMINAL_FPS,
    POSITION_STD,
    VELOCITY_STD,
    buffered_iou,
    initiate,
)

OBSERVED = np.array([[100.0, 60, 40, 50], [104, 61, 41, 50], [109, 61, 42, 52]])
SECONDS = 0.1


def test_predict_and_update_are_those_of_the_textbook() -> None:
    """Kalman 1960: x = F x, P = F P F' + Q; K = P H' / (H P H' + R), x += K (z - H x), P = (I - K H) P.

    Beyond the textbook, the velocity decays.
    """
    dt = SECONDS * NOMINAL_FPS
    transition, noise = np.array([[1, dt], [0, 1]]), np.diag([POSITION_STD**2, VELOCITY_STD**2]) * dt
    mean = np.array([OBSERVED[0], np.zeros(4)])
    covariance = np.diag([MEASUREMENT_STD**2, INITIAL_VELOCITY_STD**2])
    state = initiate(OBSERVED[0])
    for measurement in OBSERVED[1:]:
        mean = transition @ mean
        mean[1] *= np.exp(-SECONDS)
        covariance = transition @ covariance @ transition.T + noise
        gain = covariance[:, :1] / (covariance[0, 0] + MEASUREMENT_STD**2)
        mean = mean + gain * (measurement - mean[0])
        covariance = covariance - gain @ covariance[:1]
        state = state.predict(SECONDS).update(measurement)
    assert np.array([state.position, state.velocity]) == pytest.approx(mean)
    assert state.covariance == pytest.approx((covariance[0, 0], covariance[0, 1], covariance[1, 1]))


CENTRES, SIDES = st.floats(0, 100), st.floats(10, 24)


def enlarged(box: tuple[float, ...]) -> Detection:
    """The box with its buffer on each side (C-BIoU, Yang et al. 2023)."""
    x, y, width, height = box
    half_width, half_height = width / 2 + BUFFER_RATIO * width, height / 2 + BUFFER_RATIO * height
    return Detection("face", x - half_width, y - half_height, x + half_width, y + half_height, 1.0, "p1")


@given(st.tuples(CENTRES, CENTRES, SIDES, SIDES), st.tuples(CENTRES, CENTRES, SIDES, SIDES))
def test_buffered_iou_is_the_iou_of_enlarged_boxes(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    assert buffered_iou(np.array(a), np.array(b)) == pytest.approx(iou(enlarged(a), enlarged(b)), abs=1e-9)


@pytest.mark.parametrize("box", [(50, 50, 20 * MAX_SIZE_RATIO + 1, 20), (50, 50, 20, 20 * MAX_SIZE_RATIO + 1)])
def test_boxes_of_too_different_sizes_do_not_match(box: tuple[float, ...]) -> None:
    same = np.array([50.0, 50, 20, 20])
    assert buffered_iou(same, same) == pytest.approx(1)
    assert buffered_iou(same, np.array(box, float)) == 0
