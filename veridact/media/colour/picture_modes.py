"""Decoded pictures brought to the modes that are painted, every sample value and transparency kept as viewers show it.

Colours are not converted here, except from CMYK, YCbCr and palettes, whose RGB values Pillow computes in integers.
"""

from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from veridact.errors import MediaError

PAINTED = frozenset({"L", "RGB", "RGBA", "I;16"})
"""The Pillow modes that are painted without conversion."""

SIXTEEN_BIT_GRAY = frozenset({"I;16", "I;16L", "I;16B"})
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0
_TO_RGB = frozenset({"P", "PA", "CMYK", "YCbCr", "LAB", "HSV", "RGBX"})


def has_transparent_key(image: Image.Image) -> bool:
    """Whether one gray value or colour of a picture is transparent, for which `in_painted_mode` makes alpha."""
    return transparent_key(image) is not None or isinstance(image.info.get("transparency"), Image.Image)


def in_painted_mode(image: Image.Image) -> Image.Image:
    """A loaded picture in a mode of `PAINTED`: itself where it has one; raises `MediaError` for inexact modes."""
    key = transparent_key(image)
    if isinstance(mask := image.info.get("transparency"), Image.Image):
        return Image.merge("RGBA", (*image.split(), mask))
    if image.mode in SIXTEEN_BIT_GRAY:
        return _sixteen_bit_gray(image, key)
    if key is not None:
        return _keyed(image.convert("L") if image.mode == "1" else image, key)
    if image.mode in PAINTED:
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode in _TO_RGB:
        return image.convert("RGB")
    raise MediaError(
        f"pictures of mode {image.mode} cannot be painted exactly; convert it first: "
        "ffmpeg -i IN -pix_fmt rgb24 OUT.png"
    )


def transparent_key(image: Image.Image) -> int | tuple[int, ...] | None:
    """The one gray value or 8-bit colour of a picture that is transparent (PNG's tRNS); None where there is none."""
    key = image.info.get("transparency")
    if image.mode in {"1", "L", *SIXTEEN_BIT_GRAY} and isinstance(key, int):
        return key
    return key if image.mode == "RGB" and isinstance(key, tuple) else None


def _sixteen_bit_gray(image: Image.Image, key: int | tuple[int, ...] | None) -> Image.Image:
    """16-bit gray with black at 0 and white at 65535; with alpha, and then 8 bits, where one value is transparent."""
    samples: NDArray[Any] = np.asarray(image).astype("<u2")
    if key is not None:
        alpha = np.where(samples == key, 0, 255).astype(np.uint8)
        gray = (samples >> 8).astype(np.uint8)
        return Image.fromarray(np.dstack([gray, gray, gray, alpha]))
    tags = getattr(image, "tag_v2", {})
    if tags.get(_BITS_PER_SAMPLE) == (12,):
        samples = samples << 4 | samples >> 8
    elif tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        samples = 65535 - samples
    elif image.mode != "I;16B":
        return image
    return Image.fromarray(samples)


def _keyed(image: Image.Image, key: int | tuple[int, ...]) -> Image.Image:
    """An L or RGB picture as RGBA, transparent where its samples are the key."""
    samples = np.asarray(image)
    cube = samples if samples.ndim == 3 else samples[:, :, None]
    alpha = np.where((cube == np.asarray(key)).all(axis=2), 0, 255).astype(np.uint8)
    return Image.fromarray(np.dstack([*np.moveaxis(np.broadcast_to(cube, (*cube.shape[:2], 3)), 2, 0), alpha]))


def mask_of_deep_key(file: IO[bytes], key: tuple[int, ...]) -> Image.Image:
    """The alpha of an RGB PNG of 16 bits a channel: 0 where its samples are the key, of which Pillow decodes 8 bits.

    It is decoded twice, to the upper and to the lower bytes.
    """
    matches: NDArray[Any] | bool = True
    for raw_mode, shift in (("RGB;16B", 8), ("RGB;16L", 0)):
        file.seek(0)
        with Image.open(file, formats=["PNG"]) as image:
            image.tile = [tile._replace(args=raw_mode) for tile in image.tile]
            matches &= (np.asarray(image) == [value >> shift & 255 for value in key]).all(axis=2)
    return Image.fromarray(np.where(matches, 0, 255).astype(np.uint8))
