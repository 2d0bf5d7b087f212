"""Which frames are sampled: few where nothing happens, more where an object appears or vanishes, and at cuts."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from PIL import Image

from veridact.errors import MediaError
from veridact.locate.detectors.base import DEFAULT_INTERVAL_SECONDS, Detection, View
from veridact.locate.video.detect import DetectorEnsemble
from veridact.locate.video.frames import DecodedFrame, PictureView
from veridact.locate.video.sampling import rates
from veridact.locate.video.sampling.cadence import agree
from veridact.locate.video.thresholds import Thresholds
from veridact.schema.manifest import Producer

THRESHOLDS = {"face": Thresholds(0.5, 0.2)}
FPS = 25


def face(x: float, score: float = 0.9, side: float = 40) -> Detection:
    return Detection("face", x, 100, x + side, 100 + side, score, "p1")


@pytest.mark.parametrize(
    ("name", "a", "b", "shift_px", "agreed"),
    [
        ("nothing", [], [], (0, 0), True),
        ("the same", [face(0)], [face(3)], (0, 0), True),
        ("gone", [face(0)], [], (0, 0), False),
        ("new", [], [face(0)], (0, 0), False),
        ("gone weak", [face(0)], [face(0, 0.3)], (0, 0), True),
        ("far from where it was", [face(0)], [face(70)], (0, 0), False),
        ("where the camera leads to", [face(0)], [face(70)], (70, 0), True),
        ("the camera makes a whip pan", [face(0)], [face(200)], (200, 0), False),
        ("strong in one", [face(0, 0.4)], [face(0, 0.6)], (0, 0), True),
        ("strong in none", [face(0, 0.4)], [], (0, 0), True),
    ],
)
def test_when_samples_agree(
    name: str, a: list[Detection], b: list[Detection], shift_px: tuple[float, float], agreed: bool
) -> None:
    assert agree(a, b, shift_px, THRESHOLDS) is agreed


class Counter:
    """Detects one face on the frames given, and records the frames it was run on."""

    labels = frozenset({"face"})
    interval_seconds = DEFAULT_INTERVAL_SECONDS

    def __init__(self, there: set[int], min_interval_seconds: float = 0.0) -> None:
        self.min_interval_seconds = min_interval_seconds
        self.producer = Producer(id="p1", kind="model", name="counter", settings={})
        self.asked: list[int] = []
        self.motion_blurred: list[int] = []
        self._there = there

    def detect(self, view: View) -> list[Detection]:
        number = int(view.rgb(160, 90)[0, 0, 0])
        self.asked.append(number)
        self.motion_blurred += [number] if view.motion_blurred else []
        return [face(20)] if number in self._there else []


def frames(count: int, cut: int | None = None) -> Iterator[DecodedFrame]:
    """A static scene; the number of the frame is in its first pixel. From `cut` on it is another scene."""
    scenes = [np.random.default_rng(s).integers(40, 220, (90, 160, 3), np.uint8) for s in (1, 2)]
    for number in range(count):
        pixels = scenes[cut is not None and number >= cut].copy()
        pixels[0, 0] = number
        yield DecodedFrame(number, number, PictureView(Image.fromarray(pixels)))


def whip_pan(count: int, whip: range) -> Iterator[DecodedFrame]:
    """One wide scene over which the camera moves by a tenth of the picture a frame during the whip pan."""
    scene = np.random.default_rng(1).integers(40, 220, (90, 160 + 16 * len(whip), 3), np.uint8)
    for number in range(count):
        left = 16 * sum(n <= number for n in whip)
        pixels = scene[:, left : left + 160].copy()
        pixels[0, 0] = number
        yield DecodedFrame(number, number, PictureView(Image.fromarray(pixels)))


@pytest.mark.parametrize(("stride", "between"), [(None, [0, 5, 10, 16, 21, 26, 30]), (10, [0, 10, 20, 30])])
def test_every_motion_blurred_frame_is_sampled_and_marked(stride: int | None, between: list[int]) -> None:
    counter = Counter(set())
    ensemble = DetectorEnsemble([counter], THRESHOLDS, 1, stride)
    results = list(rates.detect_frames(ensemble, whip_pan(31, range(11, 17)), 1 / FPS, lambda done: None))
    assert [frame.frame for frame in results if frame.motion_blurred] == list(range(11, 17))
    assert sorted(counter.motion_blurred) == ([] if stride else list(range(11, 17)))
    assert sorted(counter.asked) == sorted({*between, *counter.motion_blurred})


def asked(
    there: set[int], stride: int | None = None, cut: int | None = None, min_interval: float = 0.0,
    interval: float = DEFAULT_INTERVAL_SECONDS, fps: int = FPS,
) -> list[int]:  # fmt: skip
    counter = Counter(there, min_interval)
    counter.interval_seconds = interval
    ensemble = DetectorEnsemble([counter], THRESHOLDS, 1, stride)
    results = list(rates.detect_frames(ensemble, frames(33, cut), 1 / fps, lambda done: None))
    assert [frame.frame for frame in results] == list(range(33))
    assert {frame.frame for frame in results if frame.labels} == set(counter.asked)
    return sorted(counter.asked)


@pytest.mark.parametrize(
    ("name", "there", "options", "expected"),
    [
        ("nothing there", set(), {}, [0, 5, 10, 15, 20, 25, 30, 32]),
        ("there throughout", set(range(33)), {}, [0, 5, 10, 15, 20, 25, 30, 32]),
        ("comes at 12", set(range(12, 33)), {}, [0, 5, 10, 12, 15, 20, 25, 30, 32]),
        ("comes at 12, at 5 fps", set(range(12, 33)), {"interval": 2.0, "fps": 5}, [0, 10, 11, 12, 15, 20, 30, 32]),
        ("every frame", set(), {"stride": 1}, list(range(33))),
        ("every tenth", set(), {"stride": 10}, [0, 10, 20, 30, 32]),
        ("both sides of a cut", set(), {"cut": 18}, [0, 5, 10, 15, 17, 18, 23, 28, 32]),
        ("a minimum interval", set(), {"min_interval": 0.4}, [0, 10, 20, 30]),
    ],
)
def test_sampled_frames(name: str, there: set[int], options: dict[str, int], expected: list[int]) -> None:
    assert asked(there, **options) == expected


class Together(Counter):
    """Takes three frames in one call."""

    batch_size = 3

    def __init__(self, there: set[int]) -> None:
        super().__init__(there)
        self.batches: list[int] = []

    def detect_batch(self, views: Sequence[View]) -> list[list[Detection]]:
        self.batches.append(len(views))
        return [self.detect(view) for view in views]


@pytest.mark.parametrize("stride", [None, 1, 4])
@pytest.mark.parametrize("workers", [1, 2])
def test_batches_yield_the_same_detections(stride: int | None, workers: int) -> None:
    alone, together = Counter(set(range(12, 40))), Together(set(range(12, 40)))
    one, three = (
        [(frame.frame, frame.detections, frame.labels) for frame in rates.detect_frames(
            DetectorEnsemble([d], THRESHOLDS, workers, stride), frames(61, 47), 1 / FPS, lambda done: None)]
        for d in (alone, together)
    )  # fmt: skip
    assert one == three
    assert len(one) == 61
    assert set(together.batches) <= {2, 3}
    assert together.batches.count(3) >= 3


def test_a_model_that_fails_in_a_batch_ends_the_search() -> None:
    class Failing(Together):
        def detect_batch(self, views: Sequence[View]) -> list[list[Detection]]:
            raise MediaError("the model failed")

    with pytest.raises(MediaError, match="the model failed"):
        list(
            rates.detect_frames(
                DetectorEnsemble([Failing(set())], THRESHOLDS, 2, None), frames(61), 1 / FPS, lambda done: None
            )
        )
