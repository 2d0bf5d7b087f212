"""The three digests: canonical form without a library, and what a change touches."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veridact.schema import digests, reader

Document = Callable[[str], dict[str, Any]]
ASCII = st.text(st.characters(min_codepoint=0, max_codepoint=0x7F), max_size=6)
PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ASCII, inner, max_size=4),
    max_leaves=15,
)


@given(PLAIN)
def test_canonical_json_is_what_the_standard_library_can_write(tree: Any) -> None:
    plain = json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert digests.canonical(tree) == plain


def _note(tree: dict[str, Any]) -> None:
    tree["tracks"][0]["note"] = "seen twice"


def _reviewer(tree: dict[str, Any]) -> None:
    tree["tracks"][0]["reviewer"] = "r9"


def _score(tree: dict[str, Any]) -> None:
    tree["tracks"][0]["origin"]["score"] = 1


def _ext(tree: dict[str, Any]) -> None:
    tree["ext"] = {"org.example": [1]}


def _accept(tree: dict[str, Any]) -> None:
    tree["audio"][0]["review"] = "accepted"


def _producer(tree: dict[str, Any]) -> None:
    tree["producers"][0]["version"] = "2"


def _unused_effect(tree: dict[str, Any]) -> None:
    tree["effects"]["video"]["vehicle"] = {"effect": "solid", "shape": "box", "pad_permille": 9}


def _rejected_box(tree: dict[str, Any]) -> None:
    tree["tracks"][1]["segments"][0]["keys"][0]["box"][0] += 1


def _box(tree: dict[str, Any]) -> None:
    tree["tracks"][0]["segments"][0]["keys"][0]["box"][0] += 1


def _reject(tree: dict[str, Any]) -> None:
    tree["tracks"][0]["review"] = "rejected"


def _time(tree: dict[str, Any]) -> None:
    tree["audio"][0]["start_ms"] -= 1


def _label_effect(tree: dict[str, Any]) -> None:
    tree["effects"]["video"]["face"]["cells"] = 2


def _disposition(tree: dict[str, Any]) -> None:
    tree["output"]["streams"][1]["disposition"] = "drop"


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], None], bool]] = {
    "a note": (_note, False),
    "a reviewer": (_reviewer, False),
    "a score": (_score, False),
    "ext": (_ext, False),
    "proposed becomes accepted": (_accept, False),
    "a producer": (_producer, False),
    "the effect of a label that does not occur": (_unused_effect, False),
    "the box of a rejected track": (_rejected_box, False),
    "a box": (_box, True),
    "a rejection": (_reject, True),
    "a time": (_time, True),
    "the effect of a label": (_label_effect, True),
    "a disposition": (_disposition, True),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_plan_digest_changes_only_with_what_decides_the_output(change: str, document: Document) -> None:
    edit, decides = CHANGES[change]
    before = reader.validate(document("street"))
    tree = document("street")
    edit(tree)
    after = reader.validate(tree)
    assert digests.manifest_sha256(before) != digests.manifest_sha256(after)
    assert (digests.plan_sha256(before) != digests.plan_sha256(after)) == decides


def test_formatting_changes_the_file_digest_alone(document: Document) -> None:
    tree = document("street")
    a, b = json.dumps(tree).encode(), json.dumps(tree, indent=4).encode()
    assert digests.sha256_hex(a) != digests.sha256_hex(b)
    assert digests.manifest_sha256(reader.read(a).manifest) == digests.manifest_sha256(reader.read(b).manifest)


def test_a_keep_counts_only_when_a_person_has_said_so(document: Document) -> None:
    tree = document("everything-but-one-person")
    before = digests.plan_sha256(reader.validate(tree))
    tree["tracks"][0]["review"] = "proposed"
    without = digests.plan_document(reader.validate(tree))
    assert digests.sha256_hex(digests.canonical(without)) != before
    assert [c["effect"] for c in without["covers"]] != ["keep"]
