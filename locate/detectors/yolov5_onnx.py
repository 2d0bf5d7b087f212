"""Detector `onnx:WEIGHTS:LABEL`: an ONNX model with the output of YOLOv5, for one label.

The input is one square RGB picture, 0 to 1, as `[1, 3, side, side]`. The output is `[1, boxes, columns]`; each row
begins with centre x, centre y, width, height in pixels of the square, and the objectness (YOLOv5, Jocher et al. 2020).
With 15 columns, eight of landmarks and two of class scores follow (YOLOv5-face, Qi et al. 2021, as HyperLPR 3 uses it
for plates); with any other number, class scores follow.
"""

import hashlib
from collections.abc import Callable
from functools import cache
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from veridact.errors import MissingModelError, UsageError
from veridact.locate.detectors.base import DEFAULT_INTERVAL_SECONDS, Detection, Pixels, Request, View, fit
from veridact.locate.detectors.nms import nms
from veridact.locate.detectors.onnx import run, runtime_name, runtime_version, session, weights_path
from veridact.sandbox.heartbeat import beat
from veridact.schema.manifest import Producer, VideoLabel

OBJECTNESS_COLUMN = 4
FIRST_CLASS_COLUMN = {15: 13}
"""The first column of class scores, by the number of columns, where it does not follow the objectness."""

OUTPUT_RANK = 3
OTHER_LAYOUT_AUTHOR = "Ultralytics"
"""The author in the metadata of models whose output has the same shape and another meaning: edges, not centre and
size."""

PADDING_VALUE = 114 / 255
"""The grey with which YOLOv5 pads its input to a square."""

RgbAt = Callable[[int, int], Pixels]
"""The whole picture scaled to a width and height."""


def _scores(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The score of each row: its objectness, times its highest class score where there are any."""
    classes = rows[:, FIRST_CLASS_COLUMN.get(rows.shape[1], OBJECTNESS_COLUMN + 1) :]
    objectness = rows[:, OBJECTNESS_COLUMN]
    scores: NDArray[np.float32] = objectness * classes.max(axis=1) if classes.shape[1] else objectness
    return scores


class YoloV5Onnx:
    """One model, one label."""

    interval_seconds = DEFAULT_INTERVAL_SECONDS
    min_interval_seconds = 0.0

    def __init__(self, request: Request, label: str) -> None:
        path = weights_path("onnx", request.weights)
        raw = path.read_bytes()
        self.labels = frozenset({label})
        self._label = label
        self._min_score = request.min_score
        self._session = session(raw, request.device)
        self._input = self._session.get_inputs()[0]
        self._side = _square_side(self._input.shape, path.name)
        _check_output(self._session, self._side, path.name)
        self.producer = Producer(
            id=request.producer_id,
            kind="model",
            name="onnx",
            version=runtime_version(),
            weights_sha256=hashlib.sha256(raw).hexdigest(),
            runtime=runtime_name(),
            settings={"label": label, "floor_permille": round(request.min_score * 1000)},
        )

    def detect(self, view: View) -> list[Detection]:
        """The objects in the whole picture and, where it is larger than the input, in a grid of overlapping tiles."""
        rgb_at: RgbAt = cache(view.rgb)  # all tiles are cut from one scaled picture
        detections = self._detect_in(view, rgb_at, 0, 0, view.width, view.height)
        for left, top, side in _tiles(view.width, view.height, 2 * self._side):
            width, height = min(side, view.width - left), min(side, view.height - top)
            detections += self._detect_in(view, rgb_at, left, top, width, height)
        return nms(detections)

    def _detect_in(self, view: View, rgb_at: RgbAt, left: int, top: int, across: int, down: int) -> list[Detection]:
        """The objects in the tile at `left`, `top` of size `across` by `down`, all in displayed pixels."""
        width, height = fit(across, down, self._side)
        scale = across / width
        whole = rgb_at(round(view.width / scale), round(view.height / scale))
        x, y = round(left / scale), round(top / scale)
        tile = whole[y : y + height, x : x + width]
        tensor = np.full((1, 3, self._side, self._side), PADDING_VALUE, np.float32)
        tensor[0, :, : tile.shape[0], : tile.shape[1]] = tile.transpose(2, 0, 1) / 255
        rows = run(self._session, None, {self._input.name: tensor})[0][0]
        beat()
        scores = _scores(rows)
        detections = []
        for row, score in zip(rows[scores >= self._min_score], scores[scores >= self._min_score], strict=True):
            cx, cy, w, h = (float(v) * scale for v in row[:4])
            edges = (left + cx - w / 2, top + cy - h / 2, left + cx + w / 2, top + cy + h / 2)
            detections.append(Detection(self._label, *edges, min(1.0, float(score)), self.producer.id))
        return nms(detections)


def _square_side(shape: Any, name: str) -> int:
    """The side of the square input; raises `MissingModelError` for an input of another shape."""
    if len(shape) != 4 or shape[1] != 3 or shape[2] != shape[3] or not isinstance(shape[2], int):
        raise MissingModelError(
            f"{name} is not a YOLOv5 detector: its input is {shape}, expected [1, 3, side, side]; choose another model"
        )
    return int(shape[2])


def _check_output(opened: Any, side: int, name: str) -> None:
    """Runs the model once on a grey picture; raises `MissingModelError` where its output has another layout."""
    grey = np.full((1, 3, side, side), 0.5, np.float32)
    try:
        shape = np.shape(opened.run(None, {opened.get_inputs()[0].name: grey})[0])
    except Exception as e:  # noqa: BLE001 - onnxruntime raises a dozen exception types for a model that cannot run
        raise MissingModelError(f"{name} cannot be run on a picture: {str(e)[:160]}; choose another model") from None
    other_layout = opened.get_modelmeta().custom_metadata_map.get("author") == OTHER_LAYOUT_AUTHOR
    if other_layout or len(shape) != OUTPUT_RANK or shape[0] != 1 or not OBJECTNESS_COLUMN < shape[2] < shape[1]:
        raise MissingModelError(
            f"{name} is not a YOLOv5 detector: its output is {list(shape)}, expected [1, boxes, columns]; "
            "for a later YOLO use --detector ultralytics:WEIGHTS"
        )


def _tiles(width: int, height: int, side: int) -> list[tuple[int, int, int]]:
    """The left, top and side of square tiles that overlap by half and cover the picture; none if it fits into one."""
    if max(width, height) <= side:
        return []
    lefts = {min(x, max(0, width - side)) for x in range(0, width, side // 2)}
    tops = {min(y, max(0, height - side)) for y in range(0, height, side // 2)}
    return [(x, y, side) for y in sorted(tops) for x in sorted(lefts)]


def load(request: Request) -> YoloV5Onnx:
    """The detector `onnx`; raises `UsageError` where the label is missing."""
    label = request.class_map or ""
    if label not in get_args(VideoLabel) or label == "keep":
        raise UsageError(
            "--detector onnx:WEIGHTS:LABEL needs the label of what the model detects, like onnx:model.onnx:plate"
        )
    return YoloV5Onnx(request, label)
