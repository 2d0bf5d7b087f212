"""Camera motion estimation: known shifts are measured, and none where frames cannot be aligned."""

import numpy as np
import pytest

from veridact.locate.video.camera_motion import (
    THUMBNAIL_COLUMNS,
    THUMBNAIL_ROWS,
    Spectrum,
    Thumbnail,
    camera_path,
    estimate_shift,
    is_fast,
)

ROOM = 40


def scene(seed: int = 3) -> Thumbnail:
    """A smooth random landscape, larger than a thumbnail by 40 pixels on each side."""
    rows, columns = THUMBNAIL_ROWS + 2 * ROOM, THUMBNAIL_COLUMNS + 2 * ROOM
    waves = np.fft.rfft2(np.random.default_rng(seed).normal(size=(rows, columns)))
    fall = 1 / (1e-2 + np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None, :]))
    land = np.fft.irfft2(waves * fall, s=(rows, columns))
    return (127 + 40 * land / land.std()).clip(0, 255).astype(np.float32)


def spectrum_at(land: Thumbnail, right: int, down: int) -> Spectrum:
    """The spectrum of the landscape moved by whole pixels."""
    top, left = ROOM - down, ROOM - right
    return Spectrum.of(land[top : top + THUMBNAIL_ROWS, left : left + THUMBNAIL_COLUMNS])


@pytest.mark.parametrize(("right", "down"), [(0, 0), (1, 0), (5, -3), (-12, 7), (30, 20), (-2, -15)])
def test_known_shifts_are_measured(right: int, down: int) -> None:
    land = scene()
    x, y = estimate_shift(spectrum_at(land, 0, 0), spectrum_at(land, right, down))
    assert x * THUMBNAIL_COLUMNS == pytest.approx(right, abs=0.6)
    assert y * THUMBNAIL_ROWS == pytest.approx(down, abs=0.6)


@pytest.mark.parametrize(
    ("name", "before", "now"),
    [
        ("another scene", scene(1), scene(2)),
        ("black", np.zeros_like(scene()), np.zeros_like(scene())),
        ("out of the dark", np.zeros_like(scene()), scene()),
        ("noise", *(np.random.default_rng(s).uniform(0, 9, scene().shape).astype(np.float32) for s in (1, 2))),
    ],
)
def test_no_shift_is_measured_where_frames_cannot_be_aligned(name: str, before: Thumbnail, now: Thumbnail) -> None:
    x, y = estimate_shift(spectrum_at(before, 0, 0), spectrum_at(now, 0, 0))
    assert abs(x) * THUMBNAIL_COLUMNS < 1
    assert abs(y) * THUMBNAIL_ROWS < 1


def test_an_object_that_moves_in_a_static_scene_is_no_camera_motion() -> None:
    land = scene()
    before, now = land.copy(), land.copy()
    before[60:80, 60:80], now[60:80, 75:95] = 255, 255
    x, y = estimate_shift(spectrum_at(before, 0, 0), spectrum_at(now, 0, 0))
    assert abs(x) * THUMBNAIL_COLUMNS < 1
    assert abs(y) * THUMBNAIL_ROWS < 1


@pytest.mark.parametrize(
    ("shift_px", "fast"), [((0, 0), False), ((38, 0), False), ((39, 0), True), ((0, -39), True), ((-500, 3), True)]
)
def test_the_threshold_of_fast_depends_on_the_size(shift_px: tuple[float, float], fast: bool) -> None:
    assert is_fast(shift_px, (1280, 720)) is fast
    assert is_fast(shift_px, (720, 1280)) is fast
    assert not is_fast(shift_px, (20000, 9000))


def test_frames_that_share_too_little_have_no_shift() -> None:
    land = scene()[ROOM:-ROOM]
    near, far = land[:, 40 : 40 + THUMBNAIL_COLUMNS], land[:, 60 : 60 + THUMBNAIL_COLUMNS]
    before = Spectrum.of(land[:, :THUMBNAIL_COLUMNS])
    assert estimate_shift(before, Spectrum.of(near))[0] * THUMBNAIL_COLUMNS == pytest.approx(-40, abs=0.6)
    assert estimate_shift(before, Spectrum.of(far)) == (0.0, 0.0)


def test_the_camera_path_is_the_sum_of_shifts() -> None:
    assert camera_path([(0, 0), (3, 1), (-1, 2)]).tolist() == [[0, 0], [3, 1], [2, 3]]
