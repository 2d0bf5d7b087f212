"""Frames and pictures as 8-bit RGB for detectors and people: what a viewer shows, at the full range of each format.

The one place that decides it; nothing of it reaches an output. Samples of more than 8 bits are scaled, not clipped.
"""

from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray
from PIL import Image

Rgb = NDArray[Any]

BACKGROUND = 128
"""The gray behind transparent pixels: black and white drawings can both be seen on it."""

LEAST_ALPHA = 128
"""Where alpha is above 0, it counts as this at least: colours that are almost transparent travel along, and a recipient
can make them visible, as after a soft eraser."""


def picture_rgb(image: Image.Image) -> Image.Image:
    """A still or a frame of an animated picture, of any mode that is painted, as an RGB image of the same size."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        return Image.fromarray(over_background(np.asarray(image.convert("RGBA"))))
    return image.convert("RGB")


def footage_rgb(frame: VideoFrame, scaler: VideoReformatter, width: int, height: int) -> Rgb:
    """A decoded frame scaled to `width`×`height`, as stored: (rows, columns, 3) of 8 bits."""
    form = "rgba" if has_alpha(frame) else "rgb24"
    pixels = scaler.reformat(frame, width, height, format=form, interpolation="AREA", threads=1).to_ndarray()
    return over_background(pixels) if form == "rgba" else pixels


def has_alpha(frame: VideoFrame) -> bool:
    """Whether the pixel format of a frame has an alpha component."""
    return any(component.is_alpha for component in frame.format.components)


def over_background(pixels: Rgb) -> Rgb:
    """Colours with straight alpha, (rows, columns, 4), over the background: (rows, columns, 3).

    Computed as floor(c·a/255 + b·(255 - a)/255 + 1/2), with `LEAST_ALPHA` for an `a` from 1 on.
    """
    alpha = pixels[:, :, 3:].astype(np.uint32)
    alpha = np.where(alpha > 0, alpha.clip(LEAST_ALPHA), 0).astype(np.uint32)
    mixed = pixels[:, :, :3] * alpha + BACKGROUND * (255 - alpha)
    return ((2 * mixed + 255) // 510).astype(np.uint8)
