"""How far the camera moved: known shifts are told, and nothing is told where nothing can be known."""

import numpy as np
import pytest

from veridact.locate.video.camera_motion import GIST_COLUMNS, GIST_ROWS, Gist, Glance, is_fast, path, shift

ROOM = 40


def scene(seed: int = 3) -> Gist:
    """A smooth random landscape, larger than a gist by 40 places on each side."""
    rows, columns = GIST_ROWS + 2 * ROOM, GIST_COLUMNS + 2 * ROOM
    waves = np.fft.rfft2(np.random.default_rng(seed).normal(size=(rows, columns)))
    fall = 1 / (1e-2 + np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None, :]))
    land = np.fft.irfft2(waves * fall, s=(rows, columns))
    return (127 + 40 * land / land.std()).clip(0, 255).astype(np.float32)


def seen_from(land: Gist, right: int, down: int) -> Glance:
    """What a camera sees whose picture has moved by whole places."""
    top, left = ROOM - down, ROOM - right
    return Glance.of(land[top : top + GIST_ROWS, left : left + GIST_COLUMNS])


@pytest.mark.parametrize(("right", "down"), [(0, 0), (1, 0), (5, -3), (-12, 7), (30, 20), (-2, -15)])
def test_known_shifts_are_told(right: int, down: int) -> None:
    land = scene()
    x, y = shift(seen_from(land, 0, 0), seen_from(land, right, down))
    assert x * GIST_COLUMNS == pytest.approx(right, abs=0.6)
    assert y * GIST_ROWS == pytest.approx(down, abs=0.6)


@pytest.mark.parametrize(
    ("name", "before", "now"),
    [
        ("another scene", scene(1), scene(2)),
        ("black", np.zeros_like(scene()), np.zeros_like(scene())),
        ("out of the dark", np.zeros_like(scene()), scene()),
        ("noise", *(np.random.default_rng(s).uniform(0, 9, scene().shape).astype(np.float32) for s in (1, 2))),
    ],
)
def test_nothing_is_told_where_nothing_can_be_known(name: str, before: Gist, now: Gist) -> None:
    x, y = shift(seen_from(before, 0, 0), seen_from(now, 0, 0))
    assert abs(x) * GIST_COLUMNS < 1
    assert abs(y) * GIST_ROWS < 1


def test_a_thing_that_moves_in_a_still_scene_is_no_camera() -> None:
    land = scene()
    before, now = land.copy(), land.copy()
    before[60:80, 60:80], now[60:80, 75:95] = 255, 255
    x, y = shift(seen_from(before, 0, 0), seen_from(now, 0, 0))
    assert abs(x) * GIST_COLUMNS < 1
    assert abs(y) * GIST_ROWS < 1


@pytest.mark.parametrize(
    ("shift_px", "fast"), [((0, 0), False), ((38, 0), False), ((39, 0), True), ((0, -39), True), ((-500, 3), True)]
)
def test_what_is_fast_depends_on_the_size(shift_px: tuple[float, float], fast: bool) -> None:
    assert is_fast(shift_px, (1280, 720)) is fast
    assert is_fast(shift_px, (720, 1280)) is fast
    assert not is_fast(shift_px, (20000, 9000))


def test_what_shares_too_little_is_another_shot() -> None:
    land = scene()[ROOM:-ROOM]
    near, far = land[:, 40 : 40 + GIST_COLUMNS], land[:, 60 : 60 + GIST_COLUMNS]
    before = Glance.of(land[:, :GIST_COLUMNS])
    assert shift(before, Glance.of(near))[0] * GIST_COLUMNS == pytest.approx(-40, abs=0.6)
    assert shift(before, Glance.of(far)) == (0.0, 0.0)


def test_a_path_adds_up() -> None:
    assert path([(0, 0), (3, 1), (-1, 2)]).tolist() == [[0, 0], [3, 1], [2, 3]]
