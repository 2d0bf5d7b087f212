"""Written text and number plates by the OCR models that arrive inside the package `rapidocr`.

What is read decides whether a piece of text is a plate, and is then forgotten: only boxes and scores leave this file.
Where a plate was looked for, text in the shape of one is read; all other text is found without being read.
"""

import threading
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locate.detector import Detection, Pixels, Request, View, fit, without_doubles
from locate.detectors.weights import EXTRA, packaged_path, runtime_name
from locate.plates import reads_like_a_plate
from locate.written import WrittenWords
from schema.errors import MissingModelError, UsageError
from schema.manifest import Producer

FIND = ("PP-OCRv6_det_small.onnx", "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f")
READ = ("PP-OCRv6_rec_small.onnx", "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884")
TURN = ("ch_ppocr_mobile_v2.0_cls_mobile.onnx", "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c")

LONG_SIDE_PX = 960
STILL_LONG_SIDE_PX = 1600
LEAST_HEIGHT_PX = 7
TEXT_REST_SECONDS = 0.32
"""Plates drive by; other text stays for a while."""

PLATE_ASPECT = (1.2, 9.0)
PLATE_GROWTH = (0.10, 0.25)
TEXT_GROWTH = (0.02, 0.10)
"""Boxes hug the letters; a plate, or a line of text with its tails, is larger by these parts on each side (x, y)."""


def _grown(points: NDArray[np.float64], growth: tuple[float, float]) -> tuple[float, float, float, float]:
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    dx, dy = (right - left) * growth[0], (bottom - top) * growth[1]
    return left - dx, top - dy, right + dx, bottom + dy


def _sides(points: NDArray[np.float64]) -> tuple[float, float]:
    """The length and height of a line of text, however it is turned."""
    across = np.linalg.norm(points[1] - points[0])
    down = np.linalg.norm(points[3] - points[0])
    return float(across), float(down)


class Text:
    """Finds text, and plates among it; one engine a thread, because an engine keeps state between calls."""

    labels = frozenset({"text", "plate"})

    def __init__(self, request: Request) -> None:
        self._floor = request.floor
        self._plates = "plate" in request.labels
        self._text = "text" in request.labels
        self._written = WrittenWords() if self._text and request.personal_text_only else None
        self.rest_seconds = 0.0 if self._plates else TEXT_REST_SECONDS
        self._paths = {name: packaged_path("rapidocr", name, sha256) for name, sha256 in (FIND, READ, TURN)}
        self._local = threading.local()
        self.producer = Producer(
            id=request.producer_id,
            kind="model",
            name="rapidocr",
            version=version("rapidocr"),
            weights_sha256=FIND[1],
            runtime=runtime_name(),
            settings={"floor_permille": round(request.floor * 1000), "personal_text_only": request.personal_text_only},
        )
        self._engine()

    def _engine(self) -> Any:
        if not hasattr(self._local, "engine"):
            try:
                rapidocr = import_module("rapidocr")
            except ImportError:
                raise MissingModelError(f"finding text and plates needs rapidocr: {EXTRA}") from None
            self._local.engine = rapidocr.RapidOCR(
                params={
                    "Global.log_level": "critical",
                    "Global.max_side_len": STILL_LONG_SIDE_PX,
                    "Global.text_score": 0.0,
                    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                    "Det.model_path": str(self._paths[FIND[0]]),
                    "Rec.model_path": str(self._paths[READ[0]]),
                    "Cls.model_path": str(self._paths[TURN[0]]),
                    "Det.limit_type": "max",
                    "Det.limit_side_len": STILL_LONG_SIDE_PX,
                }
            )
        return self._local.engine

    def detect(self, view: View) -> list[Detection]:
        limit = STILL_LONG_SIDE_PX if view.still else LONG_SIDE_PX
        width, height = fit(view.width, view.height, min(limit, max(view.width, view.height, 320)))
        pixels = np.ascontiguousarray(view.rgb(width, height)[:, :, ::-1])
        result = self._engine()(pixels, use_det=True, use_cls=False, use_rec=False)
        if result.boxes is None:
            return []
        scale = np.array([view.width / width, view.height / height])
        found: list[Detection] = []
        for points, score in zip(np.asarray(result.boxes, np.float64), result.scores, strict=True):
            if self._text and score >= self._floor and self._is_wanted(pixels, points):
                edges = _grown(points * scale, TEXT_GROWTH)
                found.append(Detection("text", *edges, float(score), self.producer.id))
            if self._plates and (sure := self._plate_score(pixels, points)) >= self._floor:
                found.append(Detection("plate", *_grown(points * scale, PLATE_GROWTH), sure, self.producer.id))
        return without_doubles(found)

    def _plate_score(self, pixels: Pixels, points: NDArray[np.float64]) -> float:
        """How surely a piece of text is a plate; 0 where it has not the shape of one or does not read like one."""
        length, height = _sides(points)
        if height < LEAST_HEIGHT_PX or not PLATE_ASPECT[0] <= length / height <= PLATE_ASPECT[1]:
            return 0.0
        text, sure = self._read(pixels, points)
        return sure if reads_like_a_plate(text) else 0.0

    def _is_wanted(self, pixels: Pixels, points: NDArray[np.float64]) -> bool:
        """Whether a piece of text is to be covered: all of it, or what is personal."""
        return self._written is None or self._written.personal(self._read(pixels, points)[0])

    def _read(self, pixels: Pixels, points: NDArray[np.float64]) -> tuple[str, float]:
        """What stands within four corners, and how sure that is; the caller forgets it."""
        length, height = _sides(points)
        cv2: Any = import_module("cv2")
        corners = np.array([[0, 0], [length, 0], [length, height], [0, height]], np.float32)
        matrix = cv2.getPerspectiveTransform(points.astype(np.float32), corners)
        crop = cv2.warpPerspective(pixels, matrix, (max(1, round(length)), max(1, round(height))))
        read = self._engine()(crop, use_det=False, use_cls=False, use_rec=True)
        return (read.txts[0], float(read.scores[0])) if read.txts else ("", 0.0)


def load(request: Request) -> Text:
    """The back end `rapidocr`; it brings its weights and finds text and plates."""
    if request.weights or request.class_map:
        raise UsageError("the detector rapidocr takes no weights; they arrive with the extra `locate`")
    return Text(request)
