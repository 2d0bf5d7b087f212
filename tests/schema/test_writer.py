"""The one formatter: reading and writing back changes nothing, and one edit is one changed line."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veridact.schema import reader, writer
from veridact.schema.manifest import Manifest

Document = Callable[[str], dict[str, Any]]


def _text(tree: dict[str, Any]) -> bytes:
    return writer.write(reader.read(json.dumps(tree).encode()).manifest)


def _changed_lines(a: bytes, b: bytes) -> int:
    before, after = a.splitlines(), b.splitlines()
    assert len(before) == len(after)
    return sum(x != y for x, y in zip(before, after, strict=True))


def _move_a_box(tree: dict[str, Any]) -> None:
    tree["tracks"][0]["segments"][0]["keys"][1]["box"][0] += 3


def _accept(tree: dict[str, Any]) -> None:
    tree["audio"][0]["review"] = "accepted"


def _change_an_effect(tree: dict[str, Any]) -> None:
    tree["effects"]["video"]["face"]["cells"] = 4


def _drop_the_sound(tree: dict[str, Any]) -> None:
    tree["output"]["streams"][1]["disposition"] = "drop"


EDITS = {
    "move a box": _move_a_box,
    "accept a range": _accept,
    "change an effect": _change_an_effect,
    "drop the sound": _drop_the_sound,
}


@pytest.mark.parametrize("edit", EDITS)
def test_one_edit_is_one_changed_line(edit: str, document: Document) -> None:
    tree = document("street")
    before = _text(tree)
    EDITS[edit](tree)
    assert _changed_lines(before, _text(tree)) == 1


def test_the_order_of_fields_is_the_order_of_the_models_whatever_was_read(document: Document) -> None:
    tree = document("street")
    shuffled = dict(sorted(tree.items(), key=lambda kv: kv[0][::-1]))
    shuffled["tracks"] = [dict(sorted(t.items())) for t in tree["tracks"]]
    assert list(shuffled) != list(tree)
    assert _text(shuffled) == _text(tree)


@given(st.text(st.characters(codec="utf-8"), max_size=280), st.dictionaries(st.just("org.example"), st.integers(0, 9)))
def test_any_note_and_any_ext_survive(note: str, ext: dict[str, int]) -> None:
    tree = reader.read(_minimal(note, ext)).manifest
    once = writer.write(tree)
    again = reader.read(once).manifest
    assert (again.tracks[0].note, again.ext) == (note, ext)
    assert writer.write(again) == once


def _minimal(note: str, ext: dict[str, int]) -> bytes:
    tree = {
        "schema": "veridact.manifest/1",
        "source": {
            "kind": "picture",
            "sha256": "0" * 64,
            "bytes": 1,
            "streams": [
                {
                    "index": 0,
                    "type": "picture",
                    "codec": "png",
                    "width": 8,
                    "height": 8,
                    "coded_width": 8,
                    "coded_height": 8,
                    "orientation": 1,
                    "frames": 1,
                }
            ],
        },
        "producers": [],
        "output": {"container": "png"},
        "scope": "listed",
        "effects": {"video": {"default": {"effect": "solid", "shape": "box", "pad_permille": 0}}},
        "tracks": [
            {
                "id": "face-0001",
                "stream": 0,
                "label": "face",
                "review": "added",
                "note": note,
                "origin": {"by": "hand"},
                "segments": [{"end": 1, "keys": [{"frame": 0, "box": [0, 0, 4, 4]}]}],
            }
        ],
        "audio": [],
        "ext": ext,
    }
    return json.dumps(tree).encode()


def test_each_box_stands_on_a_line_of_its_own(example: Callable[[str], Manifest]) -> None:
    manifest = example("street")
    lines = [line for line in writer.write(manifest).decode().splitlines() if '"frame"' in line]
    assert len(lines) == sum(len(s.keys) for t in manifest.tracks for s in t.segments)
