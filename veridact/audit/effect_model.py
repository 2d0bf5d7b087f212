"""What an effect can produce: a solid is one value, a mosaic flat within its cells, a blur straight between centres."""

import numpy as np
from numpy.typing import NDArray

from veridact.render.video.planes import Plane
from veridact.schema.manifest import Solid
from veridact.schema.plan.video import Cover


def modelled(
    cover: Cover,
    plane: Plane,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    samples: NDArray[np.float64],
) -> NDArray[np.float64]:
    """What the effect produces at some samples, as near to their values as it can."""
    if isinstance(cover.effect, Solid):
        return np.full(len(rows), plane.black, np.float64)
    basis = _basis(cover, plane, rows, columns)
    weights, *_ = np.linalg.lstsq(basis, samples, rcond=None)
    return np.asarray(basis @ weights, np.float64)


def _basis(cover: Cover, plane: Plane, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
    """What a cover's cells contribute to each sample: (samples, cells)."""
    left, top = cover.area.left // plane.step_x, cover.area.top // plane.step_y
    width, height = cover.area.width // plane.step_x, cover.area.height // plane.step_y
    across = _axis_basis(columns - left, width, min(cover.grid[0], width), cover.effect.effect)
    down = _axis_basis(rows - top, height, min(cover.grid[1], height), cover.effect.effect)
    return (down[:, :, None] * across[:, None, :]).reshape(len(rows), -1)


def _axis_basis(at: NDArray[np.int64], length: int, cells: int, effect: str) -> NDArray[np.float64]:
    basis = np.zeros((len(at), cells))
    if effect == "mosaic":
        starts = np.array([i * length // cells for i in range(1, cells)], np.int64)
        basis[np.arange(len(at)), np.searchsorted(starts, at, side="right")] = 1
        return basis
    position = ((2 * at + 1) * cells - length) / (2 * length)
    low = np.floor(position).astype(np.int64)
    share = position - low
    np.add.at(basis, (np.arange(len(at)), low.clip(0, cells - 1)), 1 - share)
    np.add.at(basis, (np.arange(len(at)), (low + 1).clip(0, cells - 1)), share)
    return basis
