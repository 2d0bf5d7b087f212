"""Detectors that look at different paces: each at its own frames, every frame once, and all that was found on it."""

import threading
import weakref
from collections.abc import Iterator

import numpy as np
import pytest
from av.video.frame import VideoFrame
from PIL import Image

from veridact.locate.detectors.base import AUTO_SECONDS, Detection, View
from veridact.locate.video.detect import Search
from veridact.locate.video.detections import Look
from veridact.locate.video.frames import FootageView, PictureView, Shown
from veridact.locate.video.sampling import rates
from veridact.locate.video.thresholds import Thresholds
from veridact.schema.manifest import Producer

FPS = 25
FRAMES = 31
STRIDE = 40
LIMITS = Thresholds(0.4, 0.2)


class There:
    """Finds one thing of its label on the frames it is told of."""

    rest_seconds = 0.0

    def __init__(self, label: str, pace_seconds: float, there: range) -> None:
        self.pace_seconds = pace_seconds
        self.labels = frozenset({label})
        self.producer = Producer(id="p1", kind="model", name=label, settings={})
        self.asked: list[int] = []
        self._there = there

    def detect(self, view: View) -> list[Detection]:
        number = int(view.rgb(160, 90)[0, 0, 0])
        self.asked.append(number)
        (label,) = self.labels
        return [Detection(label, 20, 20, 40, 40, 0.9, "p1")] if number in self._there else []


def shown(count: int = FRAMES) -> Iterator[Shown]:
    """A still scene; the number of the frame is in its first pixel."""
    pixels = np.random.default_rng(1).integers(40, 220, (90, 160, 3), np.uint8)
    for number in range(count):
        pixels[0, 0] = number % 256
        yield Shown(number, number, PictureView(Image.fromarray(pixels.copy())))


def looked(detectors: list[There], stride: int | None = None) -> list[Look]:
    thresholds = {"face": LIMITS, "plate": LIMITS}
    told: list[int] = []
    found = list(rates.looks(Search(detectors, thresholds, 2, stride), shown(), 1 / FPS, told.append))
    assert [look.frame for look in found] == list(range(FRAMES))
    assert told == list(range(1, FRAMES + 1))
    return found


@pytest.mark.parametrize(
    ("name", "stride", "there", "faces", "plates"),
    [
        ("calm", None, range(0), [0, 5, 10, 15, 20, 25, 30], [0, 13, 26, 30]),
        ("a plate comes at 20", None, range(20, 99), [0, 5, 10, 15, 20, 25, 30], [0, 13, 19, 22, 26, 30]),
        ("with a stride, together", 10, range(0), [0, 10, 20, 30], [0, 10, 20, 30]),
    ],
)
def test_each_looks_at_its_own_pace(
    name: str, stride: int | None, there: range, faces: list[int], plates: list[int]
) -> None:
    quick, slow = There("face", AUTO_SECONDS, range(FRAMES)), There("plate", 0.5, there)
    looks = looked([slow, quick], stride)
    assert (sorted(quick.asked), sorted(slow.asked)) == (faces, plates)
    assert [look.frame for look in looks if "plate" in look.labels] == plates
    assert [look.frame for look in looks if any(d.label == "plate" for d in look.detections)] == [
        n for n in plates if n in there
    ]
    assert [look.frame for look in looks if any(d.label == "face" for d in look.detections)] == faces


def test_two_that_find_the_same_at_different_paces_count_once() -> None:
    both = [There("face", AUTO_SECONDS, range(FRAMES)), There("face", 0.5, range(FRAMES))]
    assert {len(look.detections) for look in looked(both)} == {0, 1}
    assert len(looked(both)[0].detections) == 1


def test_pictures_are_kept_no_longer_than_somebody_may_look_at_them() -> None:
    """With a stride nothing is looked at between: of the spans that are under way, one at most has all its pictures."""
    gone: list[int] = []
    alive: list[int] = []

    def counted() -> Iterator[Shown]:
        for frame in shown(STRIDE * 8):
            weakref.finalize(frame.view.image, gone.append, frame.number)  # type: ignore[union-attr]
            alive.append(frame.number + 1 - len(gone))
            yield frame

    search = Search([There("face", AUTO_SECONDS, range(0))], {"face": LIMITS}, 2, STRIDE)
    assert sum(1 for _ in rates.looks(search, counted(), 1 / FPS, lambda done: None)) == STRIDE * 8
    assert STRIDE <= max(alive) <= STRIDE + 10


def test_no_detector_is_no_look() -> None:
    assert not any(look.detections for look in looked([]))


def test_several_may_look_at_one_frame_at_once() -> None:
    """Two lanes share frames; a scaler that belongs to the frame would never return here."""
    pixels = np.random.default_rng(1).integers(0, 256, (720, 1280, 3), np.uint8)
    view = FootageView(VideoFrame.from_ndarray(pixels, "rgb24").reformat(format="yuv420p"), 1)
    expected = view.rgb(768, 432)
    alike: list[bool] = []

    def look() -> None:
        alike.extend(bool((view.rgb(768, 432) == expected).all()) and view.gist().any() for _ in range(20))

    threads = [threading.Thread(target=look, daemon=True) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert alike == [True] * 120
