"""Whatever is planted in an output is found by name; what is written has nothing to find."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from veridact.audit.structure.walk import stray_structure
from veridact.media.video import open_media

NAME = b"John Smith"
BOX = (10, 8, 20, 12)
Plant = Callable[[bytes], bytes]


def hidden_jpeg() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (16, 16), "red").save(file, "JPEG")
    return file.getvalue()


def stray_in(data: bytes, container: str, folder: Path) -> str | None:
    path = folder / f"planted.{container}"
    path.write_bytes(data)
    with open_media(path) as media:
        return stray_structure(media, container)


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_body(data: bytes) -> tuple[bytes, bytes]:
    """The contents of all IDAT chunks, and what comes before the first."""
    at, body, head = 8, b"", b""
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"IDAT":
            head = head or data[:at]
            body += data[at + 8 : at + 8 + length]
        at += 12 + length
    return body, head


def png_again(data: bytes, body: bytes) -> bytes:
    return png_body(data)[1] + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", 2 + len(body)) + body


def before_scan(data: bytes, more: bytes) -> bytes:
    at = data.index(b"\xff\xda")
    return data[:at] + more + data[at:]


def tiff_tag(data: bytes, tag: int) -> bytes:
    """The TIFF with its directory written anew at the end, a text tag more."""
    at = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, at)[0]
    entries = [struct.unpack_from("<HHII", data, at + 2 + 12 * n) for n in range(count)]
    added = sorted([*entries, (tag, 2, len(NAME), len(data))])
    moved = len(data) + len(NAME)
    table = struct.pack("<H", count + 1) + b"".join(struct.pack("<HHII", *e) for e in added) + bytes(4)
    return data[:4] + struct.pack("<I", moved) + data[8:] + NAME + table


PLANTS: dict[str, dict[str, tuple[Plant, str]]] = {
    "png": {
        "bytes behind": (lambda d: d + NAME, "trailing bytes"),
        "a picture behind": (lambda d: d + hidden_jpeg(), "trailing bytes"),
        "tEXt": (lambda d: d[:33] + png_chunk(b"tEXt", b"Comment\0" + NAME) + d[33:], "chunk tEXt"),
        "iTXt with a picture": (lambda d: d[:33] + png_chunk(b"iTXt", hidden_jpeg()) + d[33:], "chunk iTXt"),
        "eXIf": (lambda d: d[:33] + png_chunk(b"eXIf", NAME) + d[33:], "chunk eXIf"),
        "iCCP": (lambda d: d[:33] + png_chunk(b"iCCP", NAME) + d[33:], "chunk iCCP"),
        "C2PA": (lambda d: d[:33] + png_chunk(b"caBX", NAME) + d[33:], "chunk caBX"),
        "an unknown chunk": (lambda d: d[:33] + png_chunk(b"prVt", NAME) + d[33:], "chunk prVt"),
        "text in pHYs": (lambda d: d[:33] + png_chunk(b"pHYs", NAME) + d[33:], "chunk pHYs"),
        "text as a checksum": (lambda d: d[:-4] + NAME[:4], "checksum of chunk IEND"),
        "behind the zlib stream": (lambda d: png_again(d, png_body(d)[0] + NAME), "bytes behind the compressed"),
        "rows below the picture": (
            lambda d: png_again(d, zlib.compress(zlib.decompress(png_body(d)[0]) + NAME)),
            "rows behind the last",
        ),
    },
    "jpeg": {
        "bytes behind": (lambda d: d + NAME, "trailing bytes"),
        "a picture behind": (lambda d: d + hidden_jpeg(), "trailing bytes"),
        "COM": (lambda d: before_scan(d, segment(0xFE, NAME)), "segment COM"),
        "APP1 with a picture": (lambda d: before_scan(d, segment(0xE1, b"Exif\0\0" + hidden_jpeg())), "segment APP1"),
        "APP2": (lambda d: before_scan(d, segment(0xE2, b"ICC_PROFILE\0" + NAME)), "segment APP2"),
        "APP11": (lambda d: before_scan(d, segment(0xEB, b"JP" + NAME)), "segment APP11"),
        "a second APP0": (lambda d: before_scan(d, segment(0xE0, b"JFXX\0\x10" + NAME)), "segment APP0"),
        "a table for nothing": (lambda d: before_scan(d, segment(0xDB, b"\3" + (NAME * 7)[:64])), "a table that no"),
        "behind a table": (lambda d: before_scan(d, segment(0xDB, b"\1" + (NAME * 8)[:70])), "DQT segment of another"),
        "in the scan": (lambda d: d[:-2] + NAME + d[-2:], "bytes behind the last block"),
        "between segments": (lambda d: before_scan(d, NAME), "bytes between segments"),
    },
    "tiff": {
        "bytes behind": (lambda d: d + NAME, "trailing bytes"),
        "a tag": (lambda d: tiff_tag(d, 270), "tag 270"),
        "XMP": (lambda d: tiff_tag(d, 700), "tag 700"),
        "a private tag": (lambda d: tiff_tag(d, 65000), "tag 65000"),
    },
}
CASES = [(container, plant) for container, plants in PLANTS.items() for plant in plants]
SUFFIX = {"jpeg": "jpg", "tiff": "tif"}


@pytest.fixture
def rendered(
    picture: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> Callable[[str], tuple[Path, Path, Path]]:
    """A source, its manifest and its output in a container."""

    def make(container: str) -> tuple[Path, Path, Path]:
        suffix = SUFFIX.get(container, container)
        source, out = picture(f"in.{suffix}"), tmp_path / f"out.{suffix}"
        manifest = saved(make_manifest(source, (make_track(1, BOX, 1),)))
        code, _, said = command("render", source, manifest, out)
        assert code == 0, said
        return source, manifest, out

    return make


@pytest.mark.parametrize("container", PLANTS)
def test_what_is_written_has_nothing_to_find(container: str, rendered: Any, tmp_path: Path) -> None:
    assert stray_in(rendered(container)[2].read_bytes(), container, tmp_path) is None


@pytest.mark.parametrize(("container", "plant"), CASES)
def test_what_is_planted_is_found_by_name(container: str, plant: str, rendered: Any, tmp_path: Path) -> None:
    put, expected = PLANTS[container][plant]
    found = stray_in(put(rendered(container)[2].read_bytes()), container, tmp_path)
    assert found is not None
    assert expected in found


def test_the_content_check_reports_it(rendered: Any, command: Any) -> None:
    source, manifest, out = rendered("png")
    genuine = ("--input", source, "--manifest", manifest, "--output", out, "--content")
    assert command("verify", f"{out}.audit.jsonl", *genuine)[0] == 0
    out.write_bytes(PLANTS["png"]["iTXt with a picture"][0](out.read_bytes()))
    code, told, _ = command("verify", f"{out}.audit.jsonl", *genuine)
    assert (code, "chunk iTXt" in told) == (1, True), told


@pytest.mark.parametrize("quality", [60, 92, 100])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_jpegs_of_every_size_have_nothing_to_find(subsampling: int, quality: int, tmp_path: Path) -> None:
    """Small, flat and gray ones too: their last blocks are a few bits, some of them outside the picture."""
    generator = np.random.default_rng(3)
    for width, height in [(1, 1), (8, 8), (16, 16), (17, 9), (9, 17), (33, 40), (64, 48)]:
        noise = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
        rows = np.broadcast_to(noise[:, :1], noise.shape)
        for pixels in (noise, rows, np.full_like(noise, 90), np.zeros_like(noise), noise[:, :, 0], rows[:, :, 0]):
            file = io.BytesIO()
            Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=quality, subsampling=subsampling)
            assert stray_in(file.getvalue(), "jpeg", tmp_path) is None, (width, height)


def test_a_picture_signature_in_pixels_is_no_picture(tmp_path: Path) -> None:
    """Noise contains the first bytes of a JPEG by chance, in half of all PNGs of 10 MB."""
    file = io.BytesIO()
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    pixels[10, 10] = 0xFF, 0xD8, 0xFF
    Image.fromarray(pixels).save(file, "PNG", compress_level=0)
    assert b"\xff\xd8\xff" in file.getvalue()
    assert stray_in(file.getvalue(), "png", tmp_path) is None
