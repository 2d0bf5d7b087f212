"""The query language of --where: what each expression selects, and which texts it refuses."""

from collections.abc import Callable

import pytest

from veridact.errors import UsageError
from veridact.schema import timeline
from veridact.schema.manifest import Manifest
from veridact.tools.edit import query

SELECTED = {
    "label = face": ["face-0001", "face-0002"],
    "label=face and score<500": ["face-0002"],
    "label == face": ["face-0001", "face-0002"],
    "reviewer = r7 and review != rejected and kind = track": ["face-0001", "plate-0001", "person-0001"],
    "score = 388": [],
    "start = 4.8s": ["face-0001"],
    "id == face-*": ["face-0001", "face-0002"],
    "label != face": ["plate-0001", "person-0001", "person-name-0001", "phone-number-0001"],
    "score < 400": ["face-0002"],
    "score >= 900": ["plate-0001", "person-name-0001"],
    "not score >= 0": ["person-0001"],
    "kind == range and score < 800": ["phone-number-0001"],
    "review == proposed or review == rejected": ["face-0002", "person-name-0001"],
    "label == face and (score > 500 or stream == 3)": ["face-0001"],
    'reason == "a poster"': ["face-0002"],
    "start >= 300 and start < 800": ["plate-0001"],
    "start >= 12s": ["plate-0001", "person-0001", "person-name-0001", "phone-number-0001"],
    "end <= 00:00:13.000": ["face-0001", "face-0002", "person-name-0001"],
    "during 0-121": ["face-0001"],
    "during 31s-32s": ["phone-number-0001"],
    "during 4.79s-4.8s": [],
    "during 4.8s-4.81s": ["face-0001"],
    "touches 0,300,200,40": ["plate-0001"],
    "w > 80": ["plate-0001", "person-0001"],
    "x < 0": ["plate-0001"],
    "frames == 40": ["face-0002"],
    "by == hand": ["person-0001"],
    "not not by == hand": ["person-0001"],
}


@pytest.mark.parametrize("expression", SELECTED)
def test_what_an_expression_selects(expression: str, example: Callable[[str], Manifest]) -> None:
    manifest = example("street")
    clocks = timeline.from_manifest(manifest)
    selects = query.parse(expression)
    items = [*manifest.tracks, *manifest.audio]
    assert [i.id for i in items if selects(i, clocks)] == SELECTED[expression]


REFUSED = {
    "": "ends too early",
    "label": "ends too early",
    "label ! face": "cannot read",
    "label === face": "follows a complete comparison",
    "label == ": "ends too early",
    "label < face": "compare it with = or !=",
    "score == high": "compare it with an integer",
    "start > soon": "is not a time",
    "colour == red": "there is no field 'colour'",
    "(label == face": "ends too early",
    "label == face label == head": "follows a complete comparison",
    "during face": "is not a range",
    "touches 1,2,3": "is not a box",
    "__import__": "there is no field",
    "(" * 60 + "label == face" + ")" * 60: "nested more than",
    "label == " + "x" * 2000: "longer than",
}


@pytest.mark.parametrize("expression", REFUSED)
def test_what_an_expression_cannot_say(expression: str) -> None:
    with pytest.raises(UsageError, match=REFUSED[expression]):
        query.parse(expression)
