"""Colours that a picture file describes: which they are, by any of the ways files have, and their conversion to sRGB.

cICP (PNG), nclx (HEIC, AVIF) ─┐
ICC profile ───────────────────┤ the first that is there ─► ICC profile ─► LittleCMS ─► sRGB
gAMA and cHRM (PNG) ───────────┤
EXIF colour space ─────────────┘
"""

import struct
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import lru_cache
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

from veridact.errors import MediaError
from veridact.media.colour.colour_profiles import Chromaticities, Colours, icc_profile

SRGB: Chromaticities = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
_C, _D65 = (31000, 31600), (31270, 32900)
PRIMARIES: dict[int, Chromaticities] = {
    1: SRGB,
    2: SRGB,
    4: (*_C, 67000, 33000, 21000, 71000, 14000, 8000),
    5: (*_D65, 64000, 33000, 29000, 60000, 15000, 6000),
    6: (*_D65, 63000, 34000, 31000, 59500, 15500, 7000),
    7: (*_D65, 63000, 34000, 31000, 59500, 15500, 7000),
    8: (*_C, 68100, 31900, 24300, 69200, 14500, 4900),
    9: (*_D65, 70800, 29200, 17000, 79700, 13100, 4600),
    11: (31400, 35100, 68000, 32000, 26500, 69000, 15000, 6000),
    12: (*_D65, 68000, 32000, 26500, 69000, 15000, 6000),
    22: (*_D65, 63000, 34000, 29500, 60500, 15500, 7700),
}
"""ColourPrimaries (ITU-T H.273, table 2); 2 is unspecified."""

GAMMAS: dict[int, Fraction | None] = {
    **dict.fromkeys((1, 2, 6, 11, 13, 14, 15)),
    4: Fraction(11, 5),
    5: Fraction(14, 5),
    8: Fraction(1),
}
"""TransferCharacteristics (ITU-T H.273, table 3); the camera curves of BT.709 and BT.2020 are shown like sRGB."""

_HDR = {16: ("HDR (PQ)", "smpte2084"), 18: ("HDR (HLG)", "arib-std-b67")}
"""The transfer curves that need a tone mapping: for people, and FFmpeg's name."""

ADOBE_RGB = Colours((*_D65, 64000, 33000, 21000, 71000, 15000, 6000), Fraction(563, 256))
CLOSE_CHROMATICITY, CLOSE_GAMMA = 100, 455
"""In 100,000ths: what differs less from sRGB (gAMA 45455) differs by less than half a step of 255."""

_SRGB_GAMA = 45455
_GRAY_SCALE = 1 << 16
_HEADROOM = 100 * _SRGB_GAMA
_UNREADABLE = (ValueError, SyntaxError, OSError, KeyError, IndexError, TypeError)
_CONVERTED = frozenset({"RGB", "RGBA", "CMYK", "P", "PA"})
UNUSABLE = "the picture's {} cannot be used; convert the picture to sRGB first: ffmpeg -i IN -pix_fmt rgb24 OUT.png"


