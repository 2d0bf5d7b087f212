"""The density and pixel shape of pictures, which scans need to be shown and printed at their size: read, and written.

It is structure, like the size in pixels, and no metadata: two numbers and a unit.
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

Unit = Literal["none", "inch", "centimetre", "metre"]
INCHES_A_UNIT: dict[Unit, Fraction] = {
    "inch": Fraction(1),
    "centimetre": Fraction(100, 254),
    "metre": Fraction(10_000, 254),
}
_JFIF_UNITS: tuple[Unit, ...] = ("none", "inch", "centimetre")
_TIFF_UNITS: dict[int, Unit] = {1: "none", 2: "inch", 3: "centimetre"}
_BMP_DEFAULT_DPI = 96
_UNREADABLE = (ValueError, SyntaxError, OSError, KeyError, IndexError, TypeError, ZeroDivisionError)
MOST = 1 << 24

FIELDS = frozenset({"dpi", "jfif_unit", "jfif_density", "phys", "resolution"})
"""The fields of Pillow's `info` that hold a density."""


@dataclass(frozen=True)
class Density:
    """Pixels for each unit across and down; with unit `none`, only their ratio means something."""

    across: Fraction
    down: Fraction
    unit: Unit

    def turned(self, orientation: int) -> "Density":
        """The density of the displayed picture, from the stored one and its EXIF orientation."""
        return self if orientation < 5 else Density(self.down, self.across, self.unit)

    def per(self, unit: Unit) -> tuple[Fraction, Fraction]:
        """Pixels for each of another unit; not for the unit `none`."""
        factor = INCHES_A_UNIT[unit] / INCHES_A_UNIT[self.unit]
        return self.across * factor, self.down * factor


def density_of(image: Image.Image) -> Density | None:
    """The density of a picture, not yet decoded; None where it has none, or square pixels without a unit.

    Once a TIFF is decoded, Pillow has forgotten its orientation.
    """
    found = _READERS.get(str(image.format), lambda _: None)(image)
    if found is None or not all(0 < v < MOST for v in (found.across, found.down)):
        return None
    return None if found.unit == "none" and found.across == found.down else found


def _jpeg(image: Image.Image) -> Density | None:
    """JFIF's density, or EXIF's where that has none."""
    unit: Any = image.info.get("jfif_unit")
    density: Any = image.info.get("jfif_density")
    if (
        isinstance(unit, int)
        and isinstance(density, tuple)
        and unit < len(_JFIF_UNITS)
        and (unit, density) != (0, (1, 1))
    ):
        return Density(Fraction(density[0]), Fraction(density[1]), _JFIF_UNITS[unit])
    try:
        return _from_tags(image.getexif())
    except _UNREADABLE:
        return None


def _png(image: Image.Image) -> Density | None:
    """The pHYs chunk, as `png_chunks` reads it."""
    match image.info.get("phys"):
        case (int(across), int(down), int(unit)):
            return Density(Fraction(across), Fraction(down), "metre" if unit == 1 else "none")
        case _:
            return None


def _tiff(image: Image.Image) -> Density | None:
    """The density of the picture as Pillow decodes it, which is turned already."""
    tags: Mapping[int, Any] = getattr(image, "tag_v2", {})
    stored, orientation = _from_tags(tags), tags.get(ExifTags.Base.Orientation, 1)
    return stored.turned(orientation) if stored and orientation in range(1, 9) else stored


def _bmp(image: Image.Image) -> Density | None:
    """Pixels a metre, which Pillow gives as dots an inch."""
    match image.info.get("dpi"):
        case (float(across), float(down)):
            return Density(Fraction(round(across * 39.3701)), Fraction(round(down * 39.3701)), "metre")
        case _:
            return None


_READERS = {"JPEG": _jpeg, "MPO": _jpeg, "PNG": _png, "TIFF": _tiff, "BMP": _bmp}


def _from_tags(tags: Mapping[int, Any]) -> Density | None:
    """The density in TIFF and EXIF tags (TIFF 6.0, section 8)."""
    across, down = (tags.get(tag) for tag in (ExifTags.Base.XResolution, ExifTags.Base.YResolution))
    try:
        values = [Fraction(int(v.numerator), int(v.denominator)) for v in (across, down) if v is not None]
    except (*_UNREADABLE, AttributeError):
        return None
    unit = _TIFF_UNITS.get(tags.get(ExifTags.Base.ResolutionUnit, 2))
    return Density(values[0], values[1], unit) if len(values) == 2 and unit is not None else None


HOLDS_DENSITY = frozenset({"jpeg", "png", "tiff", "bmp"})


def save_options(density: Density | None, container: str) -> dict[str, Any]:
    """Pillow's options that write a density in TIFF."""
    if density is None or container != "tiff":
        return {}
    unit: Unit = density.unit if density.unit != "metre" else "inch"
    across, down = (density.across, density.down) if unit == density.unit else density.per("inch")
    code = next(code for code, name in _TIFF_UNITS.items() if name == unit)
    return {"x_resolution": _rational(across), "y_resolution": _rational(down), "resolution_unit": code}


def _rational(value: Fraction) -> Any:
    """A value as TIFF stores it: two integers of 32 bits."""
    rounded = value.limit_denominator(1000)
    return IFDRational(rounded.numerator, rounded.denominator)


def with_density(data: bytes, density: Density | None, container: str) -> bytes:
    """A saved JPEG, PNG or BMP with its density; others as they are."""
    if density is None or container not in _WRITERS:
        return data
    return _WRITERS[container](data, density)


def _into_jpeg(data: bytes, density: Density) -> bytes:
    """Sets unit and density in the JFIF header that libjpeg writes first (JFIF 1.02)."""
    unit: Unit = density.unit if density.unit in _JFIF_UNITS else "inch"
    values = (density.across, density.down) if unit == density.unit else density.per(unit)
    across, down = (round(v) for v in values)
    if unit == "none":
        ratio = Fraction(density.across / density.down).limit_denominator(1000)
        across, down = ratio.numerator, ratio.denominator
    if not all(0 < v < 1 << 16 for v in (across, down)):
        return data
    return data[:13] + struct.pack(">BHH", _JFIF_UNITS.index(unit), across, down) + data[18:]


def _into_png(data: bytes, density: Density) -> bytes:
    """Inserts a pHYs chunk after IHDR (W3C PNG, 11.3.4.3)."""
    if density.unit == "none":
        ratio = Fraction(density.across / density.down).limit_denominator(1000)
        body = struct.pack(">IIB", ratio.numerator, ratio.denominator, 0)
    else:
        body = struct.pack(">IIB", *(max(1, round(v)) for v in density.per("metre")), 1)
    chunk = b"pHYs" + body
    return data[:33] + struct.pack(">I", len(body)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]


def _into_bmp(data: bytes, density: Density) -> bytes:
    """Sets the pixels a metre in the BITMAPINFOHEADER; BMP has no ratio without a unit, which counts as 96 dpi down."""
    if density.unit == "none":
        across, down = _BMP_DEFAULT_DPI * density.across / density.down, Fraction(_BMP_DEFAULT_DPI)
        density = Density(across, down, "inch")
    values = [round(v) for v in density.per("metre")]
    return data[:38] + struct.pack("<ii", *values) + data[46:] if all(0 < v < 1 << 31 for v in values) else data


_WRITERS = {"jpeg": _into_jpeg, "png": _into_png, "bmp": _into_bmp}
