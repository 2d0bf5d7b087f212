"""The two nets of PP-OCR, which arrive inside the package `rapidocr`: one finds lines of text, the other reads a line.

Only the weights are used, none of that package's code: both sessions serve all threads, and lines are read from the
picture at its own size. Sources: Liao et al., Real-time Scene Text Detection with Differentiable Binarization (2020),
§3.4, with the growth that PP-OCR uses; Graves et al., Connectionist Temporal
Classification (2006), best-path decoding.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veridact.errors import MissingModelError
from veridact.locate.detectors.base import Pixels
from veridact.locate.detectors.onnx import EXTRA, let_go, packaged_path, run, session
from veridact.sandbox.heartbeat import beat

FIND = ("PP-OCRv6_det_small.onnx", "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f")
READ = ("PP-OCRv6_rec_small.onnx", "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884")

SIDE_MULTIPLE = 32
INK, LEAST_SCORE = 0.3, 0.3
"""How likely a pixel must be text, and how likely those of a line must be on average; PP-OCR itself asks for 0.5."""

LEAST_SIDE_PX, LEAST_GROWN_PX = 3.0, 5.0
GROWTH = 1.6
"""The net marks the core of a line; the line is larger on each side by this many times its area over its perimeter."""

LINE_HEIGHT_PX = 48
WIDTH_MULTIPLE = 32
MOST_WIDTH_PX = 1600
"""A line is read at this height; its width is filled up with grey to a multiple."""

Points = NDArray[np.float32]
"""The corners of a line as (4, 2): top left, top right, bottom right, bottom left, however it is turned."""


@dataclass(frozen=True)
class Line:
    """A line of text and how sure the net is of it, 0 to 1; corners in pixels of the picture it was found in."""

    points: Points
    score: float

    @property
    def sides(self) -> tuple[float, float]:
        """The length and height of the line."""
        across = np.linalg.norm(self.points[1] - self.points[0])
        down = np.linalg.norm(self.points[3] - self.points[0])
        return float(across), float(down)

    def scaled(self, across: float, down: float) -> "Line":
        """The same line in the picture at another size."""
        return Line(self.points * np.array([across, down], np.float32), self.score)


def multiple(side: int, of: int = SIDE_MULTIPLE) -> int:
    """The nearest whole multiple, at least one."""
    return max(1, round(side / of)) * of


class Nets:
    """Both nets, ready; may be called from several threads at once."""

    def __init__(self, device: str) -> None:
        try:
            self._cv2: Any = import_module("cv2")
        except ImportError:
            raise MissingModelError(f"finding text and plates needs OpenCV: {EXTRA}") from None
        self._find, self._read = (session(packaged_path("rapidocr", *net).read_bytes(), device) for net in (FIND, READ))
        listed: str = self._read.get_modelmeta().custom_metadata_map["character"]
        self._characters = ["", *listed.split("\n"), " "]

    def let_go(self) -> None:
        for net in (self._find, self._read):
            let_go(net)

    def find(self, pixels: Pixels) -> list[Line]:
        """The lines in an RGB picture whose sides are multiples of 32, from top to bottom."""
        heat = run(self._find, None, {self._find.get_inputs()[0].name: _tensor(pixels)})[0][0, 0]
        ink = self._cv2.dilate((heat > INK).astype(np.uint8), np.ones((2, 2), np.uint8))
        outlines, _ = self._cv2.findContours(ink, self._cv2.RETR_LIST, self._cv2.CHAIN_APPROX_SIMPLE)
        lines = [line for outline in outlines if (line := self._line(heat, outline)) is not None]
        return sorted(lines, key=lambda line: (*line.points.min(axis=0)[::-1].tolist(), line.score))

    def _line(self, heat: NDArray[np.float32], outline: Any) -> Line | None:
        """The rectangle around an outline, grown; None where it is too small or the net too unsure."""
        centre, (across, down), angle = self._cv2.minAreaRect(outline)
        if min(across, down) < LEAST_SIDE_PX:
            return None
        score = self._mean(heat, self._cv2.boxPoints((centre, (across, down), angle)))
        grown = GROWTH * across * down / (across + down)
        if score < LEAST_SCORE or min(across, down) + grown < LEAST_GROWN_PX:
            return None
        corners = self._cv2.boxPoints((centre, (across + grown, down + grown), angle))
        return Line(_ordered(np.clip(corners, 0, np.array(heat.shape[::-1]) - 1)), score)

    def _mean(self, heat: NDArray[np.float32], corners: Points) -> float:
        left, top = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, None).tolist()
        right, bottom = np.ceil(corners.max(axis=0)).astype(int).tolist()
        part = heat[top : bottom + 1, left : right + 1]
        mask = np.zeros(part.shape, np.uint8)
        self._cv2.fillPoly(mask, (corners - (left, top)).astype(np.int32)[None], 1)
        return float(self._cv2.mean(part, mask)[0])

    def read(self, pixels: Pixels, line: Line) -> tuple[str, float]:
        """What stands in a line, and how sure that is from 0 to 1; the caller forgets it."""
        length, height = line.sides
        width = min(MOST_WIDTH_PX, max(8, round(LINE_HEIGHT_PX * length / max(1.0, height))))
        corners = np.array([[0, 0], [width, 0], [width, LINE_HEIGHT_PX], [0, LINE_HEIGHT_PX]], np.float32)
        matrix = self._cv2.getPerspectiveTransform(line.points, corners)
        crop = self._cv2.warpPerspective(
            pixels, matrix, (width, LINE_HEIGHT_PX), flags=self._cv2.INTER_LINEAR, borderMode=self._cv2.BORDER_REPLICATE
        )
        tensor = np.zeros((1, 3, LINE_HEIGHT_PX, -(-width // WIDTH_MULTIPLE) * WIDTH_MULTIPLE), np.float32)
        tensor[:, :, :, :width] = _tensor(crop)
        beat()
        return self._decoded(run(self._read, None, {self._read.get_inputs()[0].name: tensor})[0][0])

    def _decoded(self, steps: NDArray[np.float32]) -> tuple[str, float]:
        """The likeliest character at each step, repeats and blanks (number 0) left out."""
        best, sure = steps.argmax(axis=1), steps.max(axis=1)
        kept = (best != 0) & np.concatenate([[True], best[1:] != best[:-1]])
        text = "".join(self._characters[n] for n in best[kept])
        return (text, float(sure[kept].mean())) if kept.any() else ("", 0.0)


def _tensor(pixels: Pixels) -> NDArray[np.float32]:
    """[1, 3, rows, columns] in the order blue, green, red, from -1 to 1."""
    tensor = np.ascontiguousarray(pixels[:, :, ::-1].transpose(2, 0, 1), np.float32)[None]
    tensor /= 127.5
    tensor -= 1
    return tensor


def _ordered(corners: Points) -> Points:
    """Corners from the top left on: the two leftmost are the line's left ones."""
    across = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = (pair[np.argsort(pair[:, 1], kind="stable")] for pair in (across[:2], across[2:]))
    return np.array([left[0], right[0], right[1], left[1]], np.float32)
