"""Detector `rapidocr`: text and number plates by the PP-OCR models that are in the package `rapidocr`.

Recognised text decides whether a line is a plate, and is not kept: only boxes and scores leave this module. Where
plates are wanted, lines of a plate's proportions are recognised; all other text is detected without recognition.
"""

from collections.abc import Callable, Sequence
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from veridact.errors import UsageError
from veridact.locate.detectors.base import DEFAULT_INTERVAL_SECONDS, Detection, Pixels, Request, View, fit
from veridact.locate.detectors.nms import merge_overlapping, nms
from veridact.locate.detectors.onnx import runtime_name
from veridact.locate.detectors.plate_pattern import matches_plate_pattern
from veridact.locate.detectors.ppocr import DETECTION_MODEL, RECOGNITION_MODEL, OcrModels, TextLine, nearest_multiple
from veridact.locate.detectors.text_pii import TextPiiFinder
from veridact.schema.manifest import Producer

LONG_SIDE_PX = 960
STILL_LONG_SIDE_PX = 1600
MIN_LONG_SIDE_PX = 320
RECOGNITION_LONG_SIDE_PX = 2560
"""Lines are detected in the picture scaled to one of the first sizes, and recognised at its own size up to the last."""

SMALL_PLATES_LONG_SIDE_PX, MAX_UPSCALE = 2000, 3
"""The second pass for plates in stills: upscaled to this size, or by this factor; some plates of 30 to 60 px are
detected in that pass alone."""

MIN_HEIGHT_PX = 7
TEXT_MIN_INTERVAL_SECONDS = 0.32
PLATE_INTERVAL_SECONDS = 0.5
"""Text that comes or goes between two samples is detected a little late; for plates, samples are inserted there."""

PLATE_ASPECT = (1.2, 9.0)
PLATE_MARGIN = (0.10, 0.25)
TEXT_MARGIN = (0.02, 0.10)
"""Boxes fit the letters tightly; a plate, or a line of text with its descenders, is larger on each side (x, y) by these
fractions of the box."""

Recognize = Callable[[TextLine], tuple[str, float]]
"""The text of a line of the picture as displayed, and its score."""


def _with_margin(points: NDArray[np.float32], margin: tuple[float, float]) -> tuple[float, float, float, float]:
    """The left, top, right and bottom of the upright box around `(n, 2)` points, enlarged on each side."""
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    dx, dy = (right - left) * margin[0], (bottom - top) * margin[1]
    return left - dx, top - dy, right + dx, bottom + dy


def has_plate_proportions(line: TextLine) -> bool:
    """Whether a line is high enough, in pixels of the detection input, and of the aspect ratio of one on a plate."""
    length, height = line.size
    return height >= MIN_HEIGHT_PX and PLATE_ASPECT[0] <= length / height <= PLATE_ASPECT[1]


class RapidOcr:
    """Detects text and number plates."""

    labels = frozenset({"text", "plate"})

    def __init__(self, request: Request) -> None:
        self._min_score = request.min_score
        self._plates = "plate" in request.labels
        self._text = "text" in request.labels
        self._pii = TextPiiFinder() if self._text and request.personal_text_only else None
        self.auxiliary_producers = [self._pii.producer] if self._pii else []
        self._plate_link = request.link("plate")
        self.interval_seconds = PLATE_INTERVAL_SECONDS if self._plates else DEFAULT_INTERVAL_SECONDS
        self.min_interval_seconds = 0.0 if self._plates else TEXT_MIN_INTERVAL_SECONDS
        self._models = OcrModels(request.device)
        self.producer = Producer(
            id=request.producer_id,
            kind="model",
            name="rapidocr",
            version=version("rapidocr"),
            weights_sha256=DETECTION_MODEL[1],
            runtime=runtime_name(),
            settings={
                "floor_permille": round(request.min_score * 1000),
                "personal_text_only": request.personal_text_only,
                "reading_weights_sha256": RECOGNITION_MODEL[1],
            },
        )

    def release(self) -> None:
        """Frees the memory arenas of both models."""
        self._models.release()

    def detect(self, view: View) -> list[Detection]:
        """The lines of text and the plates in a picture, in its displayed pixels."""
        recognize = self._recognizer(view)
        return merge_overlapping([d for side in self._long_sides(view) for d in self._detect_at(view, side, recognize)])

    def _long_sides(self, view: View) -> list[int]:
        """The longer sides of the inputs that a picture is scaled to, in pixels and ascending."""
        native = max(view.width, view.height)
        sides = {min(STILL_LONG_SIDE_PX if view.still else LONG_SIDE_PX, max(native, MIN_LONG_SIDE_PX))}
        if view.still and self._plates:
            sides.add(min(SMALL_PLATES_LONG_SIDE_PX, native * MAX_UPSCALE))
        return sorted(sides)

    def _detect_at(self, view: View, long_side: int, recognize: Recognize) -> list[Detection]:
        """The detections of one pass with an input of about `long_side` pixels, in displayed pixels."""
        width, height = map(nearest_multiple, fit(view.width, view.height, long_side))
        detections: list[Detection] = []
        text: list[TextLine] = []
        for line in self._models.detect_lines(view.rgb(width, height)):
            displayed = line.scaled(view.width / width, view.height / height)
            if self._text and line.score >= self._min_score:
                text.append(displayed)
            if self._plates and has_plate_proportions(line):
                edges = _with_margin(displayed.corners, PLATE_MARGIN)
                score = self._plate_link if view.is_crop else self._plate_score(displayed, recognize)
                detections.append(Detection("plate", *edges, score, self.producer.id))
        for line in self._wanted(text, recognize):
            edges = _with_margin(line.corners, TEXT_MARGIN)
            detections.append(Detection("text", *edges, line.score, self.producer.id))
        return nms(detections)

    def _recognizer(self, view: View) -> Recognize:
        """A function that recognises lines of one picture, which is converted at its own size on the first call."""
        width, height = fit(view.width, view.height, min(RECOGNITION_LONG_SIDE_PX, max(view.width, view.height)))
        pixels: list[Pixels] = []

        def recognize(line: TextLine) -> tuple[str, float]:
            if not pixels:
                pixels.append(np.ascontiguousarray(view.rgb(width, height)))
            return self._models.recognize(pixels[0], line.scaled(width / view.width, height / view.height))

        return recognize

    def _plate_score(self, line: TextLine, recognize: Recognize) -> float:
        """The score of a line of a plate's proportions: that of its text where it matches the pattern of a plate.

        Others get the link threshold, the least score that continues a track: it may be a plate that can be recognised
        on other frames only.
        """
        text, score = recognize(line)
        return max(score, self._plate_link) if matches_plate_pattern(text) else self._plate_link

    def _wanted(self, lines: Sequence[TextLine], recognize: Recognize) -> Sequence[TextLine]:
        """The lines of text that are to be covered: all of them, or those that contain personal data."""
        if self._pii is None:
            return lines
        boxes = [_with_margin(line.corners, (0.0, 0.0)) for line in lines]
        has_pii = self._pii.contains_pii([recognize(line)[0] for line in lines], boxes)
        return [line for line, covered in zip(lines, has_pii, strict=True) if covered]


def load(request: Request) -> RapidOcr:
    """The detector `rapidocr`; raises `UsageError` where weights or a class map are given."""
    if request.weights or request.class_map:
        raise UsageError("the detector rapidocr takes no weights; they come with the extra `locate`")
    return RapidOcr(request)
