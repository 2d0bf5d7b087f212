"""JPEGs that end early though an end marker follows are refused; whole ones of any kind are not."""

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from veridact.errors import MediaError
from veridact.media.guards.jpeg_data import check_whole, read_scans

EOI = b"\xff\xd9"
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "baseline": ("RGB", {}),
    "optimised": ("RGB", {"optimize": True}),
    "progressive": ("RGB", {"progressive": True}),
    "4:2:0": ("RGB", {"subsampling": 2}),
    "4:2:2": ("RGB", {"subsampling": 1}),
    "4:4:4": ("RGB", {"subsampling": 0}),
    "gray": ("L", {}),
    "gray progressive": ("L", {"progressive": True}),
    "CMYK": ("CMYK", {}),
    "kept as RGB": ("RGB", {"keep_rgb": True}),
    "a restart every 3 blocks": ("RGB", {"restart_marker_blocks": 3}),
    "a restart every row": ("RGB", {"restart_marker_rows": 1}),
    "gray with restarts": ("L", {"restart_marker_blocks": 5}),
    "progressive with restarts": ("RGB", {"progressive": True, "restart_marker_blocks": 7}),
    "with EXIF and a comment": ("RGB", {"exif": Image.Exif(), "comment": b"\xff\xd9 words \xff\xda"}),
}
SIZES = [(1, 1), (8, 8), (17, 9), (61, 47), (200, 133)]


def noise(size: tuple[int, int]) -> Image.Image:
    """Detail everywhere, so that no part of it decodes from nothing."""
    generator = np.random.default_rng(1)
    return Image.fromarray(generator.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def jpeg(kind: str, size: tuple[int, int], quality: int = 75) -> bytes:
    mode, options = KINDS[kind]
    file = io.BytesIO()
    noise(size).convert(mode).save(file, "JPEG", quality=quality, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", SIZES)
def test_whole_pictures_pass(kind: str, size: tuple[int, int]) -> None:
    for quality in (10, 75, 100):
        data = jpeg(kind, size, quality)
        assert read_scans(data) is not None
        check_whole(data)
        check_whole(data + jpeg("baseline", (8, 8)) + b"trailer")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("permille", [100, 300, 500, 800, 950])
def test_a_part_with_an_end_marker_is_refused(kind: str, permille: int) -> None:
    data = jpeg(kind, (200, 133))
    begin = data.index(b"\xff\xda", data.index(b"\xff\xc4")) + 20
    cut = begin + (len(data) - begin) * permille // 1000
    with pytest.raises(MediaError, match="ends early"):
        check_whole(data[:cut].rstrip(b"\xff") + EOI)


def test_a_part_that_ends_where_a_restart_is_due_is_refused() -> None:
    data = jpeg("a restart every row", (200, 133))
    cut = data.index(b"\xff\xd3")
    with pytest.raises(MediaError, match="ends early"):
        check_whole(data[:cut] + EOI)


NO_PICTURES = [
    b"",
    b"\xff\xd8",
    b"\xff\xd8\xff\xd9",
    b"\xff\xd8\xff\xc0\x00\x02\xff\xda\x00\x02\xff\xd9",
    b"\xff\xd8\xff\xda\x00\x00",
    b"\xff\xd8" + b"\xff\xc0\x00\x03\x08" * 3 + EOI,
]


@pytest.mark.parametrize("data", NO_PICTURES)
def test_what_is_no_picture_is_left_to_the_decoder(data: bytes) -> None:
    check_whole(data)


def test_half_a_jpeg_ends_with_4(make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path) -> None:
    path, out = tmp_path / "in.jpg", tmp_path / "out.jpg"
    path.write_bytes(jpeg("baseline", (200, 133)))
    manifest = make_manifest(path, (make_track(1, (10, 10, 20, 20), 1),))
    path.write_bytes(path.read_bytes()[:9000] + EOI)
    with pytest.raises(MediaError, match="ends early"):  # as `locate` reads it
        make_manifest(path, ())
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    bound = manifest.source.model_copy(update={"sha256": sha256, "bytes": path.stat().st_size})
    code, _, err = command("render", path, saved(manifest.model_copy(update={"source": bound})), out)
    assert (code, "ends early" in err, out.exists()) == (4, True, False), err


@pytest.mark.real_media
def test_no_real_jpeg_is_refused_that_is_whole(real_media: Path) -> None:
    cut_short = {"pixel-motion-photo-shortened.jpg"}
    files = [p for p in real_media.rglob("*") if p.suffix.lower() in {".jpg", ".jpeg"} and p.name not in cut_short]
    assert len(files) > 100
    for path in files:
        check_whole(path.read_bytes())
