"""Samples and transparency of pictures: what a viewer shows outside covers is what the output shows."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

BOX = (10, 8, 20, 12)
SIZE = (60, 44)
Render = Callable[..., Path]


@pytest.fixture
def render(make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path) -> Render:
    """`render(source)`: the output, in the source's format, with a cover on `BOX`."""

    def call(source: Path, **what: Any) -> Path:
        manifest = make_manifest(source, (make_track(1, BOX, 1),), **what)
        out = tmp_path / f"out.{what.get('container', source.suffix[1:])}"
        code, _, err = command("render", source, saved(manifest), out)
        assert code == 0, err
        return out

    return call


def receipt(out: Path) -> str:
    return Path(f"{out}.audit.jsonl").read_text()


def png(bits: int, kind: int, samples: np.ndarray, *more: tuple[bytes, bytes]) -> bytes:
    """A PNG of `SIZE`; `samples` has (rows, bytes); `more` are chunks before the image data (W3C PNG, 5.3)."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", *SIZE, bits, kind, 0, 0, 0)), *more,
              (b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in samples))), (b"IEND", b"")]  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def tiff16(photometric: int, samples: np.ndarray) -> bytes:
    """A little-endian TIFF of 16-bit gray (TIFF 6.0, section 2)."""
    data, (width, height) = samples.astype("<u2").tobytes(), SIZE
    tags = {256: width, 257: height, 258: 16, 259: 1, 262: photometric, 273: 8, 277: 1, 278: height, 279: len(data)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(tags)) + entries + bytes(4)


def outside() -> np.ndarray:
    mask = np.ones(SIZE[::-1], bool)
    mask[BOX[1] : BOX[1] + BOX[3], BOX[0] : BOX[0] + BOX[2]] = False
    return mask


ROWS, COLUMNS = np.mgrid[: SIZE[1], : SIZE[0]]
DEEP = (ROWS * 1000 + COLUMNS * 7).astype(np.uint16)
GRAY = (COLUMNS * 4).astype(np.uint8)
COLOURS = np.dstack([GRAY, GRAY // 2, 255 - GRAY])


def packed(gray: np.ndarray, bits: int) -> np.ndarray:
    """Samples of fewer than 8 bits in bytes, first sample first."""
    digits = np.unpackbits(gray.astype(np.uint8)[:, :, None], axis=2)[:, :, 8 - bits :]
    return np.packbits(digits.reshape(gray.shape[0], -1), axis=1)


def big_endian(samples: np.ndarray) -> np.ndarray:
    return samples.astype(">u2").reshape(SIZE[1], -1)


KEYED = {
    "RGB": (png(8, 2, COLOURS.reshape(SIZE[1], -1), (b"tRNS", struct.pack(">3H", 40, 20, 215))), GRAY == 40, False),
    "gray": (png(8, 0, GRAY, (b"tRNS", struct.pack(">H", 40))), GRAY == 40, False),
    "4-bit gray": (png(4, 0, packed(GRAY >> 4, 4), (b"tRNS", struct.pack(">H", 3))), GRAY >> 4 == 3, False),
    "2-bit gray": (png(2, 0, packed(GRAY >> 6, 2), (b"tRNS", struct.pack(">H", 1))), GRAY >> 6 == 1, False),
    "bilevel": (png(1, 0, packed(GRAY >> 7, 1), (b"tRNS", struct.pack(">H", 1))), GRAY >> 7 == 1, False),
    "16-bit gray": (png(16, 0, big_endian(DEEP), (b"tRNS", struct.pack(">H", 5070))), DEEP == 5070, True),
    "16-bit RGB": (
        png(16, 2, big_endian(np.dstack([DEEP, DEEP + 1, DEEP])), (b"tRNS", struct.pack(">3H", 5070, 5071, 5070))),
        DEEP == 5070,
        True,
    ),
}
"""Bytes of a PNG with one transparent colour, which pixels have it, and whether 16 bits become 8."""


@pytest.mark.parametrize("name", KEYED)
def test_a_transparent_colour_stays_transparent(name: str, render: Render, tmp_path: Path) -> None:
    data, transparent, reduced = KEYED[name]
    (tmp_path / "in.png").write_bytes(data)
    out = render(tmp_path / "in.png")
    with Image.open(out) as image:
        assert image.mode == "RGBA"
        alpha = np.asarray(image)[:, :, 3]
    assert np.array_equal(alpha[outside()] == 0, transparent[outside()])
    assert transparent[outside()].any()
    assert (alpha[~outside()] == 255).all()
    assert "the transparent colour becomes" in receipt(out)
    assert ("8 of 16 bits" in receipt(out)) is reduced


def test_text_that_is_called_like_a_field_changes_nothing(render: Render, tmp_path: Path) -> None:
    words = [(b"tEXt", name + b"\0" + b"1") for name in (b"transparency", b"gamma", b"srgb", b"dpi", b"cicp", b"phys")]
    (tmp_path / "in.png").write_bytes(png(8, 2, COLOURS.reshape(SIZE[1], -1), *words))
    with Image.open(render(tmp_path / "in.png")) as image:
        assert image.mode == "RGB"
        assert np.array_equal(np.asarray(image)[outside()], COLOURS[outside()])


@pytest.mark.parametrize(("photometric", "container"), [(0, "tif"), (1, "tif"), (0, "png")])
def test_sixteen_bits_with_white_at_zero_keep_their_look(
    photometric: int, container: str, render: Render, tmp_path: Path
) -> None:
    (tmp_path / "in.tif").write_bytes(tiff16(photometric, DEEP))
    out = render(tmp_path / "in.tif", container={"tif": "tiff"}.get(container, container))
    with Image.open(out) as image:
        assert image.mode == "I;16"
        found = np.asarray(image)
    assert np.array_equal(found[outside()], (DEEP if photometric else 65535 - DEEP)[outside()])
    assert (found[~outside()] == 0).all()
