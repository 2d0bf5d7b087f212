"""Crops map back to where they were taken, and confirm uncertain detections."""

import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image

from veridact.locate.detectors.base import Detection, View
from veridact.locate.video.crops import CROP_PX, CROP_SIDES, CropView, crop_around
from veridact.locate.video.detect import DetectorEnsemble
from veridact.locate.video.frames import FootageView, PictureView
from veridact.locate.video.thresholds import Thresholds
from veridact.schema.manifest import Producer

SIZE = (1280, 720)


def page(left: int, top: int, right: int, bottom: int) -> Image.Image:
    """Black, with a white box."""
    pixels = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    pixels[top:bottom, left:right] = 255
    return Image.fromarray(pixels)


class Finder:
    """Detects the box around everything bright, with one score in frames and another in crops."""

    labels = frozenset({"face"})
    min_interval_seconds = 0.0
    interval_seconds = 0.17

    def __init__(self, score: float = 0.9, score_in_crops: float = 0.9, aside_px: float = 0.0) -> None:
        self.producer = Producer(id="p1", kind="model", name="finder", settings={})
        self.asked = 0
        self._score, self._score_in_crops, self._aside_px = score, score_in_crops, aside_px

    def detect(self, view: View) -> list[Detection]:
        bright = view.rgb(view.width, view.height).min(axis=2) > 128
        rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
        aside = self._aside_px if view.is_crop else 0.0
        self.asked += view.is_crop
        edges = (columns[0] + aside, float(rows[0]), columns[-1] + 1.0 + aside, rows[-1] + 1.0)
        return [Detection("face", *edges, self._score_in_crops if view.is_crop else self._score, "p1")]


@pytest.mark.parametrize("orientation", [1, 4, 6, 7])
@pytest.mark.parametrize("size", [(320, 240), (357, 241), (642, 362)])
@pytest.mark.parametrize(
    "form",
    ["yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv411p", "yuv420p10le", "gbrp", "gray", "nv12", "rgb24", "pal8"],
)
def test_a_region_equals_that_part_of_the_whole_frame(form: str, size: tuple[int, int], orientation: int) -> None:
    chance = np.random.default_rng(1)
    frame = VideoFrame(*size, form)
    for plane in frame.planes:
        plane.update(chance.integers(0, 256, plane.buffer_size, np.uint8).tobytes())
    frame.colorspace, frame.color_range = Colorspace.ITU709, ColorRange.MPEG
    view = FootageView(frame, orientation)
    whole = view.rgb(view.width, view.height)
    for x, y, width, height in chance.integers(1, (view.width, view.height, 200, 200), (12, 4)).tolist():
        right, bottom = min(view.width, x + width), min(view.height, y + height)
        assert np.array_equal(view.region(x, y, right, bottom), whole[y:bottom, x:right])


@pytest.mark.parametrize("side", [10, 31, 32, 70, 200])
@pytest.mark.parametrize(("x", "y"), [(640, 360), (5, 5), (1275, 700)])
def test_a_detection_in_a_crop_maps_back_to_the_frame(side: int, x: int, y: int) -> None:
    left, top, right, bottom = (max(0, v) for v in (x - side // 2, y - side // 2, x + side // 2, y + side // 2))
    (crop,) = crop_around(PictureView(page(left, top, right, bottom)), [np.array([x, y, side, side], float)])
    assert crop is not None
    (found,) = Finder().detect(crop.view)
    in_frame = crop.to_frame(found)
    tolerance = max(2.0, 2 * side * CROP_SIDES / CROP_PX)
    assert in_frame.left == pytest.approx(left, abs=tolerance)
    assert in_frame.top == pytest.approx(top, abs=tolerance)
    assert in_frame.right == pytest.approx(min(right, SIZE[0]), abs=tolerance)
    assert in_frame.bottom == pytest.approx(min(bottom, SIZE[1]), abs=tolerance)
    assert max(crop.view.width, crop.view.height) <= CROP_PX


def test_there_is_no_crop_outside_the_frame() -> None:
    assert crop_around(PictureView(page(0, 0, 9, 9)), [np.array([-900.0, 50, 20, 20])]) == [None]


def test_a_crop_is_scaled_both_ways() -> None:
    view = CropView(np.full((40, 60, 3), 7, np.uint8))
    assert view.rgb(30, 20).shape == (20, 30, 3)
    assert view.rgb(120, 80).shape == (80, 120, 3)


@pytest.mark.parametrize(
    ("name", "finder", "traits", "score", "crops"),
    [
        ("uncertain, and confirmed", Finder(0.35, 0.6), {}, 0.6, 1),
        ("uncertain, and scoring no more", Finder(0.35, 0.2), {}, 0.35, 1),
        ("uncertain, and detected elsewhere", Finder(0.35, 0.6, aside_px=60), {}, 0.35, 1),
        ("weak", Finder(0.29, 0.6), {}, 0.29, 0),
        ("certain", Finder(0.4, 0.6), {}, 0.4, 0),
        ("a still was examined at full size already", Finder(0.35, 0.6), {"still": True}, 0.35, 0),
        ("a motion-blurred frame shows no more enlarged", Finder(0.35, 0.6), {"motion_blurred": True}, 0.35, 0),
    ],
)
def test_uncertain_detections_are_tried_again_in_a_crop(
    name: str, finder: Finder, traits: dict[str, bool], score: float, crops: int
) -> None:
    picture = PictureView(page(600, 300, 640, 340), **{"still": False, **traits})
    ensemble = DetectorEnsemble([finder], {"face": Thresholds(0.4, 0.2)}, 1, None)
    (found,) = ensemble.detect(picture, [finder])
    assert (found.left, found.top, found.right, found.bottom) == (600, 300, 640, 340)
    assert (found.score, finder.asked) == (score, crops)
