"""Plates in real pictures and footage: detected, and covered on every frame on which a person can read them."""

import json
from pathlib import Path

import pytest
from PIL import Image

from veridact.locate.detectors import rapidocr
from veridact.locate.detectors.base import Detection, Request
from veridact.locate.detectors.nms import iou
from veridact.locate.options import STILL_START, Options
from veridact.locate.pipeline import detectors_for, locate
from veridact.locate.video.frames import PictureView
from veridact.schema import timeline
from veridact.schema.geometry import Edges, edges
from veridact.schema.plan.segments import walk

pytestmark = [pytest.mark.real_media, pytest.mark.extra]

CARS = "parkpow_cars.mp4"
READABLE = {
    "the grey car, until it leaves below": {
        0: (455, 653, 570, 700), 24: (452, 652, 570, 705), 36: (438, 655, 568, 708), 42: (422, 662, 556, 712),
    },
    "the red car, from behind the other until it leaves below": {
        104: (574, 505, 626, 533), 108: (530, 513, 598, 553), 112: (478, 539, 561, 576), 120: (381, 593, 475, 640),
        126: (292, 643, 393, 697),
    },
    "the blue lorry, from afar": {
        262: (867, 325, 894, 338), 274: (859, 337, 890, 350), 282: (853, 347, 892, 360), 298: (839, 362, 881, 379),
        306: (829, 374, 876, 394), 314: (817, 387, 870, 408), 322: (808, 400, 860, 421), 330: (789, 419, 849, 440),
        336: (778, 427, 839, 448),
    },
}  # fmt: skip
"""What was read on contact sheets: the boxes of the letters, as left, top, right and bottom, by frame."""


def inside(letters: Edges, box: Edges) -> float:
    """The part of the letters that lies in a box."""
    width = min(letters.right, box.right) - max(letters.left, box.left)
    height = min(letters.bottom, box.bottom) - max(letters.top, box.top)
    return max(0, width) * max(0, height) / (letters.width * letters.height)


def test_a_track_covers_each_plate_for_as_long_as_it_can_be_read(real_media: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra `locate`")
    options = Options(labels=("plate",), workers=2)
    manifest = locate(
        real_media / "videos" / CARS, options, detectors_for(options), lambda what, done, total: None
    ).manifest
    times = timeline.from_manifest(manifest)[0].assumed()
    tracks = [dict(walk(t.segments, times)) for t in manifest.tracks]
    for name, places in READABLE.items():
        least = [
            min(inside(Edges(*letters), edges(boxes[frame])) if frame in boxes else 0.0
                for frame, letters in places.items())
            for boxes in tracks
        ]  # fmt: skip
        assert max(least, default=0) >= 0.9, name


def test_plates_are_detected_in_pictures(real_media: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra `locate`")
    truth = json.loads((real_media / "GROUND_TRUTH.json").read_text())["images"]
    detector = rapidocr.load(Request("p1", frozenset({"plate"}), STILL_START, "cpu"))
    hits = []
    for name in [n for n in truth if "robertlucian" in n]:
        with Image.open(real_media / name) as image:
            found = [d for d in detector.detect(PictureView(image.convert("RGB"))) if d.score > STILL_START]
        for x, y, w, h in truth[name]["boxes"]:
            true = Detection("plate", x, y, x + w, y + h, 1.0, "hand")
            hits.append(any(iou(d, true) >= 0.3 for d in found))
    assert hits == [True] * 8
