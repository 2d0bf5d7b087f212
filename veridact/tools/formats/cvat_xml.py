"""Reading CVAT's XML, which comes from outside: no document type, no entities, no more than it needs.

The parser is told to stop at anything that could reach out or grow: a document type declaration is refused before any
entity could be defined, and depth, elements and text are limited.
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
    """A box on a frame: exact left, top, right and bottom; `outside` ends the track there.

    `key` is false for what CVAT wrote between two keys: it writes every frame out.
    """

    frame: int
    key: bool
    outside: bool
    corners: Corners


@dataclass
class CvatTrack:
    """A track with its free attributes."""

    number: str
    label: str
    boxes: list[CvatBox] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass
class CvatTask:
    """What is read of a file: the facts of the task, its tracks, and what could not be taken over."""

    meta: dict[str, str] = field(default_factory=dict)
    tracks: list[CvatTrack] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def _number(attributes: dict[str, str], name: str) -> Fraction:
    text = attributes.get(name, "")
    if not _NUMBER.fullmatch(text):
        raise UsageError(f"not a CVAT file: {name}={text[:20]!r} is no number")
    return Fraction(text)


def _turned(corners: Corners, degrees: Fraction) -> Corners:
    """The upright box around one that is turned about its centre, a pixel larger than computed on each side."""
    left, top, right, bottom = corners
    angle = math.radians(float(degrees % 360))
    width, height = float(right - left), float(bottom - top)
    across = Fraction(abs(width * math.cos(angle)) + abs(height * math.sin(angle))) / 2 + 1
    down = Fraction(abs(width * math.sin(angle)) + abs(height * math.cos(angle))) / 2 + 1
    x, y = (left + right) / 2, (top + bottom) / 2
    return (x - across, y - down, x + across, y + down)


def _around(attributes: dict[str, str], shape: str) -> Corners | None:
    """The box around a shape that is no box; None for one that has no simple outline."""
    if shape == "ellipse":
        cx, cy, rx, ry = (_number(attributes, n) for n in ("cx", "cy", "rx", "ry"))
        return _turned((cx - rx, cy - ry, cx + rx, cy + ry), _rotation(attributes))
    if shape in {"polygon", "polyline"}:
        points = [p.split(",") for p in attributes.get("points", "").split(";")]
        if not all(len(p) == 2 and all(_NUMBER.fullmatch(v) for v in p) for p in points):
            raise UsageError(f"not a CVAT file: the points of a {shape} are no pairs of numbers")
        xs, ys = [Fraction(p[0]) for p in points], [Fraction(p[1]) for p in points]
        return (min(xs), min(ys), max(xs), max(ys))
    return None


def _rotation(attributes: dict[str, str]) -> Fraction:
    return _number(attributes, "rotation") if attributes.get("rotation") else Fraction(0)


class _Reader:
    """The handlers of the parser and what they have gathered."""

    def __init__(self) -> None:
        self.task = CvatTask()
        self.path: list[str] = []
        self.elements = 0
        self.text = ""
        self.attribute = ""

    def lose(self, remark: str) -> None:
        if remark not in self.task.lost:
            self.task.lost.append(remark)

    def start(self, name: str, attributes: dict[str, str]) -> None:
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
            self.lose("marks that something is occluded")
        if name == "box":
            corners: Corners | None = (
                _number(attributes, "xtl"), _number(attributes, "ytl"),
                _number(attributes, "xbr"), _number(attributes, "ybr"),
            )  # fmt: skip
            if corners and _rotation(attributes):
                self.lose(f"track {track.number}: turned boxes; the upright box around them is taken")
                corners = _turned(corners, _rotation(attributes))
        elif name in _SHAPES:
            corners = _around(attributes, name)
            what = "nothing of it is taken" if corners is None else "the box around it is taken"
            self.lose(f"track {track.number}: a {name}; {what}")
        else:
            return
        if corners is not None:
            frame = _number(attributes, "frame")
            if frame.denominator != 1 or frame < 0:
                raise UsageError(f"not a CVAT file: frame {attributes['frame'][:20]!r}")
            track.boxes.append(CvatBox(int(frame), attributes.get("keyframe") != "0", outside, corners))

    def characters(self, text: str) -> None:
        if len(self.text) < MAX_TEXT:
            self.text += text

    def end(self, name: str) -> None:
        self.path.pop()
        if name == "attribute" and self.task.tracks and "track" in self.path and self.attribute:
            self.task.tracks[-1].attributes.setdefault(self.attribute, self.text)
            if self.attribute not in ATTRIBUTES:
                self.lose(f"attribute {self.attribute[:40]!r}")
        elif name in _META and "meta" in self.path:
            self.task.meta.setdefault(name, self.text.strip())


def _refuse(*_: object) -> NoReturn:
    raise UsageError("the XML declares a document type or entities, which is refused; export it from CVAT again")


def parse(raw: bytes) -> CvatTask:
    """The task in a CVAT file; raises `UsageError`."""
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
