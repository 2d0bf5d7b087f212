"""Detections and observations in typed arrays: what is stored is returned."""

from hypothesis import given
from hypothesis import strategies as st

from veridact.locate.detectors.base import Detection
from veridact.locate.video.detections import DetectionStore, FrameDetections
from veridact.locate.video.tracklets import Observation, Observations

NUMBERS = st.floats(allow_nan=False)
NAMES = st.sampled_from(["face", "plate", "text"])
DETECTIONS = st.builds(
    Detection, NAMES, NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.floats(0, 1), st.sampled_from(["p1", "p2"])
)
FRAMES = st.builds(
    FrameDetections, st.just(0), st.integers(-(2**63), 2**63 - 1), st.lists(DETECTIONS, max_size=4).map(tuple), NUMBERS,
    st.frozensets(NAMES), st.tuples(NUMBERS, NUMBERS), st.booleans(),
)  # fmt: skip


@given(st.lists(FRAMES, max_size=12), st.integers(0, 1000), st.integers(0, 12), st.integers(0, 12))
def test_frames_are_stored(given_frames: list[FrameDetections], first: int, start: int, stop: int) -> None:
    numbered = [
        FrameDetections(first + n, k.pts, k.detections, k.change, k.labels, k.shift_px, k.motion_blurred)
        for n, k in enumerate(given_frames)
    ]
    kept = DetectionStore(numbered)
    assert list(kept) == numbered
    assert list(kept[start:stop]) == numbered[start:stop]
    assert list(kept[start:][1:]) == numbered[start:][1:]
    assert [kept[start:stop][n] for n in range(len(numbered[start:stop]))] == numbered[start:stop]


@given(st.lists(DETECTIONS, max_size=12), st.data())
def test_observations_are_stored(found: list[Detection], data: st.DataObject) -> None:
    frames = sorted(data.draw(st.sets(st.integers(0, 99), min_size=len(found), max_size=len(found))))
    seen = [Observation(frame, d, data.draw(st.booleans())) for frame, d in zip(frames, found, strict=True)]
    kept = Observations(seen)
    assert list(kept) == seen
    assert kept[-6:] == seen[-6:]
    assert kept[5::-1] == seen[5::-1]
    assert {frame: d for frame in range(100) if (d := kept.on(frame))} == dict(zip(frames, found, strict=True))
