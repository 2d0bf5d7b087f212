"""Saturated colours bleed into a cover where colour is stored at half resolution; a gap is still found."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from veridact.audit.content import check_content
from veridact.media.video import open_media
from veridact.schema.manifest import Cells, Manifest, Solid

FACE = (60, 50, 30, 40)
SIZE = (160, 140)
SOLID = Solid(effect="solid", shape="ellipse", pad_permille=200)
MOSAIC = Cells(effect="mosaic", shape="ellipse", pad_permille=200, cells=4)
COLOURS = {
    "dark red": (200, 20, 30), "red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0),
    "magenta": (255, 0, 255), "cyan": (0, 255, 255), "gray": (128, 128, 128), "skin": (224, 172, 140),
}  # fmt: skip
SAVED: dict[str, dict[str, Any]] = {
    "jpg": {"quality": 92, "subsampling": 2},
    "jpeg": {"quality": 92, "subsampling": 1},
    "webp": {"quality": 92},
}


def covered(path: Path, manifest: Manifest) -> bool:
    """Whether the content check of an output says that every cover is painted."""
    with open_media(path) as media:
        return next(f.holds for f in check_content(media, manifest) if f.name == "stream 0 covers")


def textured(colour: tuple[int, int, int]) -> np.ndarray[Any, Any]:
    """A picture of one colour with detail, as skin and cloth have it."""
    noise = np.random.default_rng(5).integers(-18, 19, (SIZE[1], SIZE[0], 1))
    return np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)


@pytest.fixture
def case(make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path) -> Any:
    """A picture, its manifest, and the output of a manifest whose box is moved to the right."""

    def make(pixels: np.ndarray[Any, Any], suffix: str, effect: Any, moved: int = 0) -> tuple[Manifest, Path]:
        source, out = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
        Image.fromarray(pixels).save(source, **SAVED[suffix])
        x, y, w, h = FACE
        wanted = make_manifest(source, (make_track(1, FACE, 1),), effect=effect)
        painted = make_manifest(source, (make_track(1, (x + moved, y, w, h), 1),), effect=effect)
        code, _, said = command("render", source, saved(painted), out)
        assert code == 0, said
        return wanted, out

    return make


@pytest.mark.parametrize("effect", [SOLID, MOSAIC], ids=["solid", "mosaic"])
@pytest.mark.parametrize("suffix", SAVED)
@pytest.mark.parametrize("colour", COLOURS)
def test_a_cover_of_any_colour_is_one(colour: str, suffix: str, effect: Any, case: Any) -> None:
    flat = np.broadcast_to(np.array(COLOURS[colour], np.uint8), (SIZE[1], SIZE[0], 3)).copy()
    for pixels in (flat, textured(COLOURS[colour])):
        manifest, out = case(pixels, suffix, effect)
        assert covered(out, manifest)
        out.unlink()
        out.with_name(f"{out.name}.audit.jsonl").unlink()


@pytest.mark.parametrize("suffix", SAVED)
@pytest.mark.parametrize("colour", COLOURS)
def test_a_cover_shifted_by_three_pixels_is_found(colour: str, suffix: str, case: Any) -> None:
    manifest, out = case(textured(COLOURS[colour]), suffix, SOLID, moved=3)
    assert not covered(out, manifest)


@pytest.mark.parametrize("share", [0, 50])
@pytest.mark.parametrize("suffix", SAVED)
@pytest.mark.parametrize("colour", COLOURS)
def test_a_cover_painted_in_part_is_found(colour: str, suffix: str, share: int, case: Any, tmp_path: Path) -> None:
    """`share` is how many per cent of the black are painted."""
    pixels = textured(COLOURS[colour])
    manifest, _ = case(pixels, suffix, SOLID)
    x, y, w, h = FACE
    pixels[y - 20 : y + h + 20, x - 20 : x + w + 20] = pixels[y - 20 : y + h + 20, x - 20 : x + w + 20] * (
        (100 - share) / 100
    )
    weak = tmp_path / f"weak.{suffix}"
    Image.fromarray(pixels).save(weak, **SAVED[suffix])
    assert not covered(weak, manifest)
