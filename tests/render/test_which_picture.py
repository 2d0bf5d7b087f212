"""Of a file with several pictures the one that viewers show is rendered; where several could be, it is refused."""

import importlib.util
import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from veridact.media.video import open_media

RED, GREEN, BLUE = (200, 20, 30), (20, 200, 30), (30, 20, 200)
BOX = (4, 4, 8, 8)


def flat(colour: tuple[int, int, int], size: tuple[int, int] = (48, 32)) -> Image.Image:
    return Image.new("RGB", size, colour)


Entry = tuple[int, int, int]


def tiff(*chain: tuple[list[Entry], list[list[Entry]]], head: bytes = b"") -> bytes:
    """A TIFF of directories, each `(its LONG fields, directories below it)`, over the same gray pixels."""
    data = bytearray(b"II*\0" + bytes(4) + (head or bytes(8)) + bytes(64 * 48))
    link = 4
    for fields, below in chain:
        offsets = [_directory(data, entries) for entries in below]
        if offsets:
            table = len(data)
            data += struct.pack(f"<{len(offsets)}I", *offsets)
            value = offsets[0] if len(offsets) == 1 else table
            at = _directory(data, [*fields, (330, len(offsets), value)])
        else:
            at = _directory(data, fields)
        data[link : link + 4] = struct.pack("<I", at)
        link = at + 2 + 12 * struct.unpack_from("<H", data, at)[0]
    return bytes(data)


def _directory(data: bytearray, entries: list[Entry]) -> int:
    at = len(data)
    data += struct.pack("<H", len(entries))
    for tag, count, value in sorted(entries):
        data += struct.pack("<HHII", tag, 4, count, value)
    data += bytes(4)
    return at


def picture_of(width: int, height: int, **more: int) -> list[Entry]:
    """The fields of a gray picture; `more` are others, as `t254=1`."""
    plain = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 16, 277: 1, 278: height, 279: width * height}
    return [(tag, 1, value) for tag, value in {**plain, **{int(k[1:]): v for k, v in more.items()}}.items()]


FULL, SMALL = picture_of(64, 48), picture_of(16, 12)
COPY = picture_of(16, 12, t254=1)
TIFFS: dict[str, tuple[bytes, str]] = {
    "one page": (tiff((FULL, [])), ""),
    "a page with a smaller copy": (tiff((FULL, []), (COPY, [])), ""),
    "a page with a smaller copy, as TIFF 5 marks it": (tiff((FULL, []), (picture_of(16, 12, t255=2), [])), ""),
    "a page with its mask": (tiff((FULL, []), (picture_of(64, 48, t254=4), [])), ""),
    "a page with a smaller copy below it": (tiff((FULL, [COPY])), ""),
    "two pages": (tiff((FULL, []), (FULL, [])), "has 2 pages"),
    "two pages, numbered": (tiff((picture_of(64, 48, t254=2), []), (picture_of(64, 48, t254=2), [])), "has 2 pages"),
    "thirty pages": (tiff(*[(FULL, [])] * 30), "has 30 pages"),
    "a page after a smaller one": (tiff((SMALL, []), (FULL, [])), "has 2 pages"),
    "a copy first": (tiff((COPY, []), (FULL, [])), "smaller copy"),
    "a copy first, the picture below it": (tiff((COPY, [FULL])), "smaller copy"),
    "a larger picture below the first": (tiff((SMALL, [FULL])), "smaller copy"),
    "two pictures below the first": (tiff((SMALL, [COPY, FULL])), "smaller copy"),
    "DNG": (tiff((picture_of(64, 48, t50706=0x0401), [])), "develop it first"),
    "a colour filter array": (tiff((SMALL, [picture_of(16, 12, t262=32803)])), "develop it first"),
    "CR2": (tiff((FULL, []), (COPY, []), head=b"CR\2\0" + bytes(4)), "develop it first"),
}


