"""Parsing CVAT's XML, which is untrusted input: no document type, no entities, and nothing beyond what is imported.

A document type declaration is refused before it could define an entity, so the parser can neither expand entities nor
fetch external ones; depth, elements and text are limited.
"""

import math
import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NoReturn
from xml.parsers import expat

from veridact.errors import UsageError
from veridact.tools.formats.common import ATTRIBUTES

MAX_DEPTH = 20
MAX_ELEMENTS = 5_000_000
MAX_TEXT = 10_000
_NUMBER = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,12})?")
_META = {"size", "start_frame", "stop_frame", "frame_filter", "width", "height"}
_SHAPES = {"polygon", "polyline", "points", "ellipse", "mask", "cuboid", "skeleton"}

Corners = tuple[Fraction, Fraction, Fraction, Fraction]


@dataclass(frozen=True)
class CvatBox:
    """A box on a frame: exact left, top, right and bottom in pixels; with `outside` the track ends before the frame.

    `key` is false for boxes that CVAT interpolated between two keyframes: it writes out every frame.
    """

    frame: int
    key: bool
    outside: bool
    corners: Corners


@dataclass
class CvatTrack:
    """A track: its number and label in CVAT, its boxes in the order of the file, and its free attributes."""

    number: str
    label: str
    boxes: list[CvatBox] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass
class CvatTask:
    """The parts of a CVAT file that are imported: metadata of the task and its tracks; `lost` lists what is not."""

    meta: dict[str, str] = field(default_factory=dict)
    tracks: list[CvatTrack] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def _number(attributes: dict[str, str], name: str) -> Fraction:
    text = attributes.get(name, "")
    if not _NUMBER.fullmatch(text):
        raise UsageError(f"not a CVAT file: {name}={text[:20]!r} is not a number")
    return Fraction(text)


def _enclosing_rotated(corners: Corners, degrees: Fraction) -> Corners:
    """The upright box that encloses one rotated about its centre, a pixel larger than computed on each side.

    The extra pixel is more than the rounding error of the sine and cosine, so the enclosing box is never too small.
    """
    left, top, right, bottom = corners
    angle = math.radians(float(degrees % 360))
    width, height = float(right - left), float(bottom - top)
    across = Fraction(abs(width * math.cos(angle)) + abs(height * math.sin(angle))) / 2 + 1
    down = Fraction(abs(width * math.sin(angle)) + abs(height * math.cos(angle))) / 2 + 1
    x, y = (left + right) / 2, (top + bottom) / 2
    return (x - across, y - down, x + across, y + down)


def _bounding_box(attributes: dict[str, str], shape: str) -> Corners | None:
    """The bounding box of an ellipse, polygon or polyline; None for shapes without a simple outline."""
    if shape == "ellipse":
        cx, cy, rx, ry = (_number(attributes, n) for n in ("cx", "cy", "rx", "ry"))
        return _enclosing_rotated((cx - rx, cy - ry, cx + rx, cy + ry), _rotation(attributes))
    if shape in {"polygon", "polyline"}:
        points = [p.split(",") for p in attributes.get("points", "").split(";")]
        if not all(len(p) == 2 and all(_NUMBER.fullmatch(v) for v in p) for p in points):
            raise UsageError(f"not a CVAT file: the points of a {shape} are not pairs of numbers")
        xs, ys = [Fraction(p[0]) for p in points], [Fraction(p[1]) for p in points]
        return (min(xs), min(ys), max(xs), max(ys))
    return None


def _rotation(attributes: dict[str, str]) -> Fraction:
    return _number(attributes, "rotation") if attributes.get("rotation") else Fraction(0)


class _Reader:
    """The handlers of the parser, and the task that they fill in."""

    def __init__(self) -> None:
        self.task = CvatTask()
        self.path: list[str] = []
        self.elements = 0
        self.text = ""
        self.attribute = ""

    def lose(self, line: str) -> None:
        """Notes a kind of information that is not imported, once."""
        if line not in self.task.lost:
            self.task.lost.append(line)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Called for each start tag; raises `UsageError` for another format and beyond the limits."""
        self.elements += 1
        self.path.append(name)
        if len(self.path) > MAX_DEPTH or self.elements > MAX_ELEMENTS:
            raise UsageError("the XML is nested too deep or has too many elements")
        if len(self.path) == 1 and name != "annotations":
            raise UsageError("not a CVAT file: it does not begin with <annotations>")
        self.text = ""
        self.attribute = attributes.get("name", "")
        if name == "image":
            raise UsageError("this is CVAT for images; export the task as `CVAT for video 1.1`")
        if name == "track":
            self.task.tracks.append(CvatTrack(attributes.get("id", "?")[:20], attributes.get("label", "")[:80]))
        elif self.path[-2:-1] == ["track"]:
            self._shape(name, attributes)

    def _shape(self, name: str, attributes: dict[str, str]) -> None:
        track = self.task.tracks[-1]
        outside = attributes.get("outside") == "1"
        if attributes.get("occluded") == "1":
            self.lose("occlusion marks")
        if name == "box":
            corners: Corners | None = (
                _number(attributes, "xtl"), _number(attributes, "ytl"),
                _number(attributes, "xbr"), _number(attributes, "ybr"),
            )  # fmt: skip
            if corners and _rotation(attributes):
                self.lose(f"track {track.number}: rotated boxes; the upright box around each is used")
                corners = _enclosing_rotated(corners, _rotation(attributes))
        elif name in _SHAPES:
            corners = _bounding_box(attributes, name)
            what = "not imported" if corners is None else "its bounding box is used"
            self.lose(f"track {track.number}: shape {name}; {what}")
        else:
            return
        if corners is not None:
            frame = _number(attributes, "frame")
            if frame.denominator != 1 or frame < 0:
                raise UsageError(f"not a CVAT file: frame {attributes['frame'][:20]!r}")
            track.boxes.append(CvatBox(int(frame), attributes.get("keyframe") != "0", outside, corners))

    def characters(self, text: str) -> None:
        """Called for text between tags; text beyond `MAX_TEXT` characters is dropped."""
        if len(self.text) < MAX_TEXT:
            self.text += text

    def end(self, name: str) -> None:
        """Called for each end tag: the text since its start tag is complete."""
        self.path.pop()
        if name == "attribute" and self.task.tracks and "track" in self.path and self.attribute:
            self.task.tracks[-1].attributes.setdefault(self.attribute, self.text)
            if self.attribute not in ATTRIBUTES:
                self.lose(f"attribute {self.attribute[:40]!r}")
        elif name in _META and "meta" in self.path:
            self.task.meta.setdefault(name, self.text.strip())


def _refuse(*_: object) -> NoReturn:
    raise UsageError(
        "the XML declares a document type or entities, which CVAT never writes; export the task from CVAT again"
    )


def parse(raw: bytes) -> CvatTask:
    """The task in a CVAT file; raises `UsageError` for text that is not XML or not CVAT's."""
    parser = expat.ParserCreate()
    reader = _Reader()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.ExternalEntityRefHandler = _refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    try:
        parser.Parse(raw, True)
    except expat.ExpatError as e:
        raise UsageError(f"not XML: {expat.errors.messages.get(e.code, 'error')} at line {e.lineno}") from None
    return reader.task
