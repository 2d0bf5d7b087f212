"""What a lossy picture encoder makes of a cover, so that colours that bleed over its edge are not taken for a gap.

JPEG and WebP store colour at half the resolution, so saturated colours reach two to three pixels into a cover. How far,
the encoder itself says: the cover is painted again into the decoded output, encoded with the same options and decoded.
"""

import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RING_PIXELS = 3
"""How far outside a cover its black has bled in turn: there the colours are taken from further out."""

Pixels = NDArray[np.uint8]
Encode = Callable[[Pixels], Pixels]
"""Encodes and decodes a picture of shape (rows, columns, bands)."""


def encoder(file_format: str, options: Mapping[str, Any]) -> Encode:
    """The encoding under one of Pillow's formats with its save options."""

    def encode(pixels: Pixels) -> Pixels:
        file = io.BytesIO()
        bands = pixels.shape[2]
        Image.fromarray(pixels if bands > 1 else pixels[:, :, 0]).save(file, file_format, **options)
        with Image.open(file, formats=[file_format]) as image:
            decoded = np.asarray(image.convert({1: "L", 3: "RGB", 4: "RGBA"}[bands]))
        return decoded.reshape(pixels.shape)

    return encode


def bounds(pixels: Pixels, owned: NDArray[np.bool_], model: Pixels, encode: Encode) -> tuple[Pixels, Pixels]:
    """The least and the greatest value that each sample of a painted cover may have, before the encoder's own noise.

    `pixels` is the decoded output, `owned` the cover's pixels, `model` a picture with what its effect produces there.
    """
    painted = np.where(owned[:, :, None], model, pixels)
    made = [painted, encode(painted), encode(np.where(owned[:, :, None], model, _from_further_out(pixels, owned)))]
    return np.minimum.reduce(made), np.maximum.reduce(made)


def _from_further_out(pixels: Pixels, owned: NDArray[np.bool_]) -> Pixels:
    """The picture with the pixels of a ring around the cover replaced by those next to them outside the ring."""
    filled = owned.copy()
    for _ in range(RING_PIXELS):
        filled = _grown(filled)
    made = pixels.copy()
    while True:
        waiting = filled & ~owned
        before = filled.copy()
        for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
            ready = waiting & filled & ~_moved(before, axis, step)
            made[ready] = _moved(made, axis, step)[ready]
            filled[ready] = False
        if np.array_equal(before, filled):
            return made


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask and the pixels above, below, left and right of it."""
    padded = np.pad(mask, 1)
    return mask | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]


def _moved(values: NDArray[Any], axis: int, step: int) -> NDArray[Any]:
    """The values one pixel further along an axis; the last row or column stays."""
    index = np.clip(np.arange(values.shape[axis]) - step, 0, values.shape[axis] - 1)
    return np.take(values, index, axis)
