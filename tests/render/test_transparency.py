"""Colours under alpha 0 are left out of footage and pictures, and a check of the output finds those that are not."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from veridact.audit.content import check_content
from veridact.media.video import decode, demux, open_media
from veridact.render.video.planes import frame_planes, layout_of
from veridact.schema.manifest import Cells

SIZE = (64, 48)
HOLE = (slice(10, 31), slice(20, 51))
"""The transparent rows and columns, which begin and end within chroma blocks."""

BOX = (2, 2, 12, 6)
FORMATS = ["yuva420p", "yuva422p", "yuva444p", "yuva420p10le", "yuva444p16le", "gbrap10le", "bgra", "rgba64le", "ya8"]


def noise(shape: tuple[int, ...], peak: int) -> np.ndarray:
    return np.random.default_rng(3).integers(peak // 8, peak // 3, shape)


def transparent_clip(path: Path, pixel_format: str) -> Path:
    """Three frames of noise with a transparent hole, which has colours too."""
    layout = layout_of(pixel_format)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE, pixel_format
        for _ in range(3):
            frame = av.VideoFrame(*SIZE, pixel_format)
            for plane in frame_planes(frame, full_range=False):
                peak = (1 << layout.bits) - 1
                if plane.opaque:
                    plane.samples[:] = peak
                    plane.samples[HOLE] = 0
                else:
                    plane.samples[:] = noise(plane.samples.shape, peak)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def planes_of(path: Path) -> list[list[Any]]:
    with open_media(path) as media, demux(media) as container:
        return [
            [(p.samples.copy(), p) for p in frame_planes(f, full_range=False)]
            for f in decode(container, container.streams.video[0])
        ]


def findings(out: Path, manifest: Any) -> dict[str, bool]:
    with open_media(out) as media:
        return {f.name: f.holds for f in check_content(media, manifest)}


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_footage_has_no_colours_under_alpha_0(
    pixel_format: str, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    source, out = transparent_clip(tmp_path / "in.mkv", pixel_format), tmp_path / "out.mkv"
    manifest = make_manifest(source, (make_track(1, BOX, 3),), profile="lossless", container="mkv")
    code, _, err = command("render", source, saved(manifest), out)
    assert code == 0, err
    hidden = np.zeros(SIZE[::-1], bool)
    hidden[HOLE] = True
    covered = np.zeros(SIZE[::-1], bool)
    covered[BOX[1] : BOX[1] + BOX[3], BOX[0] : BOX[0] + BOX[2]] = True
    for before, after in zip(planes_of(source), planes_of(out), strict=True):
        for (was, plane), (now, _) in zip(before, after, strict=True):
            x, y = plane.step_x, plane.step_y
            served = hidden.reshape(SIZE[1] // y, y, SIZE[0] // x, x).all(axis=(1, 3))
            kept = ~served & ~covered[::y, ::x]
            assert np.array_equal(now[kept], was[kept])
            assert (now[served] == (0 if plane.opaque else plane.black)).all()
            assert served.any()
    receipt = Path(f"{out}.audit.jsonl").read_text()
    pixels = 3 * (HOLE[0].stop - HOLE[0].start) * (HOLE[1].stop - HOLE[1].start)
    assert f"stream 0: {pixels} pixels had colours under alpha 0, which are set to black" in receipt
    assert findings(out, manifest)["stream 0 colours under alpha 0"] is True
    assert findings(source, manifest)["stream 0 colours under alpha 0"] is False


def erased(path: Path, **options: Any) -> Path:
    """A picture of noise with a transparent hole, which has colours too."""
    pixels = np.dstack([noise(SIZE[::-1], 255) for _ in range(3)] + [np.full(SIZE[::-1], 255)]).astype(np.uint8)
    pixels[HOLE][:, :, 3] = 0
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_pictures_have_no_colours_under_alpha_0(
    suffix: str, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    options = {"webp": {"lossless": True, "exact": True}}.get(suffix, {})
    source, out = erased(tmp_path / f"in.{suffix}", **options), tmp_path / f"out.{suffix}"
    manifest = make_manifest(source, (make_track(1, BOX, 1),))
    assert command("render", source, saved(manifest), out)[0] == 0
    with Image.open(out) as image:
        pixels = np.asarray(image)
    assert (pixels[HOLE][:, :, 3] == 0).all()
    if suffix != "webp":
        assert not pixels[HOLE].any()
    assert "651 pixels had colours under alpha 0" in Path(f"{out}.audit.jsonl").read_text()
    assert findings(out, manifest)["colours under alpha 0"] is True
    assert findings(source, manifest)["colours under alpha 0"] is False


def test_a_cover_takes_nothing_from_hidden_colours(
    make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    source, out = erased(tmp_path / "in.png"), tmp_path / "out.png"
    mosaic = Cells(effect="mosaic", shape="box", cells=4, pad_permille=0)
    manifest = make_manifest(source, (make_track(1, (24, 12, 20, 16), 1, effect=mosaic),))
    assert command("render", source, saved(manifest), out)[0] == 0
    with Image.open(out) as image:
        pixels = np.asarray(image)[12:28, 24:44]
    assert not pixels[:, :, :3].any()
    assert (pixels[:, :, 3] == 255).all()


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_nothing_is_said_where_nothing_is_hidden(
    mode: str, picture: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    source, out = picture("in.png", mode), tmp_path / "out.png"
    assert command("render", source, saved(make_manifest(source, (make_track(1, BOX, 1),))), out)[0] == 0
    assert "under alpha 0" not in Path(f"{out}.audit.jsonl").read_text()