def icc_profile_of(image: Image.Image) -> ImageCms.ImageCmsProfile | None:
    """The picture's ICC profile where its colours are not sRGB; None where it has none, or one that cannot be used.

    Profiles are dropped (they name devices and people), so colours that need one are converted; gray is not.
    """
    data = image.info.get("icc_profile")
    if not data or image.mode not in _CONVERTED:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(data))
        description = ImageCms.getProfileDescription(profile)
        matches_mode = profile.profile.xcolor_space.strip() == ("CMYK" if image.mode == "CMYK" else "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return None if "srgb" in description.lower() or not matches_mode else profile


def described_colours(image: Image.Image) -> Colours | None:
    """The colours of a loaded picture by anything but an ICC profile; None where they are sRGB or not described.

    Raises `MediaError` for those that have no exact conversion, such as HDR.
    """
    info = image.info
    code = info.get("cicp")
    if isinstance(code, tuple) and (image.format == "PNG" or not info.get("icc_profile")):
        if image.format == "PNG" and code[3] != 1:
            raise MediaError(UNUSABLE.format("narrow range of values"))
        return _unless_srgb(_of_codes(image, *code[:2]))
    if info.get("icc_profile") or isinstance(info.get("srgb"), int):
        return None
    gamma, corners = info.get("gamma"), info.get("chromaticity")
    if isinstance(gamma, int) or isinstance(corners, tuple):
        power = Fraction(100_000, gamma) if isinstance(gamma, int) and 0 < gamma < _HEADROOM else None
        return _unless_srgb(Colours(corners if isinstance(corners, tuple) else SRGB, power))
    return ADOBE_RGB if image.mode != "CMYK" and _exif_says_adobe_rgb(image) else None


def _of_codes(image: Image.Image, primaries: int, transfer: int) -> Colours:
    """The colours of H.273's code points; raises `MediaError` for those that are not converted."""
    if primaries not in PRIMARIES or transfer not in GAMMAS:
        kind, named = _HDR.get(transfer, (f"of code points {primaries} and {transfer}", ""))
        given = f"zscale=pin=2020:tin={named}:"
        if image.format == "PNG":
            given = f"setparams=color_primaries=bt2020:color_trc={named}:colorspace=gbr,zscale="
        tone_mapping = f"{given}t=linear:npl=203,tonemap=hable," if named else ""
        raise MediaError(
            f"the picture's colours are {kind}, which are not converted; convert it to sRGB first: "
            f"ffmpeg -i IN -vf {tone_mapping}zscale=p=709:t=iec61966-2-1:m=gbr OUT.png"
        )
    return Colours(PRIMARIES[primaries], GAMMAS[transfer])


def _unless_srgb(colours: Colours) -> Colours | None:
    """The colours, or None where they are close to sRGB."""
    near = all(abs(a - b) <= CLOSE_CHROMATICITY for a, b in zip(colours.primaries, SRGB, strict=True))
    plain = colours.gamma is None or abs(100_000 / colours.gamma - _SRGB_GAMA) <= CLOSE_GAMMA
    return None if near and plain else colours


def _exif_says_adobe_rgb(image: Image.Image) -> bool:
    """Whether EXIF names Adobe RGB: colour space 2, or uncalibrated with the interoperability index R03 (DCF 2.0)."""
    try:
        exif = image.getexif()
        space = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.ColorSpace)
        index = exif.get_ifd(ExifTags.IFD.Interop).get(1)
    except _UNREADABLE:
        return False
    words = index.encode() if isinstance(index, str) else index
    return space == 2 or (space == 0xFFFF and isinstance(words, bytes) and words.rstrip(b"\0 ") == b"R03")


def to_srgb(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    """The frame converted to sRGB by LittleCMS, alpha unchanged; raises `MediaError` for an unusable profile."""
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    flat = image.convert("RGB") if alpha is not None else image
    try:
        converted = ImageCms.profileToProfile(flat, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except ImageCms.PyCMSError:
        raise MediaError(UNUSABLE.format("colour profile")) from None
    if converted is None:
        raise MediaError(UNUSABLE.format("colour profile"))
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def shown_as_srgb(image: Image.Image, colours: Colours) -> Image.Image:
    """A frame of a painted mode with these colours, converted to sRGB; gray by its transfer curve alone."""
    if image.mode in {"L", "I;16"}:
        if colours.gamma is None:
            return image
        pixels: Any = np.asarray(image)
        return Image.fromarray(_gray_table(colours.gamma, int(np.iinfo(pixels.dtype).max))[pixels])
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(icc_profile(colours)))
    except (ZeroDivisionError, struct.error, OSError, ImageCms.PyCMSError):
        raise MediaError(UNUSABLE.format("chromaticities")) from None
    return to_srgb(image, profile)


@lru_cache(maxsize=4)
def _gray_table(gamma: Fraction, peak: int) -> NDArray[Any]:
    """For each sample from 0 to `peak` that of sRGB which is as light.

    Of 16-bit samples, each 16th from 1024 on is computed, and those between are interpolated, which is off by less than
    a tenth of a step.
    """
    knots = [*range(min(peak, 1024)), *range(1024, peak, 16), peak]
    with localcontext() as context:
        context.prec = 16
        power = Decimal(gamma.numerator) / gamma.denominator
        shown = [
            min(_GRAY_SCALE * peak, int(_lightness((Decimal(v) / peak) ** power) * peak * _GRAY_SCALE)) for v in knots
        ]
    at = np.arange(peak + 1)
    first = np.searchsorted(knots, at, side="right").clip(1, len(knots) - 1) - 1
    left, right = (np.array(values, np.int64) for values in (knots[:-1], knots[1:]))
    low, high = (np.array(values, np.int64) for values in (shown[:-1], shown[1:]))
    way = (high - low)[first] * (at - left[first]) // (right - left)[first]
    samples: NDArray[Any] = (low[first] + way + _GRAY_SCALE // 2) // _GRAY_SCALE
    return samples.astype(np.uint8 if peak == 255 else np.uint16)


def _lightness(light: Decimal) -> Decimal:
    """The sRGB value, 0 to 1, of linear light (IEC 61966-2-1), in correctly rounded decimals."""
    if light <= Decimal("0.0031308"):
        return light * Decimal("12.92")
    return Decimal("1.055") * light ** (1 / Decimal("2.4")) - Decimal("0.055")