@pytest.mark.parametrize("name", TIFFS)
def test_a_tiff_is_read_when_its_first_picture_is_its_only_one(
    name: str, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    data, reason = TIFFS[name]
    source, plain, out = tmp_path / "in.tif", tmp_path / "plain.tif", tmp_path / "out.tif"
    source.write_bytes(data)
    plain.write_bytes(TIFFS["one page"][0])
    located, _, said = command("locate", source, "--labels", "face", "-o", tmp_path / "located.json")
    assert (located, reason in said, said.count("\n") <= 1) == (4 if reason else 0, True, True)
    manifest = make_manifest(plain, (make_track(1, BOX, 1),))
    bound = manifest.model_copy(update={"source": manifest.source.model_copy(update=digest_of(source))})
    code, _, said = command("render", source, saved(bound), out)
    assert (code, reason in said) == (4 if reason else 0, True), said
    assert out.exists() != bool(reason)


def digest_of(path: Path) -> dict[str, Any]:
    with open_media(path) as media:
        return {"sha256": media.sha256, "bytes": media.size}


def test_a_chain_of_directories_that_loops_is_refused(make_manifest: Any, tmp_path: Path, command: Any) -> None:
    data = bytearray(TIFFS["two pages"][0])
    first = struct.unpack_from("<I", data, 4)[0]
    data[-4:] = struct.pack("<I", first)
    (tmp_path / "in.tif").write_bytes(data)
    code, _, said = command("locate", tmp_path / "in.tif", "--labels", "face", "-o", tmp_path / "m.json")
    assert (code, "loop" in said) == (4, True), said


def jpeg(colour: tuple[int, int, int] = RED, size: tuple[int, int] = (48, 32), **options: Any) -> bytes:
    file = io.BytesIO()
    flat(colour, size).save(file, "JPEG", **options)
    return file.getvalue()


def with_list_of_pictures(data: bytes) -> bytes:
    """A JPEG with the segment that lists further pictures."""
    body = b"MPF\0" + bytes(20)
    return data[:2] + b"\xff\xe2" + struct.pack(">H", 2 + len(body)) + body + data[2:]


JPEGS: dict[str, tuple[bytes, str]] = {
    "one picture": (jpeg(), "JPEG"),
    "progressive": (jpeg(progressive=True), "JPEG"),
    "two of one size": (jpeg() + jpeg(GREEN), "mjpeg"),
    "thirty of one size": (jpeg() * 30, "mjpeg"),
    "with restart markers": (jpeg(restart_marker_blocks=1) * 3, "mjpeg"),
    "a smaller one behind": (jpeg() + jpeg(size=(16, 16)), "JPEG"),
    "a listed one behind": (with_list_of_pictures(jpeg()) + jpeg(), "JPEG"),
    "text behind": (jpeg() + b"John Smith", "JPEG"),
    "cut short": (jpeg()[:-40], "JPEG"),
    "larger than what is read at once": (jpeg(quality=100, size=(4096, 2048)) * 2, "mjpeg"),
}


@pytest.mark.parametrize("name", JPEGS)
def test_jpeg_pictures_in_a_row_are_footage(name: str, tmp_path: Path) -> None:
    data, kind = JPEGS[name]
    (tmp_path / "in").write_bytes(data)
    with open_media(tmp_path / "in") as media:
        assert media.format.name == kind


def test_motion_jpeg_is_rendered_frame_by_frame(
    make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    source, out = tmp_path / "in.mjpeg", tmp_path / "out.mkv"
    source.write_bytes(b"".join(jpeg(c) for c in (RED, GREEN, BLUE)))
    manifest = saved(make_manifest(source, (make_track(1, BOX, 3),), container="mkv", profile="lossless"))
    code, _, said = command("render", source, manifest, out)
    assert code == 0, said
    genuine = ("--input", source, "--manifest", manifest, "--output", out)
    code, told, said = command("verify", f"{out}.audit.jsonl", *genuine, "--content", "--rerun")
    assert code == 0, told + said


@pytest.mark.parametrize("shown", [1, 3])
def test_the_default_image_of_an_apng_is_dropped_and_named(
    shown: int, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    """It is what viewers without animation show; the frames of the animation are what counts."""
    source, out = tmp_path / "in.png", tmp_path / "out.png"
    colours = [GREEN, BLUE, (9, 9, 9)][:shown]
    frames = [flat(c) for c in colours]
    flat(RED).save(source, save_all=True, default_image=True, append_images=frames, duration=[40, 70, 90][:shown])
    manifest = make_manifest(source, (make_track(1, BOX, shown),))
    assert manifest.source.streams[0].frames == shown
    code, _, said = command("render", source, saved(manifest), out)
    assert code == 0, said
    with Image.open(out) as image:
        assert (getattr(image, "n_frames", 1), image.info.get("default_image", False)) == (shown, False)
        for number, colour in enumerate(colours):
            image.seek(number)
            pixels = np.asarray(image.convert("RGB"))
            assert (tuple(pixels[20, 30]), tuple(pixels[6, 6])) == (colour, (0, 0, 0))
    entries = [json.loads(line) for line in Path(f"{out}.audit.jsonl").read_text().splitlines()]
    dropped = next(e["body"]["metadata_dropped"] for e in entries if e["type"] == "stream")
    assert "default_image" in dropped


def heic(path: Path, primary: int) -> None:
    from pillow_heif import HeifFile

    file = HeifFile()
    for colour in (RED, GREEN, BLUE):
        file.add_from_pillow(flat(colour, (64, 64)))
    file.save(path, quality=-1, primary_index=primary)


@pytest.mark.parametrize("primary", [0, 1, 2])
@pytest.mark.skipif(importlib.util.find_spec("pillow_heif") is None, reason="needs the extra: veridact[heic]")
def test_the_primary_item_of_a_heic_counts(
    primary: int, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    source, out = tmp_path / "in.heic", tmp_path / "out.png"
    heic(source, primary)
    code, _, said = command("render", source, saved(make_manifest(source, (make_track(1, BOX, 1),))), out)
    assert code == 0, said
    with Image.open(out) as image:
        shown = np.asarray(image)[40, 40].astype(int)
    assert np.abs(shown - (RED, GREEN, BLUE)[primary]).max() < 12
