"""Rendering video: the same bytes however it is run, timestamps kept, the hand edit where the hand put it."""

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from veridact.media.containers import codec_header
from veridact.media.frames.side_data import orientation
from veridact.media.pictures import displayed
from veridact.media.timestamps import read_pts
from veridact.media.video import decode, demux, open_media
from veridact.render.audio.ancillary import codecs
from veridact.render.video import frames as render_frames
from veridact.render.video.paint import paint
from veridact.render.video.stream import spec_of
from veridact.schema.geometry import clip as cut
from veridact.schema.geometry import edges, grow_to_grid, matrix_of_orientation
from veridact.schema.manifest import Cells, Key, Manifest, Solid
from veridact.schema.plan.video import Raster, StreamPlan

VFR = [0, 40, 55, 130, 131, 200, 333, 340, 341, 500]
NINETY = matrix_of_orientation(6)

CLIPS: dict[str, dict[str, Any]] = {
    "constant.mp4": {"audio": "aac"},
    "variable.mkv": {"frames": 10, "pts": VFR, "time_base": Fraction(1, 1000), "options": {"bf": "0"}},
    "turned.mov": {"matrix": NINETY, "frames": 12},
    "odd.mkv": {"size": (61, 47), "codec": "ffv1", "pixel_format": "yuv420p", "frames": 12},
    "full-chroma.mkv": {"codec": "ffv1", "pixel_format": "yuv444p", "frames": 12},
    "ten-bit.mkv": {"codec": "ffv1", "pixel_format": "yuv420p10le", "frames": 12},
    "sparse-chroma.avi": {"codec": "ffv1", "pixel_format": "yuv422p", "frames": 12},
    "gray.mkv": {"codec": "ffv1", "pixel_format": "gray", "frames": 12},
    "old.mpg.ts": {"codec": "mpeg2video", "frames": 30, "options": {"bf": "2"}},
    "empty-chunks.avi": {"codec": "mpeg4", "frames": 12, "pts": [0, *range(2, 9), 11, 12, 13, 15]},
}
BOX = (8, 8, 20, 16)


def times(path: Path) -> list[Fraction]:
    with open_media(path) as media, demux(media) as container:
        stream = container.streams.video[0]
        return [frame.pts * stream.time_base for frame in decode(container, stream)]  # type: ignore[operator]


