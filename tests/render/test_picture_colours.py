"""Colours that a file describes otherwise than by ICC: converted to sRGB like a reference in floats, or refused."""

import io
import struct
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from veridact.errors import MediaError
from veridact.media.colour.colours import _gray_table, described_colours
from veridact.media.pictures import frames, open_picture
from veridact.media.video import open_media

SIZE = (64, 48)
SRGB = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
ADOBE = (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
P3 = (0.3127, 0.3290, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
BT2020 = (0.3127, 0.3290, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046)
CURVE = "sRGB"

ROWS, COLUMNS = np.mgrid[: SIZE[1], : SIZE[0]]
COLOURS = np.dstack([40 + COLUMNS * 3, 60 + ROWS * 3, 200 - ROWS * 2 - COLUMNS]).astype(np.uint8)
GRAY = (COLUMNS * 4).astype(np.uint8)


def to_xyz(primaries: tuple[float, ...]) -> np.ndarray:
    """The matrix from linear RGB to XYZ."""
    white, *corners = [np.array([x, y, 1 - x - y]) / y for x, y in zip(primaries[::2], primaries[1::2], strict=True)]
    matrix = np.stack(corners, axis=1)
    scaled: np.ndarray = matrix * np.linalg.solve(matrix, white)
    return scaled


def reference(pixels: np.ndarray, primaries: tuple[float, ...], gamma: float | str) -> np.ndarray:
    """The colours in sRGB, 0 to 255, computed in floats; both whites are D65."""
    value = pixels / 255
    if isinstance(gamma, str):
        light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    else:
        light = value**gamma
    if pixels.ndim == 3:
        light = light @ (np.linalg.inv(to_xyz(SRGB)) @ to_xyz(primaries)).T
    light = light.clip(0, 1)
    shown: np.ndarray = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    return shown


def png(kind: int, samples: np.ndarray, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of 8 bits with these chunks before the image data."""
    rows = b"".join(b"\0" + row.tobytes() for row in samples)
    parts = [(b"IHDR", struct.pack(">IIBBBBB", *SIZE, 8, kind, 0, 0, 0)), *chunks, (b"IDAT", zlib.compress(rows)),
             (b"IEND", b"")]  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in parts
    )


def rgb_png(*chunks: tuple[bytes, bytes]) -> bytes:
    return png(2, COLOURS.reshape(SIZE[1], -1), *chunks)


def gama(value: int) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", value)


def chrm(primaries: tuple[float, ...]) -> tuple[bytes, bytes]:
    return b"cHRM", struct.pack(">8I", *(round(v * 100_000) for v in primaries))


def cicp(primaries: int, transfer: int, full: int = 1) -> tuple[bytes, bytes]:
    return b"cICP", bytes([primaries, transfer, 0, full])


def with_exif(form: str, space: int, index: str | None, mode: str = "RGB") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 1  # without a tag of its own, EXIF is not saved in PNG
    exif.get_ifd(0x8769)[0xA001] = space
    if index:
        exif.get_ifd(0x8769)[0xA005] = {1: index}
    file = io.BytesIO()
    Image.fromarray(COLOURS).convert(mode).save(file, form, exif=exif, **({"quality": 100} if form == "JPEG" else {}))
    return file.getvalue()


def avif(primaries: int, transfer: int) -> bytes:
    """An AVIF whose nclx box has these code points."""
    file = io.BytesIO()
    Image.fromarray(COLOURS).save(file, "AVIF", quality=100, subsampling="4:4:4")
    data = file.getvalue()
    at = data.index(b"nclx") + 4
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]


CONVERTED: dict[str, tuple[bytes, tuple[float, ...], float | str]] = {
    "linear gAMA": (rgb_png(gama(100_000)), SRGB, 1.0),
    "gAMA of a Macintosh": (rgb_png(gama(55_556)), SRGB, 1.8),
    "gAMA and cHRM": (rgb_png(chrm(ADOBE), gama(45_470)), ADOBE, 2.2),
    "cHRM alone": (rgb_png(chrm(P3)), P3, CURVE),
    "cICP of Display P3": (rgb_png(cicp(12, 13)), P3, CURVE),
    "cICP before gAMA": (rgb_png(gama(100_000), cicp(12, 13)), P3, CURVE),
    "cICP of BT.2020": (rgb_png(cicp(9, 14)), BT2020, CURVE),
    "cICP linear": (rgb_png(cicp(1, 8)), SRGB, 1.0),
    "EXIF R03": (with_exif("JPEG", 0xFFFF, "R03"), ADOBE, 2.2),
    "EXIF colour space 2": (with_exif("JPEG", 2, None), ADOBE, 2.2),
    "EXIF in PNG": (with_exif("PNG", 0xFFFF, "R03"), ADOBE, 2.2),
    "EXIF in WebP": (with_exif("WEBP", 0xFFFF, "R03"), ADOBE, 2.2),
    "nclx in AVIF": (avif(12, 13), P3, CURVE),
    "gray with gAMA": (png(0, GRAY, gama(100_000)), SRGB, 1.0),
}
"""Bytes of a picture, and the primaries and transfer curve that it describes."""

AS_THEY_ARE = {
    "nothing": rgb_png(),
    "gAMA of sRGB": rgb_png(gama(45_455)),
    "gAMA and cHRM of sRGB": rgb_png(chrm(SRGB), gama(45_455)),
    "sRGB before gAMA": rgb_png((b"sRGB", b"\0"), gama(100_000)),
    "cICP of sRGB": rgb_png(cicp(1, 13)),
    "gAMA of 0": rgb_png(gama(0)),
    "EXIF sRGB": with_exif("PNG", 1, None),
    "EXIF uncalibrated": with_exif("PNG", 0xFFFF, None),
    "EXIF R98": with_exif("PNG", 0xFFFF, "R98"),
    "nclx of sRGB": avif(1, 13),
    "nclx of BT.709": avif(1, 1),
}
REFUSED = {
    "cICP of PQ": (rgb_png(cicp(9, 16)), "HDR (PQ)"),
    "nclx of HLG": (avif(9, 18), "HDR (HLG)"),
    "code points of nothing known": (rgb_png(cicp(200, 13)), "200 and 13"),
    "narrow range": (rgb_png(cicp(12, 13, 0)), "narrow range"),
    "primaries on a line": (rgb_png(chrm((0.3, 0.3, 0.1, 0.1, 0.2, 0.2, 0.4, 0.4)), gama(50_000)), "chromaticities"),
    "primaries of zero": (rgb_png(chrm((0.0,) * 8), gama(50_000)), "chromaticities"),
}


def undecoded(data: bytes) -> np.ndarray:
    """The samples as Pillow decodes them, without any conversion."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image).astype(float)


def shown(data: bytes, tmp_path: Path) -> np.ndarray:
    """The samples that are painted."""
    path = tmp_path / "in.picture"
    path.write_bytes(data)
    with open_media(path) as media, open_picture(media) as image:
        return np.asarray(next(frames(image))[0]).astype(float)


@pytest.mark.parametrize("name", CONVERTED)
def test_described_colours_are_converted_to_srgb(name: str, tmp_path: Path) -> None:
    data, primaries, gamma = CONVERTED[name]
    wanted = reference(undecoded(data), primaries, gamma)
    assert np.abs(shown(data, tmp_path) - wanted).mean() < 1
    assert np.abs(undecoded(data) - wanted).mean() > 2


@pytest.mark.parametrize("name", AS_THEY_ARE)
def test_colours_of_srgb_are_kept(name: str, tmp_path: Path) -> None:
    assert np.array_equal(shown(AS_THEY_ARE[name], tmp_path), undecoded(AS_THEY_ARE[name]))


def test_exif_says_nothing_of_ink(tmp_path: Path) -> None:
    with Image.open(io.BytesIO(with_exif("JPEG", 2, None, "CMYK"))) as image:
        assert np.array_equal(shown(with_exif("JPEG", 2, None, "CMYK"), tmp_path), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("name", REFUSED)
def test_other_colours_are_refused_with_a_command(name: str, tmp_path: Path) -> None:
    data, words = REFUSED[name]
    with pytest.raises(MediaError, match="ffmpeg -i IN") as refusal:
        shown(data, tmp_path)
    assert words in str(refusal.value)


@pytest.mark.parametrize("gamma", [1.0, 1.8])
def test_gray_of_16_bits_is_converted_to_the_sample(gamma: float) -> None:
    values = np.arange(65536) / 65535
    light = values**gamma
    wanted = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 65535
    assert np.abs(_gray_table(Fraction(gamma).limit_denominator(10), 65535) - wanted).max() < 0.7


def test_the_output_describes_no_colours(
    make_manifest: Any, make_track: Any, saved: Callable[..., Path], command: Any, tmp_path: Path
) -> None:
    source, out = tmp_path / "in.png", tmp_path / "out.png"
    source.write_bytes(rgb_png(chrm(P3), gama(100_000)))
    assert command("render", source, saved(make_manifest(source, (make_track(1, (0, 0, 9, 9), 1),))), out)[0] == 0
    with open_media(out) as media, open_picture(media) as image:
        image.load()
        assert described_colours(image) is None
        assert not {"gamma", "chromaticity", "cicp", "icc_profile"} & set(image.info)
    assert '"chromaticity","gamma"' in Path(f"{out}.audit.jsonl").read_text()
