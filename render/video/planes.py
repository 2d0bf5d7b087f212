"""The planes of a picture as arrays over its own memory, on which covers are painted without colour conversion."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from veridact.errors import MediaError
from veridact.media.video import plane_rows

Samples = NDArray[Any]


@dataclass(frozen=True)
class Plane:
    """One component of a picture: `samples` has shape (rows, columns) and is a view of the picture's memory.

    One sample covers `step_x`×`step_y` pixels. `black` is the value of a solid cover, `quantum` the step to which means
    are rounded down. An `opaque` plane is alpha, which every effect makes opaque.
    """

    samples: Samples
    step_x: int
    step_y: int
    black: int
    quantum: int
    opaque: bool


@dataclass(frozen=True)
class Layout:
    """A pixel format: bits per component, chroma block size in pixels, and component roles in storage order.

    Roles: `y` luma, `u` and `v` chroma, `r`, `g`, `b` colours, `a` alpha, `0` unused. `packed` formats store all
    components in one plane.
    """

    bits: int
    step_x: int
    step_y: int
    roles: str
    packed: bool = False


def _planar() -> dict[str, Layout]:
    """The planar formats, by FFmpeg's names."""
    table: dict[str, Layout] = {}
    blocks = {"420": (2, 2), "422": (2, 1), "444": (1, 1), "411": (4, 1), "410": (4, 4), "440": (1, 2)}
    for name, (step_x, step_y) in blocks.items():
        table[f"yuv{name}p"] = table[f"yuvj{name}p"] = Layout(8, step_x, step_y, "yuv")
        table[f"yuva{name}p"] = Layout(8, step_x, step_y, "yuva")
        for bits in (9, 10, 12, 14, 16):
            table[f"yuv{name}p{bits}le"] = Layout(bits, step_x, step_y, "yuv")
            table[f"yuva{name}p{bits}le"] = Layout(bits, step_x, step_y, "yuva")
    for bits, suffix in ((8, ""), (9, "9le"), (10, "10le"), (12, "12le"), (14, "14le"), (16, "16le")):
        table[f"gray{suffix}"] = Layout(bits, 1, 1, "y")
        table[f"gbrp{suffix}"] = Layout(bits, 1, 1, "gbr")
        table[f"gbrap{suffix}"] = Layout(bits, 1, 1, "gbra")
    return table


LAYOUTS: dict[str, Layout] = {
    **_planar(),
    "rgb24": Layout(8, 1, 1, "rgb", packed=True),
    "bgr24": Layout(8, 1, 1, "bgr", packed=True),
    "rgba": Layout(8, 1, 1, "rgba", packed=True),
    "bgra": Layout(8, 1, 1, "bgra", packed=True),
    "bgr0": Layout(8, 1, 1, "bgr0", packed=True),
    "rgb0": Layout(8, 1, 1, "rgb0", packed=True),
    "argb": Layout(8, 1, 1, "argb", packed=True),
    "abgr": Layout(8, 1, 1, "abgr", packed=True),
    "rgb48le": Layout(16, 1, 1, "rgb", packed=True),
    "rgba64le": Layout(16, 1, 1, "rgba", packed=True),
    "ya8": Layout(8, 1, 1, "ya", packed=True),
}
"""The pixel formats whose planes can be painted; others are refused by name."""


def layout_of(pixel_format: str) -> Layout:
    """The layout of a pixel format; raises `MediaError` for one that cannot be painted."""
    if pixel_format not in LAYOUTS:
        raise MediaError(f"the pixel format {pixel_format} cannot be painted exactly; convert it to yuv420p first")
    return LAYOUTS[pixel_format]


def plane_of(samples: Samples, role: str, layout: Layout, full_range: bool) -> Plane:
    """One plane, with the black and quantum of its role and bit depth."""
    scale = 1 << (layout.bits - 8)
    peak = (1 << layout.bits) - 1
    black = {"y": 0 if full_range else 16 * scale, "u": 128 * scale, "v": 128 * scale, "a": peak}.get(role, 0)
    step_x, step_y = (layout.step_x, layout.step_y) if role in {"u", "v"} else (1, 1)
    return Plane(samples, step_x, step_y, black, 8 * scale, role == "a")


def plane_arrays(frame: VideoFrame, layout: Layout) -> list[Samples]:
    """Every component of a frame in storage order, as arrays of shape (rows, columns) over the frame's memory."""
    dtype = np.dtype(np.uint8 if layout.bits == 8 else "<u2")
    arrays: list[Samples] = []
    for plane in frame.planes:
        lines = plane_rows(plane)
        if layout.packed:
            count = len(layout.roles)
            pixels = lines[:, : plane.width * count * dtype.itemsize].view(dtype).reshape(plane.height, -1, count)
            arrays += [pixels[:, :, i] for i in range(count)]
        else:
            arrays.append(lines[:, : plane.width * dtype.itemsize].view(dtype))
    return arrays


def frame_planes(frame: VideoFrame, full_range: bool) -> list[Plane]:
    """The planes of a writable frame."""
    layout = layout_of(frame.format.name)
    arrays = plane_arrays(frame, layout)
    return [plane_of(a, role, layout, full_range) for a, role in zip(arrays, layout.roles, strict=True)]


def picture_planes(pixels: Samples, bands: Sequence[str]) -> list[Plane]:
    """The planes of a picture given as an array of shape (rows, columns, bands), with `bands` as Pillow names them."""
    layout = Layout(8 * pixels.dtype.itemsize, 1, 1, "".join("a" if b == "A" else "r" for b in bands), packed=True)
    return [plane_of(pixels[:, :, i], role, layout, full_range=True) for i, role in enumerate(layout.roles)]
