"""A diff says what a viewer and a listener will notice, and exits 1 on anything revealed."""

from collections.abc import Callable
from typing import Any

import pytest

from veridact.errors import BindingError
from veridact.schema import reader, timeline
from veridact.schema.manifest import Manifest
from veridact.tools import diff
from veridact.tools.edit import edits, operations

Example = Callable[[str], Manifest]


def _after(manifest: Manifest, text: str) -> Manifest:
    todo = operations.from_script(text.replace(" then ", "\n"), None)
    return edits.apply_all(manifest, todo, edits.EditContext(timeline.from_manifest(manifest)))


CASES: dict[str, tuple[str, str, set[str]]] = {
    "a rejection": ("street", "reject face-0001", {"visible", "record"}),
    "an acceptance": ("street", "accept person-name-0001", {"record"}),
    "an accepted rejection": ("street", "accept face-0002", {"covered", "record"}),
    "a new box": ("street", "add face 5-9 1,1,30,40", {"covered", "record"}),
    "a new box under another": (
        "street",
        "add person 820-830 320,140,20,20 then effect person-0002 blur cells=8 shape=box pad=0",
        {"record"},
    ),
    "a smaller shape": ("street", "effect face-0001 solid shape=box pad=0", {"visible", "covered", "record"}),
    "fewer cells": ("street", "effect face-0001 mosaic cells=4", {"covered", "record"}),
    "more cells": ("street", "effect face-0001 mosaic cells=8", {"weaker", "record"}),
    "a blur for a mosaic": ("street", "effect face-0001 blur cells=6", {"weaker", "record"}),
    "less padding": ("street", "effect person-0001 blur shape=box cells=3 pad=99", {"visible", "record"}),
    "less padding for a label": ("street", "effect label=default solid pad=100", {"visible", "record"}),
    "a weaker effect for a label that has none": ("street", "effect label=vehicle blur", {"record"}),
    "a box beside the picture": ("street", "add face 5-9 900,1,30,40", {"record"}),
    "a shorter range": ("street", "retime person-name-0001 12.4s-", {"audible", "record"}),
    "a longer range": ("street", "retime person-name-0001 12s-", {"silenced", "record"}),
    "a range within another": ("street", "add date 31.5s-32s", {"record"}),
    "a dropped stream": ("street", "stream 1 drop", {"silenced"}),
    "a stream that was dropped": ("hospital-interview", "stream 2 render", {"audible"}),
    "scope everything": ("street", "scope everything", {"covered", "silenced"}),
    "a keep": ("everything-but-one-person", "add keep 500-510 1,1,9,9", {"visible", "record"}),
    "a keep under a cover": ("everything-but-one-person", "add keep 245-255 475,125,9,9", {"record"}),
    "a rejected keep": ("everything-but-one-person", "reject keep-0001", {"covered", "record"}),
    "a kept sound": ("everything-but-one-person", "add keep 10s-11s", {"audible", "record"}),
    "a rejected cover in a keep": ("everything-but-one-person", "reject face-0001", {"visible", "record"}),
    "a still": ("still", "move document-0001 1,0", {"visible", "covered", "record"}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_a_change_means_for_who_watches(case: str, example: Example) -> None:
    name, edit, kinds = CASES[case]
    before = example(name)
    changes = diff.compare(before, _after(before, edit))
    assert {c.kind for c in changes} == kinds
    assert diff.reveals(changes) == bool(kinds & set(diff.REVEALING))


def test_leaving_scope_everything_reveals_all(example: Example) -> None:
    before = example("street")
    changes = diff.compare(_after(before, "scope everything"), before)
    assert diff.reveals(changes)
    assert changes[0].words.startswith("everything outside the listed items was hidden")


def test_a_moved_box_reveals_and_covers_just_the_strips(example: Example) -> None:
    before = _after(example("minimal"), "effect label=default solid shape=box pad=0")
    found = {
        c.kind: (c.start, c.end, c.pixels) for c in diff.compare(before, _after(before, "move face-0001 3,0 10-20"))
    }
    assert found["visible"] == found["covered"] == (10, 20, 3 * 60)


def test_words_name_who_and_when(example: Example) -> None:
    before = example("street")
    changes = diff.compare(before, _after(before, "reject face-0001"))
    assert changes[0].words == (
        "face-0001: face in stream 0 is newly visible (frames 120 to 180, 00:00:04.800 to 00:00:07.240), up to 17769 px"
    )


def test_a_split_or_renumbered_track_changes_nothing_to_see(example: Example) -> None:
    before = example("minimal")
    changes = diff.compare(before, _after(before, "split face-0001 at 20"))
    assert {c.kind for c in changes} == {"record"}


def test_an_item_that_is_gone_is_told(document: Callable[[str], dict[str, Any]], example: Example) -> None:
    tree = document("street")
    del tree["tracks"][0]
    changes = diff.compare(example("street"), reader.validate(tree))
    assert any("gone from the manifest; reject it instead" in c.words for c in changes)


def test_manifests_for_different_files_are_not_compared(example: Example) -> None:
    with pytest.raises(BindingError):
        diff.compare(example("street"), example("minimal"))


def test_no_change_says_so(example: Example) -> None:
    assert diff.report(diff.compare(example("street"), example("street"))).startswith("nothing changes")
