"""Checking that no colours travel under alpha 0, where no viewer shows them."""

from collections.abc import Iterable

import numpy as np

from veridact.render.video.planes import Plane, Samples, picture_planes
from veridact.render.video.transparency import has_alpha, hidden_colours
from veridact.sandbox.heartbeat import beat
from veridact.schema.plan.video import Raster

Outcome = tuple[bool, str]
"""Whether the check holds, and a detail; it is not made, and None returned, where there is no alpha."""

WEBP_BLOCK_PX = 8
"""libwebp fills the blocks of this side that are wholly transparent with one colour each (picture_tools_enc.c)."""

FLAT = 48
"""How far the samples of such a block may be apart: what lossy coding adds."""

STRAY_PERMILLE = 30
"""How many in a thousand of these blocks may have more."""


def footage(painted: Iterable[tuple[int, list[Plane], Raster]]) -> Outcome | None:
    """Whether each frame of lossless footage is black under alpha 0."""
    for number, planes, raster in painted:
        if not has_alpha(planes):
            return None
        beat()
        if count := hidden_colours(planes, (raster.step_x, raster.step_y)):
            return False, f"{count} pixels of frame {number} have colours that no viewer shows"
    return True, "none"


def picture(frames: Iterable[Samples], container: str) -> Outcome | None:
    """Whether each frame of a picture is black under alpha 0, in WebP without detail there.

    GIF has one transparent colour, under which nothing can be hidden.
    """
    checked = False
    for number, pixels in enumerate(frames):
        if pixels.ndim != 3 or pixels.shape[2] != 4 or container == "gif":
            continue
        checked = True
        if container == "webp":
            hidden = _webp_detail(pixels)
        else:
            hidden = hidden_colours(picture_planes(pixels, "RGBA"), (1, 1)) > 0
        if hidden:
            return False, f"frame {number} has colours that no viewer shows"
    return (True, "none") if checked else None


def _webp_detail(pixels: Samples) -> bool:
    """Whether the wholly transparent blocks of a WebP picture hold detail."""
    side = WEBP_BLOCK_PX
    rows, columns = (n // side for n in pixels.shape[:2])
    blocks = pixels[: rows * side, : columns * side].reshape(rows, side, columns, side, 4)
    transparent = (blocks[..., 3] == 0).all(axis=(1, 3))
    spread = np.ptp(blocks[..., :3].astype(np.int16), axis=(1, 3)).max(axis=2)[transparent]
    return bool(1000 * np.count_nonzero(spread > FLAT) > STRAY_PERMILLE * spread.size)
