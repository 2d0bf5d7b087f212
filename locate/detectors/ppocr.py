"""PP-OCR: one model detects lines of text, the other recognises a line; both are in the package `rapidocr`.

Only the weights are used, none of that package's code: both sessions serve all threads, and lines are recognised from
the picture at its own size. Sources: Liao et al., Real-time Scene Text Detection with Differentiable Binarization
(2020), §3.4, with PP-OCR's unclip ratio; Graves et al., Connectionist Temporal Classification (2006), best-path
decoding.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veridact.errors import MissingModelError
from veridact.locate.detectors.base import Pixels
from veridact.locate.detectors.onnx import EXTRA, packaged_path, release_arena, run, session
from veridact.sandbox.heartbeat import beat

DETECTION_MODEL = ("PP-OCRv6_det_small.onnx", "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f")
RECOGNITION_MODEL = ("PP-OCRv6_rec_small.onnx", "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884")

SIDE_MULTIPLE = 32
BINARIZATION_THRESHOLD, BOX_THRESHOLD = 0.3, 0.3
"""The least probability of a text pixel, and the least mean probability in a line; PP-OCR itself requires 0.5 there."""

MIN_SIDE_PX, MIN_UNCLIPPED_PX = 3.0, 5.0
UNCLIP_RATIO = 1.6
"""The model marks the core of a line; on each side the line is larger by this ratio of area over perimeter."""

LINE_HEIGHT_PX = 48
WIDTH_MULTIPLE = 32
MAX_WIDTH_PX = 1600
"""The input of recognition: a line is scaled to this height, and its width padded with grey to a multiple."""

Corners = NDArray[np.float32]
"""The corners of a line as `(4, 2)`: top left, top right, bottom right, bottom left in reading order, x before y."""


@dataclass(frozen=True)
class TextLine:
    """A detected line of text: corners in pixels of the picture it was detected in, and a score from 0 to 1."""

    corners: Corners
    score: float

    @property
    def size(self) -> tuple[float, float]:
        """The length and height of the line in pixels."""
        across = np.linalg.norm(self.corners[1] - self.corners[0])
        down = np.linalg.norm(self.corners[3] - self.corners[0])
        return float(across), float(down)

    def scaled(self, across: float, down: float) -> "TextLine":
        """The same line in the picture scaled by these factors."""
        return TextLine(self.corners * np.array([across, down], np.float32), self.score)


def nearest_multiple(side: int, of: int = SIDE_MULTIPLE) -> int:
    """The nearest whole multiple of `of`, at least one."""
    return max(1, round(side / of)) * of


class OcrModels:
    """The detection and the recognition model; may be called from several threads at once."""

    def __init__(self, device: str) -> None:
        try:
            self._cv2: Any = import_module("cv2")
        except ImportError:
            raise MissingModelError(f"the detector rapidocr needs OpenCV: {EXTRA}") from None
        self._detection, self._recognition = (
            session(packaged_path("rapidocr", *model).read_bytes(), device)
            for model in (DETECTION_MODEL, RECOGNITION_MODEL)
        )
        characters: str = self._recognition.get_modelmeta().custom_metadata_map["character"]
        self._characters = ["", *characters.split("\n"), " "]

    def release(self) -> None:
        """Frees the memory arenas of both sessions."""
        for model in (self._detection, self._recognition):
            release_arena(model)

    def detect_lines(self, pixels: Pixels) -> list[TextLine]:
        """The lines in an RGB picture whose sides are multiples of 32, from top to bottom."""
        probabilities = run(self._detection, None, {self._detection.get_inputs()[0].name: _tensor(pixels)})[0][0, 0]
        mask = self._cv2.dilate((probabilities > BINARIZATION_THRESHOLD).astype(np.uint8), np.ones((2, 2), np.uint8))
        contours, _ = self._cv2.findContours(mask, self._cv2.RETR_LIST, self._cv2.CHAIN_APPROX_SIMPLE)
        lines = [line for contour in contours if (line := self._line(probabilities, contour)) is not None]
        return sorted(lines, key=lambda line: (*line.corners.min(axis=0)[::-1].tolist(), line.score))

    def _line(self, probabilities: NDArray[np.float32], contour: Any) -> TextLine | None:
        """The least rectangle around a contour, unclipped; None where it is too small or scores too low."""
        centre, (across, down), angle = self._cv2.minAreaRect(contour)
        if min(across, down) < MIN_SIDE_PX:
            return None
        score = self._mean(probabilities, self._cv2.boxPoints((centre, (across, down), angle)))
        growth = UNCLIP_RATIO * across * down / (across + down)  # of both sides: half the perimeter is the divisor
        if score < BOX_THRESHOLD or min(across, down) + growth < MIN_UNCLIPPED_PX:
            return None
        corners = self._cv2.boxPoints((centre, (across + growth, down + growth), angle))
        return TextLine(_ordered(np.clip(corners, 0, np.array(probabilities.shape[::-1]) - 1)), score)

    def _mean(self, probabilities: NDArray[np.float32], corners: Corners) -> float:
        """The mean probability within a rectangle."""
        left, top = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, None).tolist()
        right, bottom = np.ceil(corners.max(axis=0)).astype(int).tolist()
        part = probabilities[top : bottom + 1, left : right + 1]
        mask = np.zeros(part.shape, np.uint8)
        self._cv2.fillPoly(mask, (corners - (left, top)).astype(np.int32)[None], 1)
        return float(self._cv2.mean(part, mask)[0])

    def recognize(self, pixels: Pixels, line: TextLine) -> tuple[str, float]:
        """The text of a line and its score from 0 to 1; the caller must not keep the text."""
        length, height = line.size
        width = min(MAX_WIDTH_PX, max(8, round(LINE_HEIGHT_PX * length / max(1.0, height))))
        corners = np.array([[0, 0], [width, 0], [width, LINE_HEIGHT_PX], [0, LINE_HEIGHT_PX]], np.float32)
        matrix = self._cv2.getPerspectiveTransform(line.corners, corners)
        crop = self._cv2.warpPerspective(
            pixels, matrix, (width, LINE_HEIGHT_PX), flags=self._cv2.INTER_LINEAR, borderMode=self._cv2.BORDER_REPLICATE
        )
        tensor = np.zeros((1, 3, LINE_HEIGHT_PX, -(-width // WIDTH_MULTIPLE) * WIDTH_MULTIPLE), np.float32)
        tensor[:, :, :, :width] = _tensor(crop)
        beat()
        return self._decode(run(self._recognition, None, {self._recognition.get_inputs()[0].name: tensor})[0][0])

    def _decode(self, steps: NDArray[np.float32]) -> tuple[str, float]:
        """CTC best-path decoding: the likeliest character at each step, without repeats and blanks (number 0)."""
        best, scores = steps.argmax(axis=1), steps.max(axis=1)
        kept = (best != 0) & np.concatenate([[True], best[1:] != best[:-1]])
        text = "".join(self._characters[n] for n in best[kept])
        return (text, float(scores[kept].mean())) if kept.any() else ("", 0.0)


def _tensor(pixels: Pixels) -> NDArray[np.float32]:
    """The picture as `[1, 3, rows, columns]` in the order blue, green, red, from -1 to 1."""
    tensor = np.ascontiguousarray(pixels[:, :, ::-1].transpose(2, 0, 1), np.float32)[None]
    tensor /= 127.5
    tensor -= 1
    return tensor


def _ordered(corners: Corners) -> Corners:
    """Corners clockwise from the top left; the two leftmost are the left ends of the line."""
    across = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = (pair[np.argsort(pair[:, 1], kind="stable")] for pair in (across[:2], across[2:]))
    return np.array([left[0], right[0], right[1], left[1]], np.float32)
