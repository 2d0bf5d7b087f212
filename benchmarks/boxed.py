"""The shared photos whose faces or plates are boxed by hand, and the faces in them that nobody boxed."""

import json
from dataclasses import dataclass
from pathlib import Path

Box = tuple[float, float, float, float]

UNBOXED_FACES: dict[str, dict[str, Box]] = {
    "2008_002079.jpg": {
        "a man at the bar who looks back over his shoulder": (277, 37, 15, 21),
        "a woman with curls at the window, from the side": (417, 85, 13, 16),
        "the right one of two men close together at the window": (474, 71, 13, 17),
        "the left one of them, in the dark": (460, 72, 13, 18),
    },
}
"""Faces of real people, seen in crops ten times as large and brightened: a box on one of them is no false box.

x, y, width and height in pixels, by the name of the photo. Left out are heads seen from behind, reflections in a door,
and people in a framed picture whose faces are four pixels high.
"""


@dataclass(frozen=True)
class Photo:
    """A photo, the boxes of its truth as x, y, width and height, and those of real faces that the truth lacks."""

    path: Path
    boxes: tuple[Box, ...]
    unboxed: tuple[Box, ...]


def faces(media: Path) -> list[Photo]:
    """The photos in which every face that matters is boxed."""
    images = json.loads((media / "GROUND_TRUTH.json").read_text())["images"]
    names = [n for n, truth in images.items() if truth["label"] == "face" and truth["complete"]]
    return [_photo(media, n, images[n]["boxes"], tuple(UNBOXED_FACES.get(Path(n).name, {}).values())) for n in names]


def plates(media: Path) -> list[Photo]:
    """The frames of dash cameras in which some plates are boxed."""
    images = json.loads((media / "GROUND_TRUTH.json").read_text())["images"]
    return [_photo(media, n, images[n]["boxes"], ()) for n in images if "robertlucian" in n]


def _photo(media: Path, name: str, boxes: list[list[float]], unboxed: tuple[Box, ...]) -> Photo:
    return Photo(media / name, tuple((x, y, w, h) for x, y, w, h in boxes), unboxed)
