"""What detectors and people see: the same face in the same place in every pixel format that is read."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from veridact.locate.detectors import centerface
from veridact.locate.detectors.base import Request
from veridact.locate.video.frames import FootageView, PictureView, decode_picture
from veridact.media.colour.viewing import BACKGROUND, over_background
from veridact.media.pixel_formats import FORMATS
from veridact.media.video import open_media
from veridact.tools.draw import frames as review

pytestmark = pytest.mark.extra
FOOTAGE_FORMATS = sorted({name for table in FORMATS.values() for name in table})
Box = tuple[float, ...]


@pytest.fixture(scope="module")
def face(portrait: Image.Image) -> Callable[[Any], Box]:
    """`face(view)`: the edges of the best face that the embedded detector finds."""
    pytest.importorskip("onnxruntime", reason="needs the extra `locate`")
    detector = centerface.load(Request("p1", frozenset({"face"}), 0.2, "cpu"))

    def find(view: Any) -> Box:
        best = max(detector.detect(view), key=lambda d: d.score)
        return best.left, best.top, best.right, best.bottom

    return find


def overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    shared = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def tiff(width: int, height: int, bits: int, photometric: int, data: bytes) -> bytes:
    """A little-endian TIFF of one channel in one uncompressed strip (TIFF 6.0, section 2)."""
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: height, 279: len(data)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(tags)) + entries + bytes(4)


def png(width: int, height: int, bits: int, kind: int, samples: np.ndarray, *more: tuple[bytes, bytes]) -> bytes:
    """A PNG of the samples, which have (rows, values) as stored; `more` are chunks before the image data."""
    rows = b"".join(b"\0" + row.tobytes() for row in samples)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)), *more,
              (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def gray(portrait: Image.Image) -> np.ndarray:
    return np.asarray(portrait.convert("L"))


def twelve_bits(portrait: Image.Image) -> bytes:
    """Pairs of 12-bit samples in three bytes."""
    deep = gray(portrait).astype(np.uint32) * 4095 // 255
    even, odd = deep.reshape(-1, 2).T
    packed = np.stack([even >> 4, (even & 15) << 4 | odd >> 8, odd & 255], axis=1).astype(np.uint8)
    return tiff(*portrait.size, 12, 1, packed.tobytes())


def deep_colour(portrait: Image.Image, *more: tuple[bytes, bytes]) -> bytes:
    deep = (np.asarray(portrait).astype(np.uint16) * 257).astype(">u2")
    return png(*portrait.size, 16, 2, deep.reshape(portrait.height, -1), *more)


def with_alpha(portrait: Image.Image, alpha: int) -> Image.Image:
    image = portrait.convert("RGBA")
    image.putalpha(alpha)
    return image


def lighter(portrait: Image.Image) -> Image.Image:
    """The portrait without pure green, so that green can be the transparent colour."""
    return portrait.point(lambda v: min(v, 254))


PICTURES: dict[str, Callable[[Image.Image], Any]] = {
    "rgb.png": lambda p: p,
    "rgb.webp": lambda p: p,
    "rgb.bmp": lambda p: p,
    "gray.png": lambda p: p.convert("L"),
    "gray16.png": lambda p: Image.fromarray(gray(p).astype(np.uint16) * 257),
    "gray16be.tif": lambda p: Image.frombytes("I;16B", p.size, (gray(p).astype(">u2") * 257).tobytes()),
    "gray12.tif": twelve_bits,
    "minwhite16.tif": lambda p: tiff(*p.size, 16, 0, (65535 - gray(p).astype("<u2") * 257).tobytes()),
    "minwhite8.tif": lambda p: tiff(*p.size, 8, 0, (255 - gray(p)).tobytes()),
    "rgb16.png": deep_colour,
    "key16.png": lambda p: deep_colour(lighter(p), (b"tRNS", struct.pack(">3H", 0, 65535, 0))),
    "key8.png": lambda p: png(*p.size, 8, 2, np.asarray(lighter(p)).reshape(p.height, -1),
                              (b"tRNS", struct.pack(">3H", 0, 255, 0))),
    "palette.png": lambda p: p.quantize(256),
    "bilevel.tif": lambda p: p.convert("1"),
    "palette.gif": lambda p: p.quantize(256),
    "la.png": lambda p: p.convert("LA"),
    "cmyk.tif": lambda p: p.convert("CMYK"),
    "cmyk.jpg": lambda p: p.convert("CMYK"),
    "ycbcr.jpg": lambda p: p,
    "opaque.png": lambda p: with_alpha(p, 255),
    "faint.png": lambda p: with_alpha(p, 3),
}  # fmt: skip
"""For each file name, what makes it: the bytes of the file, or an image to save under that name."""

LEAST_OVERLAP = {"bilevel.tif": 0.75}
"""Where it is less than 0.9: in two colours a face of 90 pixels has lost its outline."""


def written(name: str, portrait: Image.Image, folder: Path) -> Path:
    made, path = PICTURES[name](portrait), folder / name
    if isinstance(made, bytes):
        path.write_bytes(made)
    else:
        made.save(path)
    return path


@pytest.mark.parametrize("name", PICTURES)
def test_the_same_face_is_found_in_every_mode_of_picture(
    name: str, portrait: Image.Image, face: Callable[[Any], Box], make_manifest: Any, tmp_path: Path
) -> None:
    path = written(name, portrait, tmp_path)
    with open_media(path) as media:
        frame, _ = next(decode_picture(media))
        assert overlap(face(frame.view), face(PictureView(portrait))) > LEAST_OVERLAP.get(name, 0.9)
        _, _, drawn = next(review.frames(media, make_manifest(path, ()).source.streams[0], None))
    assert np.array_equal(np.asarray(drawn), frame.view.rgb(*drawn.size))


@pytest.mark.parametrize("name", FOOTAGE_FORMATS)
def test_the_same_face_is_found_in_every_pixel_format_of_footage(
    name: str, portrait: Image.Image, face: Callable[[Any], Box]
) -> None:
    frame = av.VideoFrame.from_ndarray(np.asarray(portrait), "rgb24").reformat(format=name)
    assert overlap(face(FootageView(frame, 1, still=True)), face(PictureView(portrait))) > 0.9


def test_a_face_whose_colours_lie_under_alpha_0_is_not_seen_but_all_else_is() -> None:
    pixels = np.array([[[0, 0, 0, 255], [9, 200, 7, 0], [255, 0, 0, 1], [255, 0, 0, 200]]], np.uint8)
    seen = over_background(pixels)[0].tolist()
    assert seen[:2] == [[0, 0, 0], [BACKGROUND] * 3]
    assert seen[2] == [192, 64, 64]
    assert seen[3] == [228, 28, 28]
