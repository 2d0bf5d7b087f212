"""Real clips: on every frame where a face can be seen there is a cover."""

from pathlib import Path

import pytest

from locate.options import Options
from locate.pipeline import detectors_for, locate
from schema.manifest import Manifest

pytestmark = [pytest.mark.real_media, pytest.mark.extra]


def located(path: Path) -> Manifest:
    pytest.importorskip("onnxruntime", reason="needs the extra `locate`")
    options = Options(labels=("face",), workers=2)
    return locate(path, options, detectors_for(options), lambda what, done, total: None).manifest


def test_both_people_at_the_table_are_covered_throughout(real_media: Path) -> None:
    manifest = located(real_media / "videos" / "egoblur_gen2_test_face_video.mp4")
    whole = [t for t in manifest.tracks if (t.segments[0].keys[0].frame, t.segments[0].end) == (0, 14)]
    assert len(whole) == 2


def test_the_face_on_the_shop_window_is_covered(real_media: Path) -> None:
    manifest = located(real_media / "videos" / "mmpose_demo.mp4")
    boxes = [s.keys[0].box for t in manifest.tracks for s in t.segments if s.keys[0].frame == 0]
    assert any(x <= 936 and y <= 181 and x + w >= 946 and y + h >= 198 for x, y, w, h in boxes)
