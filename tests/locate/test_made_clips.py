"""The truth of made clips: where each face is, how much of it is in sight, and in which truth it counts."""

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the extra `locate`")

from benchmarks import make_clips
from benchmarks.make_clips import Clip, Moment, Scene, moments, placed, truths

STILL = Clip("still", 5, frames=3, pan=0.0, zoom=(1.0, 1.0), roll=0.0)


def face(x: float, y: float, side: float) -> np.ndarray:
    """The corners of a square face in a scene."""
    return np.array([[x, y], [x + side, y], [x + side, y + side], [x, y + side]], float)


def scene(*faces: np.ndarray, unboxed: tuple[np.ndarray, ...] = ()) -> Scene:
    return Scene(
        np.zeros((1500, 1900, 3), np.uint8), np.array(faces).reshape(-1, 4, 2), np.array(unboxed).reshape(-1, 4, 2)
    )


def moment(bars: list[tuple[int, int, int, int]]) -> Moment:
    """A camera that stands still in the middle of the scene: 640, 360 of the frame shows 950, 750 of the scene."""
    return Moment(STILL, 0, 0, scene(), np.zeros(4), np.array([950.0, 750.0]), bars)


@pytest.mark.parametrize(
    ("name", "left", "bars", "box", "visible"),
    [
        ("in the middle", 930, [], (620, 340, 40, 40), 1.0),
        ("half out of the picture", 290, [], (-20, 340, 40, 40), 0.5),
        ("a quarter behind a bar", 930, [(610, 0, 630, 720)], (620, 340, 40, 40), 0.75),
        ("out of the picture", 200, [], (-110, 340, 40, 40), 0.0),
    ],
)
def test_how_much_of_a_face_is_in_sight(
    name: str, left: int, bars: list[tuple[int, int, int, int]], box: tuple[int, ...], visible: float
) -> None:
    assert list(placed(moment(bars), np.array([face(left, 730, 40)]))) == [(0, box, visible)]


def test_each_face_counts_in_one_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Easy, too small for that, too small for anything, out of sight, and one that the truth of the photos lacks."""
    here = scene(
        face(930, 730, 24), face(800, 730, 23), face(700, 730, 7), face(100, 100, 40), unboxed=(face(1100, 700, 60),)
    )
    monkeypatch.setattr(make_clips, "camera", lambda *_: np.array([[1.0, 0, -310], [0, 1.0, -390]]))
    found = truths(STILL, [here])
    assert {kind: sorted(number for _, number in places) for kind, places in found.items()} == {
        "truth": [0], "hard": [1], "other": [2, 4],
    }  # fmt: skip
    assert all(sorted(boxes) == [0, 1, 2] for places in found.values() for boxes in places.values())


def test_a_clip_is_the_same_on_every_run_and_its_shots_differ() -> None:
    clip = Clip("cut", 9, frames=6, cut_frames=2)
    runs = [[(m.shot, *m.matrix().ravel().round(6)) for m in moments(clip, [scene()])] for _ in range(2)]
    assert runs[0] == runs[1]
    assert [row[0] for row in runs[0]] == [0, 0, 1, 1, 2, 2]
    assert len({row[3] for row in runs[0]}) == 6
