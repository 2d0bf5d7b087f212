"""Detectors with different intervals: each on its own samples, every frame once, with all detections on it."""

import threading
import weakref
from collections.abc import Iterator

import numpy as np
import pytest
from av.video.frame import VideoFrame
from PIL import Image

from veridact.locate.detectors.base import DEFAULT_INTERVAL_SECONDS, Detection, View
from veridact.locate.video.detect import DetectorEnsemble
from veridact.locate.video.detections import FrameDetections
from veridact.locate.video.frames import DecodedFrame, FootageView, PictureView
from veridact.locate.video.sampling import rates
from veridact.locate.video.thresholds import Thresholds
from veridact.schema.manifest import Producer

FPS = 25
FRAMES = 31
STRIDE = 40
LIMITS = Thresholds(0.4, 0.2)


class OnFrames:
    """Detects one object of its label on the frames given."""

    min_interval_seconds = 0.0

    def __init__(self, label: str, interval_seconds: float, there: range) -> None:
        self.interval_seconds = interval_seconds
        self.labels = frozenset({label})
        self.producer = Producer(id="p1", kind="model", name=label, settings={})
        self.asked: list[int] = []
        self._there = there

    def detect(self, view: View) -> list[Detection]:
        number = int(view.rgb(160, 90)[0, 0, 0])
        self.asked.append(number)
        (label,) = self.labels
        return [Detection(label, 20, 20, 40, 40, 0.9, "p1")] if number in self._there else []


def frames(count: int = FRAMES) -> Iterator[DecodedFrame]:
    """A static scene; the number of the frame is in its first pixel."""
    pixels = np.random.default_rng(1).integers(40, 220, (90, 160, 3), np.uint8)
    for number in range(count):
        pixels[0, 0] = number % 256
        yield DecodedFrame(number, number, PictureView(Image.fromarray(pixels.copy())))


def detected(detectors: list[OnFrames], stride: int | None = None) -> list[FrameDetections]:
    thresholds = {"face": LIMITS, "plate": LIMITS}
    reported: list[int] = []
    found = list(
        rates.detect_frames(DetectorEnsemble(detectors, thresholds, 2, stride), frames(), 1 / FPS, reported.append)
    )
    assert [frame.frame for frame in found] == list(range(FRAMES))
    assert reported == list(range(1, FRAMES + 1))
    return found


@pytest.mark.parametrize(
    ("name", "stride", "there", "faces", "plates"),
    [
        ("calm", None, range(0), [0, 5, 10, 15, 20, 25, 30], [0, 13, 26, 30]),
        ("a plate comes at 20", None, range(20, 99), [0, 5, 10, 15, 20, 25, 30], [0, 13, 19, 22, 26, 30]),
        ("with a stride, together", 10, range(0), [0, 10, 20, 30], [0, 10, 20, 30]),
    ],
)
def test_each_detector_has_its_own_interval(
    name: str, stride: int | None, there: range, faces: list[int], plates: list[int]
) -> None:
    quick, slow = OnFrames("face", DEFAULT_INTERVAL_SECONDS, range(FRAMES)), OnFrames("plate", 0.5, there)
    results = detected([slow, quick], stride)
    assert (sorted(quick.asked), sorted(slow.asked)) == (faces, plates)
    assert [frame.frame for frame in results if "plate" in frame.labels] == plates
    assert [frame.frame for frame in results if any(d.label == "plate" for d in frame.detections)] == [
        n for n in plates if n in there
    ]
    assert [frame.frame for frame in results if any(d.label == "face" for d in frame.detections)] == faces


def test_equal_detections_at_different_intervals_are_merged() -> None:
    both = [OnFrames("face", DEFAULT_INTERVAL_SECONDS, range(FRAMES)), OnFrames("face", 0.5, range(FRAMES))]
    assert {len(frame.detections) for frame in detected(both)} == {0, 1}
    assert len(detected(both)[0].detections) == 1


def test_pixels_are_released_once_no_detector_needs_them() -> None:
    """With a stride there is no bisection: of the pending spans, one at most has all its pixels."""
    gone: list[int] = []
    alive: list[int] = []

    def counted() -> Iterator[DecodedFrame]:
        for frame in frames(STRIDE * 8):
            weakref.finalize(frame.view.image, gone.append, frame.number)  # type: ignore[union-attr]
            alive.append(frame.number + 1 - len(gone))
            yield frame

    ensemble = DetectorEnsemble([OnFrames("face", DEFAULT_INTERVAL_SECONDS, range(0))], {"face": LIMITS}, 2, STRIDE)
    assert sum(1 for _ in rates.detect_frames(ensemble, counted(), 1 / FPS, lambda done: None)) == STRIDE * 8
    assert STRIDE <= max(alive) <= STRIDE + 10


def test_without_a_detector_there_are_no_detections() -> None:
    assert not any(frame.detections for frame in detected([]))


def test_several_threads_may_convert_one_frame() -> None:
    """Two samplers share frames; a scaler that belongs to the frame would deadlock here."""
    pixels = np.random.default_rng(1).integers(0, 256, (720, 1280, 3), np.uint8)
    view = FootageView(VideoFrame.from_ndarray(pixels, "rgb24").reformat(format="yuv420p"), 1)
    expected = view.rgb(768, 432)
    alike: list[bool] = []

    def convert() -> None:
        alike.extend(bool((view.rgb(768, 432) == expected).all()) and view.thumbnail().any() for _ in range(20))

    threads = [threading.Thread(target=convert, daemon=True) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert alike == [True] * 120
