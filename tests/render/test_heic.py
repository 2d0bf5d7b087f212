"""HEIC becomes PNG: decoded samples outside covers, no metadata, the decoder named in the receipt."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

heif = pytest.importorskip("pillow_heif", reason="install the extra: pip install 'veridact[heic]'")
BOX = (10, 8, 20, 12)


@pytest.fixture
def photo(picture: Any) -> Path:
    """A HEIC picture with GPS, a maker, and an EXIF orientation that HEIF ignores (ISO 23008-12, A.2.1)."""
    heif.register_heif_opener(thumbnails=False)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "SecretMake"
    exif.get_ifd(0x8825)[1] = "N"
    made: Path = picture("in.heic", exif=exif)
    return made


def test_a_heic_becomes_a_png_without_anything_beside_its_pixels(
    photo: Path, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    manifest, out = saved(make_manifest(photo, (make_track(1, BOX, 1),))), tmp_path / "out.png"
    code, _, err = command("render", photo, manifest, out)
    assert code == 0, err
    with Image.open(photo) as image:
        expected = np.asarray(image).copy()
    x, y, w, h = BOX
    expected[y : y + h, x : x + w] = 0
    with Image.open(out) as made:
        assert np.array_equal(np.asarray(made), expected)
    assert b"Secret" not in out.read_bytes()
    receipt = f"{out}.audit.jsonl"
    assert command("verify", receipt, "--input", photo, "--manifest", manifest, "--output", out, "--rerun")[0] == 0


@pytest.mark.parametrize(("name", "listed"), [("in.heic", True), ("in.png", False)])
def test_the_receipt_names_the_decoder_where_it_decides_bytes(
    name: str, listed: bool, photo: Path, picture: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any,
    tmp_path: Path,
) -> None:  # fmt: skip
    source = photo if listed else picture(name)
    out = tmp_path / "out.png"
    assert command("render", source, saved(make_manifest(source, (make_track(1, BOX, 1),))), out)[0] == 0
    genesis = json.loads(Path(f"{out}.audit.jsonl").read_text().splitlines()[0])["body"]
    assert ("pillow-heif" in [package["name"] for package in genesis["toolchain"]]) is listed


def test_without_the_decoder_the_extra_is_named(
    photo: Path, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    manifest = saved(make_manifest(photo, (make_track(1, BOX, 1),)))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    code, _, err = command("render", photo, manifest, tmp_path / "out.png")
    assert (code, "pip install 'veridact[heic]'" in err) == (7, True)