@pytest.mark.parametrize("name", CLIPS)
def test_frames_and_times_are_kept(
    name: str, clip: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    source = clip(name, **CLIPS[name])
    manifest = make_manifest(source, (make_track(1, BOX, CLIPS[name].get("frames", 40)),))
    code, _, err = command("render", source, saved(manifest), tmp_path / "out.mp4")
    assert (code, times(tmp_path / "out.mp4")) == (0, times(source)), err
    with open_media(tmp_path / "out.mp4") as media, demux(media) as container:
        record = manifest.source.streams[0]
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (-(-record.coded_width // 2) * 2, -(-record.coded_height // 2) * 2) or (
            stream.width,
            stream.height,
        ) == (record.coded_width, record.coded_height)
        assert [s.type for s in container.streams] == [s.type for s in manifest.source.streams]


@pytest.mark.parametrize("container", ["mp4", "mkv"])
@pytest.mark.parametrize("turned", range(1, 9))
def test_a_picture_that_is_turned_or_mirrored_is_covered_as_displayed_and_stays_so(
    turned: int, container: str, clip: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any,
    tmp_path: Path,
) -> None:  # fmt: skip
    source, out = clip("in.mov", frames=2, matrix=matrix_of_orientation(turned)), tmp_path / f"out.{container}"
    manifest = saved(make_manifest(source, (make_track(1, (4, 6, 20, 14), 2),), container=container))
    assert command("render", source, manifest, out)[0] == 0
    with open_media(out) as media, demux(media) as opened:
        frame = next(decode(opened, opened.streams.video[0]))
        assert orientation(frame) == turned
        shown = np.asarray(displayed(frame.to_image(), turned).convert("L"))
    assert shown[8:18, 6:22].max() < 40 < shown[26:, 26:].mean()


SHAPES = [Fraction(4, 3), Fraction(16, 15), Fraction(10, 11), Fraction(1280, 1279), None]


@pytest.mark.parametrize("container", ["mp4", "mov", "mkv", "lossless mkv"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_shape_of_pixels_is_kept(
    shape: Fraction | None, container: str, clip: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any,
    tmp_path: Path,
) -> None:  # fmt: skip
    source = clip("in.mkv", frames=3, pixel_shape=shape, audio="aac")
    profile = "lossless" if container.startswith("lossless") else "h264"
    out = tmp_path / f"out.{container.removeprefix('lossless ')}"
    manifest = saved(make_manifest(source, (make_track(1, BOX, 3),), profile=profile, container=out.suffix[1:]))
    assert command("render", source, manifest, out)[0] == 0
    with open_media(out) as media, demux(media) as opened:
        assert (opened.streams.video[0].sample_aspect_ratio or 1) == (shape or 1)
        assert sum(1 for _ in decode(opened, opened.streams.video[0])) == 3


def test_the_same_bytes_for_any_workers_cores_and_surroundings(
    clip: Any, make_manifest: Any, make_track: Any, saved: Any, tmp_path: Path
) -> None:
    source = clip("long.mp4", frames=200, audio="aac")
    mosaic = Cells(effect="mosaic", shape="ellipse", cells=5, pad_permille=100)
    manifest = saved(
        make_manifest(source, (make_track(1, BOX, 200), make_track(2, (30, 20, 50, 50), 90, effect=mosaic)))
    )
    elsewhere = tmp_path / "another folder"
    elsewhere.mkdir()
    ways: list[tuple[list[str], dict[str, str], Path]] = [
        (["--jobs", "1"], {}, tmp_path),
        (["--jobs", "4"], {}, tmp_path),
        (["--jobs", "3"], {"TZ": "Asia/Tokyo", "LC_ALL": "C", "HOME": "/nowhere"}, elsewhere),
    ]
    made = []
    for number, (options, environment, folder) in enumerate(ways):
        out = tmp_path / f"out{number}.mp4"
        pinned = ["taskset", "-c", "0"] if number == 1 else []
        code = "from veridact.cli.entry import render; render()"
        root = str(Path(__file__).parents[2])
        subprocess.run(
            [*pinned, sys.executable, "-c", code, str(source), str(manifest), str(out), *options],
            check=True,
            cwd=folder,
            env={**os.environ, **environment, "PYTHONPATH": root},
        )
        made.append((out.read_bytes(), out.with_name(out.name + ".audit.jsonl").read_bytes()))
    assert made[0] == made[1] == made[2]


def painted_planes(source: Path, manifest: Manifest) -> list[list[np.ndarray[Any, Any]]]:
    """Every plane of every frame after painting and before encoding."""
    record = manifest.source.streams[0]
    result = []
    with open_media(source) as media:
        pts = read_pts(media, record)  # type: ignore[arg-type]
        with demux(media) as container:
            stream = container.streams.video[0]
            raster = Raster(record.coded_width, record.coded_height, record.orientation, 2, 2)  # type: ignore[union-attr]
            plan = StreamPlan(manifest, record, pts, raster)  # type: ignore[arg-type]
            for number, frame in enumerate(decode(container, stream)):
                _, planes = render_frames.copy(frame, spec_of(stream, frame, "h264"))
                paint(planes, plan.at(number))
                result.append([p.samples.copy() for p in planes])
    return result


@pytest.mark.parametrize("shape", ["box", "ellipse"])
def test_moving_one_box_by_hand_changes_the_old_and_the_new_cover_and_nothing_else(
    shape: Any, clip: Any, make_manifest: Any, make_track: Any
) -> None:
    source = clip("clip.mp4", frames=20)
    effect = Solid(effect="solid", shape=shape, pad_permille=0)

    def moved(x: int) -> Manifest:
        keys = (Key(frame=0, box=(4, 8, 12, 10)), Key(frame=10, box=(x, 20, 12, 10)))
        found: Manifest = make_manifest(source, (make_track(1, BOX, 15, keys=keys),), effect=effect)
        return found

    before, after = painted_planes(source, moved(10)), painted_planes(source, moved(40))
    touched = 0
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        allowed = np.zeros((48, 64), bool)
        for x in (10, 40):
            left = min(4 + (x - 4) * min(number, 10) // 10, 64)
            top = 8 + 12 * min(number, 10) // 10
            around = grow_to_grid(cut(edges((left - 4, top - 4, 22, 20)), 64, 48), 2, 2)
            if number < 15:
                allowed[around.top : around.bottom, around.left : around.right] = True
        assert np.array_equal(old[0][~allowed], new[0][~allowed]), number
        for a, b in zip(old[1:], new[1:], strict=True):
            assert np.array_equal(a[~allowed[::2, ::2]], b[~allowed[::2, ::2]]), number
        touched += not np.array_equal(old[0], new[0])
    assert touched == 14  # all frames from 1 to 14: the key on frame 0 is where it was


def test_everything_that_is_not_picture_or_sound_is_dropped_and_named(
    clip: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    source = clip("tagged.mp4", audio="aac", tags={"title": "Jane Doe", "comment": "secret"})
    manifest = saved(make_manifest(source, (make_track(1, BOX, 40),)))
    assert command("render", source, manifest, tmp_path / "out.mp4")[0] == 0
    receipt = (tmp_path / "out.mp4.audit.jsonl").read_text()
    assert "title" in receipt
    assert "Jane" not in receipt
    assert b"Jane" not in (tmp_path / "out.mp4").read_bytes()


def test_sound_is_copied_bit_for_bit_but_for_what_is_no_sound(
    clip: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    source = clip("sound.mp4", audio="aac")
    manifest = saved(make_manifest(source, (make_track(1, BOX, 40),)))
    assert command("render", source, manifest, tmp_path / "out.mp4")[0] == 0

    def packets(path: Path) -> list[tuple[Fraction, bytes]]:
        with av.open(str(path)) as container:
            stream = container.streams.audio[0]
            return [(p.pts * stream.time_base, bytes(p)) for p in container.demux(stream) if p.size]

    with open_media(source) as media:
        header = codec_header(media, 1)
    before = packets(source)
    copied = [data for data, _ in codecs.clean("aac", header, (data for _, data in before))]
    assert packets(tmp_path / "out.mp4") == [(at, data) for (at, _), data in zip(before, copied, strict=True)]
    assert [at for (at, data), clean in zip(before, copied, strict=True) if data != clean] == [before[0][0]]


def test_a_stream_that_is_not_listed_is_dropped(
    clip: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    source = clip("sound.mp4", audio="aac")
    manifest = make_manifest(source, (make_track(1, BOX, 40),))
    only = manifest.output.model_copy(update={"streams": manifest.output.streams[:1]})
    path = saved(manifest.model_copy(update={"output": only}))
    assert command("render", source, path, tmp_path / "out.mp4")[0] == 0
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [s.type for s in container.streams] == ["video"]
    assert '"disposition":"dropped"' in (tmp_path / "out.mp4.audit.jsonl").read_text()


@pytest.mark.real_media
def test_captions_are_dropped_and_named_and_seen_where_they_are(
    real_media: Path, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    source, out = real_media / "containers/androidx_mp4/fragmented_captions.mp4", tmp_path / "out.mp4"
    frames = make_manifest(source, ()).source.streams[0].frames
    manifest = saved(make_manifest(source, (make_track(1, BOX, frames),)))
    assert command("render", source, manifest, out)[0] == 0
    receipt = Path(f"{out}.audit.jsonl")
    assert '"captions"' in receipt.read_text()
    checked = ["verify", receipt, "--manifest", manifest, "--content"]
    assert command(*checked, "--output", out)[0] == 0
    code, stdout, _ = command(*checked, "--output", source)
    assert (code, "there are captions" in stdout) == (1, True)
