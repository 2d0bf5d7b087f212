"""Written text and number plates by the OCR nets that arrive inside the package `rapidocr`.

What is read decides whether a piece of text is a plate, and is then forgotten: only boxes and scores leave this file.
Where a plate was looked for, text in the shape of one is read; all other text is found without being read.
"""

from collections.abc import Callable, Sequence
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from veridact.errors import UsageError
from veridact.locate.detectors.base import AUTO_SECONDS, Detection, Pixels, Request, View, fit
from veridact.locate.detectors.nms import united, without_doubles
from veridact.locate.detectors.onnx import runtime_name
from veridact.locate.detectors.plate_pattern import reads_like_a_plate
from veridact.locate.detectors.ppocr import FIND, READ, Line, Nets, multiple
from veridact.locate.detectors.text_pii import WrittenWords
from veridact.schema.manifest import Producer

LONG_SIDE_PX = 960
STILL_LONG_SIDE_PX = 1600
LEAST_LONG_SIDE_PX = 320
READ_LONG_SIDE_PX = 2560
"""Lines are found in the picture at one of the first sizes, and read in it at its own size up to the last."""

SMALL_PLATES_LONG_SIDE_PX, ENLARGED = 2000, 3
"""In stills, plates are looked for enlarged as well, up to so many times: some of 30 to 60 px show there alone."""

LEAST_HEIGHT_PX = 7
TEXT_REST_SECONDS = 0.32
PLATE_PACE_SECONDS = 0.5
"""Text that comes or goes between two looks is found a little late; a plate is looked for between them."""

PLATE_ASPECT = (1.2, 9.0)
PLATE_GROWTH = (0.10, 0.25)
TEXT_GROWTH = (0.02, 0.10)
"""Boxes hug the letters; a plate, or a line of text with its tails, is larger by these parts on each side (x, y)."""

Read = Callable[[Line], tuple[str, float]]
"""What stands in a line of the picture as displayed, and how sure that is."""


def _grown(points: NDArray[np.float32], growth: tuple[float, float]) -> tuple[float, float, float, float]:
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    dx, dy = (right - left) * growth[0], (bottom - top) * growth[1]
    return left - dx, top - dy, right + dx, bottom + dy


def shaped_like_a_plate(line: Line) -> bool:
    """Whether a line of text is as long and as high, in pixels of the look, as one on a plate."""
    length, height = line.sides
    return height >= LEAST_HEIGHT_PX and PLATE_ASPECT[0] <= length / height <= PLATE_ASPECT[1]


class Text:
    """Finds text, and plates among it."""

    labels = frozenset({"text", "plate"})

    def __init__(self, request: Request) -> None:
        self._floor = request.floor
        self._plates = "plate" in request.labels
        self._text = "text" in request.labels
        self._written = WrittenWords() if self._text and request.personal_text_only else None
        self.helpers = [self._written.producer] if self._written else []
        self._weak = request.link("plate")
        self.pace_seconds = PLATE_PACE_SECONDS if self._plates else AUTO_SECONDS
        self.rest_seconds = 0.0 if self._plates else TEXT_REST_SECONDS
        self._nets = Nets(request.device)
        self.producer = Producer(
            id=request.producer_id,
            kind="model",
            name="rapidocr",
            version=version("rapidocr"),
            weights_sha256=FIND[1],
            runtime=runtime_name(),
            settings={
                "floor_permille": round(request.floor * 1000),
                "personal_text_only": request.personal_text_only,
                "reading_weights_sha256": READ[1],
            },
        )

    def let_go(self) -> None:
        self._nets.let_go()

    def detect(self, view: View) -> list[Detection]:
        reader = self._reader(view)
        return united([d for side in self._long_sides(view) for d in self._at(view, side, reader)])

    def _long_sides(self, view: View) -> list[int]:
        """The sizes at which a picture is looked at, by their longer sides."""
        native = max(view.width, view.height)
        sides = {min(STILL_LONG_SIDE_PX if view.still else LONG_SIDE_PX, max(native, LEAST_LONG_SIDE_PX))}
        if view.still and self._plates:
            sides.add(min(SMALL_PLATES_LONG_SIDE_PX, native * ENLARGED))
        return sorted(sides)

    def _at(self, view: View, long_side: int, reader: Read) -> list[Detection]:
        """What is found in one look, in pixels of the displayed picture."""
        width, height = map(multiple, fit(view.width, view.height, long_side))
        found: list[Detection] = []
        text: list[Line] = []
        for line in self._nets.find(view.rgb(width, height)):
            placed = line.scaled(view.width / width, view.height / height)
            if self._text and line.score >= self._floor:
                text.append(placed)
            if self._plates and shaped_like_a_plate(line):
                edges = _grown(placed.points, PLATE_GROWTH)
                score = self._weak if view.part else self._plate_score(placed, reader)
                found.append(Detection("plate", *edges, score, self.producer.id))
        for line in self._wanted(text, reader):
            found.append(Detection("text", *_grown(line.points, TEXT_GROWTH), line.score, self.producer.id))
        return without_doubles(found)

    def _reader(self, view: View) -> Read:
        """Reads lines of one picture, which is had at its own size only when there is something to read."""
        width, height = fit(view.width, view.height, min(READ_LONG_SIDE_PX, max(view.width, view.height)))
        pixels: list[Pixels] = []

        def read(line: Line) -> tuple[str, float]:
            if not pixels:
                pixels.append(np.ascontiguousarray(view.rgb(width, height)))
            return self._nets.read(pixels[0], line.scaled(width / view.width, height / view.height))

        return read

    def _plate_score(self, line: Line, read: Read) -> float:
        """How surely text in the shape of a plate is one.

        What does not read like one scores least: it may be a plate that can be read on other frames only.
        """
        text, sure = read(line)
        return max(sure, self._weak) if reads_like_a_plate(text) else self._weak

    def _wanted(self, lines: Sequence[Line], read: Read) -> Sequence[Line]:
        """The lines of text that are to be covered: all of them, or those that are personal."""
        if self._written is None:
            return lines
        places = [_grown(line.points, (0.0, 0.0)) for line in lines]
        personal = self._written.personal([read(line)[0] for line in lines], places)
        return [line for line, covered in zip(lines, personal, strict=True) if covered]


def load(request: Request) -> Text:
    """The back end `rapidocr`; it brings its weights and finds text and plates."""
    if request.weights or request.class_map:
        raise UsageError("the detector rapidocr takes no weights; they arrive with the extra `locate`")
    return Text(request)
