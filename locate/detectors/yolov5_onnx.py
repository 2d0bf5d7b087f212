"""Any plain detector by the path of its ONNX file, for one label: `onnx:WEIGHTS:LABEL`.

The net takes one square RGB picture, 0 to 1, [1, 3, side, side], and gives rows of [1, boxes, columns] that begin with
centre x, centre y, width, height in pixels of the square and how sure it is (YOLOv5, Jocher et al. 2020). With
15 columns, eight for corners and two for classes follow (YOLOv5-face, Qi et al. 2021, as HyperLPR 3 uses it for
plates); with any other number, classes do.
"""

import hashlib
from collections.abc import Callable
from functools import cache
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from veridact.errors import MissingModelError, UsageError
from veridact.locate.detectors.base import AUTO_SECONDS, Detection, Pixels, Request, View, fit
from veridact.locate.detectors.nms import without_doubles
from veridact.locate.detectors.onnx import given_path, run, runtime_name, runtime_version, session
from veridact.sandbox.heartbeat import beat
from veridact.schema.manifest import Producer, VideoLabel

SURE = 4
FIRST_CLASS = {15: 13}
Scaled = Callable[[int, int], Pixels]
"""The whole picture at a width and height."""

RANK = 3
FOREIGN = "Ultralytics"
"""Who writes nets whose rows, where they look alike, mean something else: corners instead of a centre and sizes."""


def _scores(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """How sure the net is of each box: of there being something, times of its likeliest class."""
    classes = rows[:, FIRST_CLASS.get(rows.shape[1], SURE + 1) :]
    sure: NDArray[np.float32] = rows[:, SURE] * classes.max(axis=1) if classes.shape[1] else rows[:, SURE]
    return sure


class Plain:
    """One net, one label."""

    pace_seconds = AUTO_SECONDS
    rest_seconds = 0.0

    def __init__(self, request: Request, label: str) -> None:
        path = given_path("onnx", request.weights)
        raw = path.read_bytes()
        self.labels = frozenset({label})
        self._label = label
        self._floor = request.floor
        self._session = session(raw, request.device)
        self._input = self._session.get_inputs()[0]
        self._side = _square_side(self._input.shape, path.name)
        _check_answer(self._session, self._side, path.name)
        self.producer = Producer(
            id=request.producer_id,
            kind="model",
            name="onnx",
            version=runtime_version(),
            weights_sha256=hashlib.sha256(raw).hexdigest(),
            runtime=runtime_name(),
            settings={"label": label, "floor_permille": round(request.floor * 1000)},
        )

    def detect(self, view: View) -> list[Detection]:
        """Looks at the whole picture and, where it is larger than the net, at a grid of overlapping tiles too."""
        scaled: Scaled = cache(view.rgb)  # all tiles are of one picture
        found = self._in(view, scaled, 0, 0, view.width, view.height)
        for left, top, side in _tiles(view.width, view.height, 2 * self._side):
            found += self._in(view, scaled, left, top, min(side, view.width - left), min(side, view.height - top))
        return without_doubles(found)

    def _in(self, view: View, scaled: Scaled, left: int, top: int, across: int, down: int) -> list[Detection]:
        width, height = fit(across, down, self._side)
        scale = across / width
        whole = scaled(round(view.width / scale), round(view.height / scale))
        x, y = round(left / scale), round(top / scale)
        part = whole[y : y + height, x : x + width]
        tensor = np.full((1, 3, self._side, self._side), 114 / 255, np.float32)
        tensor[0, :, : part.shape[0], : part.shape[1]] = part.transpose(2, 0, 1) / 255
        rows = run(self._session, None, {self._input.name: tensor})[0][0]
        beat()
        scores = _scores(rows)
        found = []
        for row, score in zip(rows[scores >= self._floor], scores[scores >= self._floor], strict=True):
            cx, cy, w, h = (float(v) * scale for v in row[:4])
            edges = (left + cx - w / 2, top + cy - h / 2, left + cx + w / 2, top + cy + h / 2)
            found.append(Detection(self._label, *edges, min(1.0, float(score)), self.producer.id))
        return without_doubles(found)


def _square_side(shape: Any, name: str) -> int:
    if len(shape) != 4 or shape[1] != 3 or shape[2] != shape[3] or not isinstance(shape[2], int):
        raise MissingModelError(f"{name} is not a plain detector: its input is {shape}, expected [1, 3, side, side]")
    return int(shape[2])


def _check_answer(net: Any, side: int, name: str) -> None:
    """Lets the net look at a grey picture; raises `MissingModelError` where its answer is not rows of boxes."""
    grey = np.full((1, 3, side, side), 0.5, np.float32)
    try:
        shape = np.shape(net.run(None, {net.get_inputs()[0].name: grey})[0])
    except Exception as e:  # noqa: BLE001 - onnxruntime raises a dozen kinds of its own for a net that cannot look
        raise MissingModelError(f"{name} cannot look at a picture: {str(e)[:160]}") from None
    foreign = net.get_modelmeta().custom_metadata_map.get("author") == FOREIGN
    if foreign or len(shape) != RANK or shape[0] != 1 or not SURE < shape[2] < shape[1]:
        raise MissingModelError(
            f"{name} is not a plain detector: it answers {list(shape)}, expected [1, boxes, columns] as "
            "YOLOv5 gives them; for a later YOLO use --detector ultralytics:WEIGHTS"
        )


def _tiles(width: int, height: int, side: int) -> list[tuple[int, int, int]]:
    """The corners of square tiles that overlap by half and cover the picture; none where one look is enough."""
    if max(width, height) <= side:
        return []
    lefts = {min(x, max(0, width - side)) for x in range(0, width, side // 2)}
    tops = {min(y, max(0, height - side)) for y in range(0, height, side // 2)}
    return [(x, y, side) for y in sorted(tops) for x in sorted(lefts)]


def load(request: Request) -> Plain:
    """The back end `onnx`; raises `UsageError` where the label is missing."""
    label = request.class_map or ""
    if label not in get_args(VideoLabel) or label == "keep":
        raise UsageError(
            "--detector onnx:WEIGHTS:LABEL needs the label of what the net finds, like onnx:net.onnx:plate"
        )
    return Plain(request, label)
