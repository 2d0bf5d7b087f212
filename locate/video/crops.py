"""Crops of a frame around expected objects, each scaled to the size at which a detector finds the object best."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from veridact.locate.detectors.base import CxCyWh, Detection, Detector, FullFrame, Pixels
from veridact.locate.video.kalman import buffered_iou

CROP_SIDES = 4.0
CROP_PX = 128
"""A crop is this many times as long as the longer side of the object, and is scaled to this many pixels."""

MIN_BUFFERED_IOU = 0.25
"""The least overlap of a detection in a crop with the expected box."""


@dataclass(frozen=True)
class CropView:
    """The pixels of a crop, as a view that a detector accepts."""

    pixels: Pixels
    still: bool = False
    motion_blurred: bool = False
    is_crop: bool = True

    @property
    def width(self) -> int:
        """Columns of the scaled crop."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Rows of the scaled crop."""
        return int(self.pixels.shape[0])

    def rgb(self, width: int, height: int) -> Pixels:
        """The crop scaled to `width`×`height`."""
        if (width, height) == (self.width, self.height):
            return self.pixels
        shrinks = width < self.width
        kind = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
        return np.asarray(Image.fromarray(self.pixels).resize((width, height), kind, reducing_gap=1.0))


@dataclass(frozen=True)
class Crop:
    """A crop and the map from its pixels to displayed pixels of the frame: times `scale`, then shifted."""

    view: CropView
    scale: float
    left: float
    top: float

    def to_frame(self, d: Detection) -> Detection:
        """A detection in the crop, in displayed pixels of the frame."""
        x, y = self.left, self.top
        edges = (d.left * self.scale + x, d.top * self.scale + y, d.right * self.scale + x, d.bottom * self.scale + y)
        return Detection(d.label, *edges, d.score, d.by)


def crop_around(frame: FullFrame, boxes: Sequence[CxCyWh]) -> list[Crop | None]:
    """The crops around boxes in displayed pixels, in the order given; None for one that lies outside the frame."""
    return [_crop(frame, box) for box in boxes]


def _crop(frame: FullFrame, box: CxCyWh) -> Crop | None:
    x, y, width, height = box.tolist()
    reach = CROP_SIDES * max(width, height) / 2
    left, right = max(0, int(x - reach)), min(frame.width, int(x + reach) + 1)
    top, bottom = max(0, int(y - reach)), min(frame.height, int(y + reach) + 1)
    if right - left < 2 or bottom - top < 2:
        return None
    unscaled = CropView(frame.region(left, top, right, bottom))
    scale = CROP_PX / (2 * reach + 2)
    columns, rows = (max(1, round(length * scale)) for length in (unscaled.width, unscaled.height))
    return Crop(CropView(np.ascontiguousarray(unscaled.rgb(columns, rows))), 1 / scale, left, top)


def detect_in_crop(crop: Crop, label: str, expected: CxCyWh, detectors: Sequence[Detector]) -> Detection | None:
    """The best detection of a label in a crop that overlaps the expected box, or None; both in displayed pixels."""
    with_label = (detector for detector in detectors if label in detector.labels)
    detections = [crop.to_frame(d) for detector in with_label for d in detector.detect(crop.view) if d.label == label]
    near = [d for d in detections if buffered_iou(expected, d.cxcywh) >= MIN_BUFFERED_IOU]
    return max(near, key=lambda d: (d.score, -d.top, -d.left), default=None)
