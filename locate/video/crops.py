"""A closer look: pieces cut out of a picture around things, each at the size at which the thing is seen best."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from veridact.locate.detectors.base import Detection, Detector, Pixels, Whole
from veridact.locate.video.kalman import Vector as Place
from veridact.locate.video.kalman import likeness

SIDES = 4.0
PIECE_PX = 128
"""A piece is so many times as long as the thing, and scaled to so many pixels."""

LEAST_LIKENESS = 0.25
"""How well what is found in a piece must lie where the thing is expected."""


@dataclass(frozen=True)
class Piece:
    """A part of a picture around one thing, at the size at which it is seen best."""

    pixels: Pixels
    still: bool = False
    smeared: bool = False
    part: bool = True

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    def rgb(self, width: int, height: int) -> Pixels:
        if (width, height) == (self.width, self.height):
            return self.pixels
        shrinks = width < self.width
        kind = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
        return np.asarray(Image.fromarray(self.pixels).resize((width, height), kind, reducing_gap=1.0))


@dataclass(frozen=True)
class Cut:
    """A piece, and what takes its pixels to those of the picture: times `scale`, then shifted."""

    piece: Piece
    scale: float
    left: float
    top: float

    def placed(self, d: Detection) -> Detection:
        x, y = self.left, self.top
        edges = (d.left * self.scale + x, d.top * self.scale + y, d.right * self.scale + x, d.bottom * self.scale + y)
        return Detection(d.label, *edges, d.score, d.by)


def cut_out(view: Whole, places: Sequence[Place]) -> list[Cut | None]:
    """The pieces around places in displayed pixels; None for one that lies wholly outside."""
    return [_cut(view, place) for place in places]


def _cut(view: Whole, place: Place) -> Cut | None:
    x, y, width, height = place.tolist()
    reach = SIDES * max(width, height) / 2
    left, right = max(0, int(x - reach)), min(view.width, int(x + reach) + 1)
    top, bottom = max(0, int(y - reach)), min(view.height, int(y + reach) + 1)
    if right - left < 2 or bottom - top < 2:
        return None
    around = Piece(view.region(left, top, right, bottom))
    scale = PIECE_PX / (2 * reach + 2)
    columns, rows = (max(1, round(length * scale)) for length in (around.width, around.height))
    return Cut(Piece(np.ascontiguousarray(around.rgb(columns, rows))), 1 / scale, left, top)


def trace(cut: Cut, label: str, place: Place, detectors: Sequence[Detector]) -> Detection | None:
    """The surest thing with a label that is found in a piece about where it is expected; None where there is none."""
    asked = (detector for detector in detectors if label in detector.labels)
    found = [cut.placed(d) for detector in asked for d in detector.detect(cut.piece) if d.label == label]
    near = [d for d in found if likeness(place, d.place) >= LEAST_LIKENESS]
    return max(near, key=lambda d: (d.score, -d.top, -d.left), default=None)
