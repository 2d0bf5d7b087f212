"""Rendering pictures: oriented as displayed, painted, and without metadata."""

import hashlib
import io
import json
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

BOX = (10, 8, 20, 12)
FORMATS = {
    "a.jpg": "RGB",
    "b.png": "RGB",
    "c.png": "RGBA",
    "d.webp": "RGB",
    "e.tif": "RGB",
    "f.bmp": "RGB",
    "g.png": "L",
}
LOSSLESS = {".png", ".tif", ".bmp"}


def pixels_of(path: Path) -> np.ndarray[Any, Any]:
    with Image.open(path) as image:
        return np.asarray(image)


def exif_with_secrets(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "SecretMake"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (51.0, 30.0, 0.0)
    return exif


@pytest.mark.parametrize(("name", "mode"), FORMATS.items(), ids=FORMATS.keys())
def test_the_cover_is_painted_and_the_rest_is_kept(
    name: str, mode: str, picture: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    source = picture(name, mode)
    out = tmp_path / f"out{source.suffix}"
    code, _, err = command("render", source, saved(make_manifest(source, (make_track(1, BOX, 1),))), out)
    assert code == 0, err
    before, after = pixels_of(source), pixels_of(out)
    x, y, w, h = BOX
    hidden = after[y : y + h, x : x + w]
    if source.suffix in LOSSLESS:
        colours = hidden[..., :3] if hidden.ndim == 3 else hidden
        assert (colours == 0).all()
        outside = np.ones(before.shape[:2], bool)
        outside[y : y + h, x : x + w] = False
        assert np.array_equal(before[outside], after[outside])
    else:
        assert hidden.mean() < 40
        assert before[y : y + h, x : x + w].mean() > 90


KEEPING = {"jpg": {"quality": 95}, "png": {}, "tif": {}, "webp": {"lossless": True}, "avif": {"quality": 90}}
"""How to save a picture so that what comes back is what decodes."""


@pytest.mark.parametrize("suffix", KEEPING)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_and_gone(
    orientation: int, suffix: str, picture: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any,
    tmp_path: Path,
) -> None:  # fmt: skip
    source = picture(f"in.{suffix}", exif=exif_with_secrets(orientation), **KEEPING[suffix])
    with Image.open(source) as image:
        upright = ImageOps.exif_transpose(image)
    out = tmp_path / "out.png"
    manifest = make_manifest(source, (make_track(1, BOX, 1),), container="png")
    assert command("render", source, saved(manifest), out)[0] == 0
    expected = np.asarray(upright).copy()
    x, y, w, h = BOX
    expected[y : y + h, x : x + w] = 0
    with Image.open(out) as result:
        assert np.array_equal(np.asarray(result), expected)
        assert not result.getexif()


def test_nothing_but_pixels_is_left(
    picture: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    trailer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(trailer, "JPEG")
    source = picture("in.jpg", exif=exif_with_secrets(1), comment=b"SecretComment", icc_profile=b"SecretProfile" * 20)
    source.write_bytes(source.read_bytes() + trailer.getvalue())
    out = tmp_path / "out.jpg"
    assert command("render", source, saved(make_manifest(source, (make_track(1, BOX, 1),))), out)[0] == 0
    data = out.read_bytes()
    assert (b"Secret" in data, b"Exif" in data, data.count(b"\xff\xd8\xff")) == (False, False, 1)
    receipt = (tmp_path / "out.jpg.audit.jsonl").read_text()
    dropped = json.loads(next(line for line in receipt.splitlines() if '"type":"stream"' in line))
    assert {"exif", "comment", "icc_profile"} <= set(dropped["body"]["metadata_dropped"])
    assert "Secret" not in receipt


@pytest.mark.parametrize("name", ["loop.gif", "loop.webp", "loop.png", "loop.avif"])
def test_every_frame_of_an_animation_is_covered_and_keeps_its_time(
    name: str, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    colours = ["red", "green", "blue", "white"]
    images = [Image.new("RGB", (40, 30), c) for c in colours]
    source, out = tmp_path / name, tmp_path / f"out{Path(name).suffix}".replace("avif", "png")
    images[0].save(source, save_all=True, append_images=images[1:], duration=[100, 50, 200, 70], loop=0)
    manifest = make_manifest(source, (make_track(1, (5, 5, 10, 10), 4),))
    code, _, err = command("render", source, saved(manifest), out)
    assert code == 0, err
    with Image.open(out) as result:
        assert result.n_frames == 4
        for number, duration_ms in enumerate([100, 50, 200, 70]):
            result.seek(number)
            pixels = np.asarray(result.convert("RGB")).astype(int)
            assert result.info["duration"] == duration_ms
            assert pixels[6:14, 6:14].mean() < 12, number
            assert pixels[20:, 20:].max() > 100, number


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def spoiled(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(40) + data[middle + 40 :]


DAMAGED = [*((suffix, cut) for suffix in ("png", "jpg", "tif", "webp", "bmp", "gif")), ("png", spoiled)]


@pytest.mark.parametrize(("suffix", "damage"), DAMAGED)
def test_a_picture_that_does_not_decode_whole_is_refused(
    suffix: str,
    damage: Callable[[bytes], bytes],
    picture: Any,
    make_manifest: Any,
    make_track: Any,
    saved: Any,
    command: Any,
    tmp_path: Path,
) -> None:
    source, out = picture(f"in.{suffix}", size=(256, 256)), tmp_path / f"out.{suffix}"
    manifest = make_manifest(source, (make_track(1, BOX, 1),))
    source.write_bytes(damage(source.read_bytes()))
    sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    meant = manifest.model_copy(update={"source": manifest.source.model_copy(update={"sha256": sha256})})
    code, _, err = command("render", source, saved(meant), out)
    assert (code, "does not decode" in err or "not a readable" in err, out.exists()) == (4, True, False), err


def test_the_same_picture_gives_the_same_bytes(
    picture: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    source = picture("in.jpg")
    manifest = saved(make_manifest(source, (make_track(1, BOX, 1),)))
    outs = [tmp_path / "one.jpg", tmp_path / "two.jpg"]
    for out in outs:
        assert command("render", source, manifest, out)[0] == 0
    assert outs[0].read_bytes() == outs[1].read_bytes()
    receipts = [out.with_name(out.name + ".audit.jsonl").read_bytes() for out in outs]
    assert receipts[0] == receipts[1]


@pytest.mark.real_media
def test_exiftool_finds_nothing_personal_in_any_real_picture(
    real_media: Path, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    if shutil.which("exiftool") is None:
        pytest.skip("install exiftool (Debian: libimage-exiftool-perl)")
    folders = [real_media / "faces_gt", real_media / "metadata" / "exif_samples"]
    sources = sorted(p for f in folders for p in f.rglob("*") if p.suffix.lower() in {".jpg", ".jpeg", ".png", ".tiff"})
    assert len(sources) >= 15
    rendered = 0
    for number, source in enumerate(sources):
        manifest = make_manifest(source, (make_track(1, (0, 0, 9, 9), 1),))
        suffix = {"jpeg": ".jpg", "tiff": ".tif"}.get(manifest.output.container, f".{manifest.output.container}")
        code, _, err = command("render", source, saved(manifest), tmp_path / f"{number}{suffix}")
        assert code == 0, (source, err)
        rendered += 1
    command_line = ["exiftool", "-j", "-G1", "-a", "-u", "-ext", "jpg", "-ext", "png", "-ext", "tif", str(tmp_path)]
    found = json.loads(subprocess.run(command_line, capture_output=True, check=True).stdout)
    assert len(found) == rendered
    forbidden = ("GPS", "Serial", "Thumbnail", "XMP", "IPTC", "MakerNote", "ICC", "Comment", "Photoshop", "MPF")
    for tags in found:
        assert not [t for t in tags if any(word.lower() in t.lower() for word in forbidden)], tags


def test_sixteen_bits_are_kept(make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path) -> None:
    deep = (np.arange(60 * 80, dtype=np.uint16).reshape(60, 80) * 13).astype("<u2")
    source, out = tmp_path / "deep.png", tmp_path / "out.png"
    Image.fromarray(deep).save(source)
    assert command("render", source, saved(make_manifest(source, (make_track(1, BOX, 1),))), out)[0] == 0
    expected = deep.copy()
    x, y, w, h = BOX
    expected[y : y + h, x : x + w] = 0
    assert np.array_equal(pixels_of(out), expected)


def chunk(name: bytes, body: bytes) -> bytes:
    """A chunk of a PNG file (W3C PNG, 5.3)."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


@pytest.mark.parametrize(("bits", "warned"), [(8, False), (16, True)])
def test_sixteen_bits_of_colour_become_eight_and_the_receipt_says_so(
    bits: int, warned: bool, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    source, out = tmp_path / "deep.png", tmp_path / "out.png"
    rows = (b"\0" + b"\x7f" * (60 * 3 * bits // 8)) * 50
    head = struct.pack(">IIBBBBB", 60, 50, bits, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    source.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))
    assert command("render", source, saved(make_manifest(source, (make_track(1, BOX, 1),))), out)[0] == 0
    assert (pixels_of(out)[30:] == 127).all()
    assert ("8 of 16 bits" in Path(f"{out}.audit.jsonl").read_text()) is warned


def swapped_profile() -> bytes:
    """sRGB with red and green exchanged, under another name."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = data.replace(b"rXYZ", b"????", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"????", b"gXYZ", 1)
    return data.replace("sRGB".encode("utf-16-be"), "xRGB".encode("utf-16-be"))


def test_colours_of_another_profile_are_converted_and_the_profile_is_dropped(
    make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    source, out = tmp_path / "red.png", tmp_path / "out.png"
    Image.new("RGB", (60, 50), (255, 0, 0)).save(source, icc_profile=swapped_profile())
    assert command("render", source, saved(make_manifest(source, (make_track(1, BOX, 1),))), out)[0] == 0
    with Image.open(out) as result:
        assert "icc_profile" not in result.info
        red, green, blue = result.getpixel((50, 40))  # type: ignore[misc]
    assert (red < 8, green > 247, blue < 8) == (True, True, True)


def test_a_profile_that_is_srgb_or_broken_changes_no_pixel(
    picture: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for number, profile in enumerate((srgb, b"no profile at all")):
        source, out = picture(f"in{number}.png", icc_profile=profile), tmp_path / f"out{number}.png"
        assert command("render", source, saved(make_manifest(source, (make_track(1, BOX, 1),))), out)[0] == 0
        assert np.array_equal(pixels_of(out)[40:, :], pixels_of(source)[40:, :])


def gif_frames(name: str) -> list[Image.Image]:
    """Four frames of a noisy picture: with 200 colours, with holes that move, or with more colours than a palette."""
    generator, frames = np.random.default_rng(5), []
    for number in range(4):
        rgba = np.full((30, 40, 4), 255, np.uint8)
        rgba[:, :, 0] = generator.integers(0, 200, (30, 40)) if name != "many colours" else np.arange(40) * 6
        rgba[:, :, 1] = number * 20 if name != "many colours" else (np.arange(30) * 8)[:, None]
        rgba[:, :, 2] = number
        if name == "holes":
            rgba[20:26, 4 * number : 4 * number + 8] = 0
        frames.append(Image.fromarray(rgba))
    return frames


@pytest.mark.parametrize(("name", "most"), [("200 colours", 0), ("holes", 0), ("many colours", 12)])
def test_a_gif_keeps_its_colours_outside_covers(
    name: str, most: int, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    source, out = tmp_path / "in.png", tmp_path / "out.gif"
    images = gif_frames(name)
    images[0].save(source, save_all=True, append_images=images[1:], duration=[100, 50, 200, 70], loop=0)
    manifest = make_manifest(source, (make_track(1, (5, 5, 10, 10), 4),), container="gif")
    code, _, err = command("render", source, saved(manifest), out)
    assert code == 0, err
    with Image.open(out) as result:
        assert result.n_frames == 4
        for number, image in enumerate(images):
            result.seek(number)
            wanted, found = np.asarray(image).astype(int), np.asarray(result.convert("RGBA")).astype(int)
            found[found[:, :, 3] == 0] = 0
            assert np.abs(found - wanted)[16:].mean() <= most, number
            assert not found[5:15, 5:15, :3].any()
