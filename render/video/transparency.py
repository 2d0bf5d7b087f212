"""Colours under alpha 0, which no viewer shows but which travel in a file: found, and set to black."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veridact.render.video.planes import Plane

BLACKENED = "pixels had colours under alpha 0, which are set to black"
"""What the receipt says of them, after their number."""

Mask = NDArray[np.bool_]


def blacken(planes: Sequence[Plane], block: tuple[int, int]) -> int:
    """Sets what lies under alpha 0 to black in place: RGB 0, the luma of black, neutral chroma.

    `block` is the size in pixels, (across, down), of the block that shares chroma samples. Returns the number of pixels
    that had another colour.
    """
    return _count(planes, list(_strays(planes, block)), clear=True)


def hidden_colours(planes: Sequence[Plane], block: tuple[int, int]) -> int:
    """The number of pixels that have another colour than black under alpha 0; see `blacken`."""
    return _count(planes, list(_strays(planes, block)), clear=False)


def has_alpha(planes: Sequence[Plane]) -> bool:
    """Whether one of the planes is alpha."""
    return any(plane.opaque for plane in planes)


def _strays(planes: Sequence[Plane], block: tuple[int, int]) -> Iterator[tuple[Plane, Mask]]:
    """Each plane of colours with the mask of its samples that only pixels of alpha 0 have, and that are not black."""
    transparent = next((plane.samples == 0 for plane in planes if plane.opaque), None)
    if transparent is None or not transparent.any():
        return
    whole = _whole_blocks(transparent, block)
    for plane in planes:
        if not plane.opaque:
            hidden = transparent if (plane.step_x, plane.step_y) == (1, 1) else whole[:: plane.step_y, :: plane.step_x]
            rows, columns = plane.samples.shape
            yield plane, hidden[:rows, :columns] & (plane.samples != plane.black)


def _whole_blocks(mask: Mask, block: tuple[int, int]) -> Mask:
    """The pixels whose whole block, as far as it lies in the picture, is in the mask; padded to whole blocks."""
    across, down = block
    rows, columns = mask.shape
    padded = np.pad(mask, ((0, -rows % down), (0, -columns % across)), constant_values=True)
    blocks = padded.reshape(padded.shape[0] // down, down, -1, across).all(axis=(1, 3))
    return np.asarray(blocks.repeat(down, axis=0).repeat(across, axis=1))


def _count(planes: Sequence[Plane], strays: Sequence[tuple[Plane, Mask]], clear: bool) -> int:
    """The pixels that any of the masks has, each of which is set to black in its plane with `clear`."""
    shape = next(p.samples.shape for p in planes if (p.step_x, p.step_y) == (1, 1))
    pixels: NDArray[Any] = np.zeros(shape, np.bool_)
    for plane, mask in strays:
        rows, columns = pixels.shape
        pixels |= mask.repeat(plane.step_y, axis=0).repeat(plane.step_x, axis=1)[:rows, :columns]
        if clear:
            plane.samples[mask] = plane.black
    return int(np.count_nonzero(pixels))
