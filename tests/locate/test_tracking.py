"""From detections to dense tracks: association, thresholds, interpolation, padding, smoothing, and shot detection."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from veridact.locate.detectors.base import Detection
from veridact.locate.video.camera_motion import camera_path
from veridact.locate.video.detections import DetectionStore, FrameDetections
from veridact.locate.video.shots import detect_shots
from veridact.locate.video.smoothing import dense_tracks, smooth
from veridact.locate.video.thresholds import Thresholds
from veridact.locate.video.tracker import track
from veridact.locate.video.tracklets import Observation, Observations, Tracklet
from veridact.schema.geometry import edges

THRESHOLDS = {"face": Thresholds(0.5, 0.2), "plate": Thresholds(0.5, 0.2)}
FPS = 25


def face(x: float, y: float = 100, score: float = 0.9, side: float = 40, label: str = "face") -> Detection:
    return Detection(label, x, y, x + side, y + side, score, "p1")


def on_frames(frames: Sequence[Sequence[Detection]]) -> list[FrameDetections]:
    return [FrameDetections(n, n, tuple(found), 0.0, frozenset({"face", "plate"})) for n, found in enumerate(frames)]


def blurred(frames: Sequence[Sequence[Detection]]) -> list[FrameDetections]:
    return [replace(frame, motion_blurred=True) for frame in on_frames(frames)]


def tracklets(frames: Sequence[Sequence[Detection]]) -> list[Tracklet]:
    return track(on_frames(frames), 1 / FPS, THRESHOLDS)


def frames_of(tracklet: Tracklet) -> list[int]:
    return [o.frame for o in tracklet.observations]


@pytest.mark.parametrize(
    ("name", "frames", "expected"),
    [
        ("nothing", [[], []], []),
        ("one face, once", [[face(0)]], [[0]]),
        ("one face, moving", [[face(5 * n)] for n in range(6)], [[0, 1, 2, 3, 4, 5]]),
        ("two faces keep apart", [[face(0), face(300)], [face(300), face(0)]], [[0, 1], [0, 1]]),
        ("a weak box starts nothing", [[face(0, score=0.4)]] * 5, []),
        ("a weak box continues", [[face(0)], [face(0, score=0.3)], [face(0, score=0.3)]], [[0, 1, 2]]),
        ("weak boxes lead up to a strong one", [[face(0, score=0.3)], [face(0, score=0.3)], [face(0)]], [[0, 1, 2]]),
        ("below the link score is nothing", [[face(0)], [face(0, score=0.1)]], [[0]]),
        ("seen again within a second", [[face(0)], *[[]] * 20, [face(0)]], [[0, 21]]),
        ("seen again after more than a second", [[face(0)], *[[]] * 26, [face(0)]], [[0], [27]]),
        ("moving on behind a post", [[face(4 * n)] if not 10 <= n < 16 else [] for n in range(30)],
         [[*range(10), *range(16, 30)]]),
        ("walking on behind a wall for most of a second",
         [[face(4 * n)] if not 10 <= n < 33 else [] for n in range(43)], [[*range(10), *range(33, 43)]]),
        ("another size is another face", [[face(0)], [face(0, side=150)]], [[0], [1]]),
        ("another label is another object", [[face(0)], [face(0, label="plate")]], [[0], [1]]),
        ("elsewhere is another face", [[face(0)], [face(200)]], [[0], [1]]),
    ],
)  # fmt: skip
def test_association(name: str, frames: list[list[Detection]], expected: list[list[int]]) -> None:
    assert [frames_of(t) for t in tracklets(frames)] == expected


@pytest.mark.parametrize(
    ("name", "scores", "expected", "if_sharp"),
    [
        ("half of what is asked of a sharp one", (0.25, 0.25), [[0, 1]], []),
        ("but more than once", (0.25,), [], []),
        ("once is enough for a good one", (0.5,), [[0]], [[0]]),
        ("less than what may continue a track", (0.15, 0.15), [], []),
    ],
)
def test_a_motion_blurred_face_needs_a_lower_score(
    name: str, scores: tuple[float, ...], expected: list[list[int]], if_sharp: list[list[int]]
) -> None:
    frames = [[face(3 * n, score=score)] for n, score in enumerate(scores)]
    assert [frames_of(t) for t in track(blurred(frames), 1 / FPS, THRESHOLDS)] == expected
    assert [frames_of(t) for t in tracklets(frames)] == if_sharp


def test_strong_detections_are_associated_before_weak_ones() -> None:
    found = tracklets([[face(0)], [face(2, score=0.3), face(8, score=0.9)]])
    assert [s.detection.score for s in found[0].observations] == [0.9, 0.9]


def test_fast_motion_is_tracked_at_a_stride() -> None:
    frames = [[face(14 * n)] if n % 3 == 0 else [] for n in range(30)]
    assert [frames_of(t) for t in tracklets(frames)] == [list(range(0, 30, 3))]


def boxes_by_frame(
    tracklet: Tracklet, frames: int, pad: int, shot: tuple[int, int] | None = None
) -> dict[int, tuple[int, ...]]:
    seen = [FrameDetections(n, n, (), 0.0, frozenset({"face"})) for n in range(*(shot or (0, frames)))]
    (made,) = dense_tracks([tracklet], seen, (1280, 720), pad)
    return {made.first + n: box for n, box in enumerate(made.boxes)}


def test_a_gap_is_interpolated() -> None:
    tracklet = tracklets([[face(0)], [], [], [], [face(40)]])[0]
    boxes = boxes_by_frame(tracklet, 5, 0)
    assert sorted(boxes) == [0, 1, 2, 3, 4]
    for frame, x in enumerate((0, 10, 20, 30, 40)):
        left, _, width, _ = boxes[frame]
        assert left <= x
        assert left + width >= x + 40


@pytest.mark.parametrize(
    ("name", "shot", "pad", "expected"),
    [
        ("padded both ends", (0, 20), 3, range(5, 15)),
        ("not padded", (0, 20), 0, range(8, 12)),
        ("clipped at the cuts", (7, 13), 3, range(7, 13)),
        ("clipped at the ends of the clip", (0, 20), 30, range(20)),
    ],
)
def test_ends_are_padded(name: str, shot: tuple[int, int], pad: int, expected: range) -> None:
    tracklet = tracklets([[face(0)] if 8 <= n < 12 else [] for n in range(20)])[0]
    assert sorted(boxes_by_frame(tracklet, 20, pad, shot)) == list(expected)


def test_a_box_cut_by_the_edge_keeps_its_size() -> None:
    tracklet = tracklets([[face(-30 + 2 * n, y=-25)] for n in range(10)])[0]
    for n, (left, top, width, height) in boxes_by_frame(tracklet, 10, 0).items():
        assert left <= -30 + 2 * n
        assert left + width >= 10 + 2 * n
        assert top <= -25
        assert top + height >= 15


@given(
    st.lists(
        st.tuples(*(st.floats(-200, 1400) for _ in range(2)), *(st.floats(1, 300) for _ in range(2)), st.booleans()),
        min_size=2,
        max_size=25,
    ),
    st.lists(st.tuples(st.floats(-90, 90), st.floats(-90, 90)), min_size=25, max_size=25),
)
def test_every_observation_is_covered_however_the_camera_moves(
    rows: list[tuple[float, float, float, float, bool]], shifts: list[tuple[float, float]]
) -> None:
    shot = [FrameDetections(n, n, (), 0.0, frozenset({"face"}), shifts[n]) for n in range(len(rows))]
    at = camera_path(shifts[: len(rows)])
    seen = [
        Observation(n, Detection("face", x, y, x + w, y + h, 0.9, "p1"), True)
        for n, (x, y, w, h, there) in enumerate(rows)
        if there or n == 0
    ]
    (made,) = dense_tracks([Tracklet("face", Observations(seen))], shot, (1280, 720), 3)
    for s in seen:
        cover, d = edges(made.boxes[s.frame - made.first]), s.detection.shifted(*at[s.frame])
        assert cover.left <= d.left + 1e-6
        assert cover.top <= d.top + 1e-6
        assert cover.right >= d.right - 1e-6
        assert cover.bottom >= d.bottom - 1e-6


def test_tracks_are_extended_through_a_whip_pan() -> None:
    """Observed on frames 8 to 11, then a whip pan of 60 px a frame up to frame 17: the face is still in the picture."""
    shot = [
        FrameDetections(n, n, (), 0.0, frozenset({"face"}), (60.0 if 12 <= n < 18 else 0.0, 0.0)) for n in range(30)
    ]
    seen = Tracklet("face", Observations(Observation(n, face(300), True) for n in range(8, 12)))
    (made,) = dense_tracks([seen], shot, (1280, 720), 0)
    assert (made.first, made.end) == (8, 18)
    left, _, width, _ = made.boxes[17 - made.first]
    assert left <= 300 + 6 * 60
    assert left + width >= 340 + 6 * 60


def test_a_padded_end_is_extrapolated_and_keeps_the_last_box() -> None:
    tracklet = tracklets([[face(6 * n)] if n < 10 else [] for n in range(14)])[0]
    left, _, width, _ = boxes_by_frame(tracklet, 14, 3)[12]
    assert left <= 54
    assert left + width >= 72 + 40


@given(
    arrays.arrays(
        np.float64,
        st.tuples(st.integers(1, 40), st.just(4)),
        elements=st.floats(-500, 2500, allow_nan=False, width=32),
    )
)
def test_smoothing_never_uncovers(rows: np.ndarray) -> None:
    edges = np.concatenate([np.minimum(rows[:, :2], rows[:, 2:]), np.maximum(rows[:, :2], rows[:, 2:])], axis=1)
    smoothed = smooth(edges)
    assert (smoothed[:, :2] <= edges[:, :2]).all()
    assert (smoothed[:, 2:] >= edges[:, 2:]).all()


@pytest.mark.parametrize(
    ("name", "changes", "lengths"),
    [
        ("a still scene", [0, 1, 1, 1, 1], [5]),
        ("a cut", [0, 1, 1, 60, 1, 1], [3, 3]),
        ("a fast pan is no cut", [0, 30, 31, 29, 30, 32], [6]),
        ("a cut in a fast pan", [0, 37, 36, 74, 25, 24], [3, 3]),
        ("a cut on the second frame", [0, 60, 1, 1], [1, 3]),
        ("a small change is no cut", [0, 0, 10, 0, 0], [5]),
    ],
)
def test_shots(name: str, changes: list[float], lengths: list[int]) -> None:
    found = detect_shots(
        DetectionStore(
            FrameDetections(n, n, (), float(change), frozenset({"face"})) for n, change in enumerate(changes)
        )
    )
    assert [len(shot) for shot in found] == lengths
