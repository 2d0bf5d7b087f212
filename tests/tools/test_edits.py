"""Every operation changes what it says and keeps the review record; a script is applied whole or not at all."""

from collections.abc import Callable

import pytest

from veridact.errors import UsageError
from veridact.schema import timeline
from veridact.schema.geometry import Box
from veridact.schema.manifest import AudioRange, Manifest, Track
from veridact.schema.plan import segments
from veridact.tools import diff
from veridact.tools.edit import edits, operations
from veridact.tools.edit.query import Item

Example = Callable[[str], Manifest]


def _edit(manifest: Manifest, text: str, reviewer: str | None = None, reason: str | None = None) -> Manifest:
    clocks = timeline.from_manifest(manifest)
    return edits.apply_all(manifest, operations.from_script(text, None), edits.EditContext(clocks, reviewer, reason))


def _item(manifest: Manifest, item_id: str) -> Item:
    return diff.items_by_id(manifest)[item_id]


def _track(manifest: Manifest, item_id: str) -> Track:
    item = _item(manifest, item_id)
    assert isinstance(item, Track)
    return item


def _range(manifest: Manifest, item_id: str) -> AudioRange:
    item = _item(manifest, item_id)
    assert isinstance(item, AudioRange)
    return item


def _boxes(manifest: Manifest, item_id: str) -> dict[int, Box]:
    return dict(segments.walk(_track(manifest, item_id).segments, timeline.from_manifest(manifest)[0]))


STATES = {
    "accept face-0001": ("face-0001", "accepted"),
    "accept person-name-0001": ("person-name-0001", "accepted"),
    "accept plate-0001": ("plate-0001", "edited"),
    "accept person-0001": ("person-0001", "added"),
    "accept face-0002": ("face-0002", "accepted"),
    "reject face-0001": ("face-0001", "rejected"),
    "move face-0001 1,1": ("face-0001", "edited"),
    "move person-0001 1,1": ("person-0001", "added"),
    "resize face-0001 120%": ("face-0001", "edited"),
    "retime face-0001 110-": ("face-0001", "edited"),
    "effect face-0001 solid": ("face-0001", "edited"),
    "retime person-name-0001 12s-13s": ("person-name-0001", "edited"),
    "add face 3-9 1,2,30,40": ("face-0003", "added"),
    "relabel face-0001 head": ("face-0001", "rejected"),
}


@pytest.mark.parametrize("text", STATES)
def test_an_edit_leaves_its_state_reviewer_and_reason(text: str, example: Example) -> None:
    item_id, review = STATES[text]
    item = _item(_edit(example("street"), text, "r8", "s40"), item_id)
    assert (item.review, item.reviewer, item.reason) == (review, "r8", "s40")


def test_an_edit_may_be_signed_alone(example: Example) -> None:
    script = 'reject face-0001 reason="not a face"\nadd face 5-9 1,1,9,9 reviewer=r3\naccept person-name-0001'
    after = _edit(example("street"), script, "r8", "s40")
    found = [_item(after, i) for i in ("face-0001", "face-0003", "person-name-0001")]
    assert [(i.reviewer, i.reason) for i in found] == [("r8", "not a face"), ("r3", "s40"), ("r8", "s40")]


def test_without_a_reviewer_the_earlier_one_stays(example: Example) -> None:
    item = _item(_edit(example("street"), "move face-0001 1,1"), "face-0001")
    assert (item.reviewer, item.reason) == ("r7", "s40(2)")


def test_nothing_is_ever_deleted(example: Example) -> None:
    before = example("street")
    script = "reject where label == face\nmerge plate-0001 plate-0001\n"
    with pytest.raises(UsageError, match="merge ITEM ITEM"):
        _edit(before, script)
    after = _edit(before, "reject where kind == track")
    assert diff.items_by_id(after).keys() == diff.items_by_id(before).keys()
    assert {t.review for t in after.tracks} == {"rejected"}


def test_where_selects_for_each_edit(example: Example) -> None:
    after = _edit(example("street"), "accept where score > 700 and review == proposed")
    assert _item(after, "person-name-0001").review == "accepted"
    assert _item(after, "face-0002").review == "rejected"


WHERE_WORDS = (
    'accept where reason == "a poster"',
    'accept where "reason == \\"a poster\\""',
    'accept where (reason == "a poster" and label == face)',
)


@pytest.mark.parametrize("text", WHERE_WORDS)
def test_values_with_blanks_and_parentheses_survive_the_shell(text: str, example: Example) -> None:
    assert _item(_edit(example("street"), text), "face-0002").review == "accepted"
    after = _edit(example("street"), 'reject where reason == "s40(2)"')
    assert [t.id for t in after.tracks if t.review == "rejected"] == ["face-0001", "face-0002", "plate-0001"]


def test_a_moved_box_moves_everywhere_or_in_the_range(example: Example) -> None:
    before = example("street")
    was = _boxes(before, "plate-0001")
    everywhere = _boxes(_edit(before, "move plate-0001 +5,-7"), "plate-0001")
    assert {f: (x - 5, y + 7, w, h) for f, (x, y, w, h) in everywhere.items()} == was
    within = _boxes(_edit(before, "move plate-0001 100,0 12.4s-14s"), "plate-0001")
    assert {f for f in was if within[f][0] > was[f][0] + 50} == set(range(310, 350))
    assert within.keys() == was.keys()


def test_one_box_is_set_on_one_frame(example: Example) -> None:
    after = _edit(example("street"), "move face-0001 400,90,70,90 at 00:00:05.400")
    first = _track(after, "face-0001").segments[0]
    assert [(k.frame, k.box[0]) for k in first.keys] == [(120, 412), (135, 400), (150, 430)]


SIZES = {
    "resize plate-0001 100x40": {300: (114, 302, 100, 40)},
    "resize plate-0001 150%": {300: (98, 304, 132, 36)},
    "resize plate-0001 50%": {300: (142, 316, 44, 12)},
}


@pytest.mark.parametrize("text", SIZES)
def test_a_box_is_resized_about_its_centre(text: str, example: Example) -> None:
    after = _boxes(_edit(example("street"), text), "plate-0001")
    assert {f: after[f] for f in SIZES[text]} == SIZES[text]


def test_an_added_track_takes_the_next_id_that_was_never_used(example: Example) -> None:
    after = _edit(example("street"), "reject face-0001\nadd face 10-20 1,2,30,40 11,2,30,40\nadd head 4s-4.2s 5,5,9,9")
    assert [t.id for t in after.tracks][-2:] == ["face-0003", "head-0001"]
    assert _boxes(after, "face-0003")[19] == (11, 2, 30, 40)
    assert sorted(_boxes(after, "head-0001")) == list(range(100, 105))
    assert _track(after, "head-0001").origin.by == "hand"


def test_an_added_range_is_on_every_sound_stream_unless_one_is_named(example: Example) -> None:
    after = _edit(example("street"), "add location 2.0001s-3.0001s\nadd location 4s-5s stream=1")
    first, second = _range(after, "location-0001"), _range(after, "location-0002")
    assert (first.stream, first.start_ms, first.end_ms) == (None, 2000, 3001)
    assert (second.stream, second.start_ms, second.end_ms) == (1, 4000, 5000)


def test_a_still_needs_no_time(example: Example) -> None:
    after = _edit(example("still"), "add plate 100,100,50,20")
    segment = _track(after, "plate-0001").segments[0]
    assert (segment.end, segment.keys[0].frame, segment.keys[0].box) == (1, 0, (100, 100, 50, 20))


def test_split_parts_cover_what_the_whole_did(example: Example) -> None:
    before = example("street")
    after = _edit(before, "split plate-0001 at 330\nsplit phone-number-0001 at 32s")
    left, right = _boxes(after, "plate-0001"), _boxes(after, "plate-0002")
    assert (max(left), min(right)) == (329, 330)
    assert left.keys() | right.keys() == _boxes(before, "plate-0001").keys()
    halves = [_range(after, i) for i in ("phone-number-0001", "phone-number-0002")]
    assert [(r.start_ms, r.end_ms) for r in halves] == [(31050, 32000), (32000, 33400)]
    assert halves[1].effect == halves[0].effect
    assert not diff.reveals(diff.compare(before, after))


def test_merging_keeps_the_other_as_a_rejected_record(example: Example) -> None:
    before = _edit(example("street"), "split plate-0001 at 330\nadd plate 325-340 90,300,60,40")
    after = _edit(before, "merge plate-0001 plate-0002 plate-0003", "r8")
    assert [(_item(after, i).review, _item(after, i).note) for i in ("plate-0002", "plate-0003")] == [
        ("rejected", "merged into plate-0001")
    ] * 2
    assert not diff.reveals(diff.compare(before, after))


def test_a_relabelled_item_goes_on_under_an_id_of_its_label(example: Example) -> None:
    before = example("street")
    after = _edit(before, "effect label=head mosaic cells=6 shape=ellipse pad=200\nrelabel face-0001 head")
    old, new = _track(after, "face-0001"), _track(after, "head-0001")
    assert (old.review, old.note, new.review) == ("rejected", "relabelled as head-0001", "edited")
    assert new.segments == old.segments
    assert not diff.reveals(diff.compare(before, after))


EFFECTS = {
    "effect face-0001 solid": {"effect": "solid", "shape": "box", "pad_permille": 150},
    "effect face-0001 mosaic cells=3 pad=50": {
        "effect": "mosaic", "shape": "ellipse", "cells": 3, "pad_permille": 50,
    },
    "effect person-0001 default": None,
    "effect phone-number-0001 silence": {"effect": "silence", "pad_ms": 80},
}  # fmt: skip


@pytest.mark.parametrize("text", EFFECTS)
def test_an_item_gets_an_effect_of_its_own(text: str, example: Example) -> None:
    effect = _item(_edit(example("street"), text), text.split()[1]).effect
    assert (effect.model_dump() if effect else None) == EFFECTS[text]


def test_the_effect_of_a_label_is_set_and_taken_away(example: Example) -> None:
    after = _edit(
        example("street"), "effect label=plate blur cells=2\neffect label=face default\neffect label=date beep"
    )
    assert after.effects.video is not None
    assert after.effects.audio is not None
    assert (after.effects.video.plate.effect, after.effects.video.face) == ("blur", None)  # type: ignore[union-attr]
    assert after.effects.audio.date is not None


KEEPS = {
    "add keep 4.001s-6.001s 1,1,9,9": ("keep-0003", (121, 180)),
    "add keep 4s-6s 1,1,9,9": ("keep-0003", (120, 180)),
    "add keep 4s-20s 1,1,9,9": ("keep-0003", (120, 600)),
    "retime keep-0001 6.01s-12.01s": ("keep-0001", (181, 360)),
    "add keep 4.0001s-6.0009s": ("keep-0003", (4001, 6000)),
    "retime keep-0002 6.0001s-7.0009s": ("keep-0002", (6001, 7000)),
}


@pytest.mark.parametrize("text", KEEPS)
def test_a_keep_is_narrowed_to_whole_frames_and_milliseconds(text: str, example: Example) -> None:
    item_id, expected = KEEPS[text]
    item = _item(_edit(example("everything-but-one-person"), text), item_id)
    found = (item.start_ms, item.end_ms) if isinstance(item, AudioRange) else (
        segments.first_frame(item), segments.end_frame(item))  # fmt: skip
    assert found == expected


def test_a_stream_is_dropped_and_the_scope_is_changed(example: Example) -> None:
    after = _edit(example("street"), "stream 1 drop\nscope everything\nadd keep 0-50 10,10,100,100")
    assert after.output.streams is not None
    assert [(s.index, s.disposition) for s in after.output.streams] == [(0, "render"), (1, "drop")]
    assert (after.scope, _item(after, "keep-0001").review) == ("everything", "added")


REFUSED = {
    "blur face-0001": "'blur' is not an operation",
    "accept": "accept needs items",
    "accept face-0009": "there is no item face-0009",
    "accept face-0001 face-0002 quickly": "does not understand 'quickly'",
    "accept face-0001 where score > 1": "not both",
    "accept where score > 999": "where selects no item",
    "move face-0002 1,1": "face-0002 is rejected; accept it first",
    "move face-0001 up": "write move ITEMS",
    "move face-0001 1,1 sometime": "is not a range",
    "move person-name-0001 1,1": "has no box",
    "move face-0001 1,2,30,40 at 500": "does not cover frame 500",
    "move face-0001 9999999,0": "would make the manifest invalid",
    "resize face-0001 0x10": "write resize",
    "retime face-0001 0-99999": "give a range within them",
    "retime face-0001 700-800": "has no frame in 700 to 799",
    "retime person-name-0001 1-2": "sound has no frame 1",
    "retime person-name-0001 13s-12s": "would make the manifest invalid",
    "split face-0001 at 120": "lies on one side of 120",
    "split face-0001 face-0002": "write split|is rejected",
    "merge face-0001 plate-0001": "has another label or stream",
    "merge plate-0001": "write merge ITEM ITEM",
    "relabel face-0001 nose": "would make the manifest invalid",
    "relabel face-0001 keep": "would make the manifest invalid",
    "effect face-0001 sepia": "an effect on a picture is one of solid",
    "effect face-0001 solid cells=3": "solid has shape=, pad=",
    "effect face-0001 mosaic cells=9": "invalid|less than or equal to 8",
    "effect person-name-0001 solid": "an effect on sound is one of",
    "effect label=nose solid": "no label that has an effect",
    "effect label=default default": "cannot be removed",
    "add face": "needs a range",
    "add face 1-2": "sound has no frame|stream",
    "add face 1-2 3,4,5": "does not understand '3,4,5'",
    "add face 5-5 1,1,9,9": "ends before it begins",
    "add face 1390-1400 1,1,9,9": "give a range within them",
    "add nose 1-9 1,1,9,9": "nose|invalid",
    "stream 2 render": "would make the manifest invalid",
    "stream 0 hide": "write stream N render",
    "scope most": "write scope listed",
    'accept "face-0001': "no closing quotation",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_done_says_why(text: str, example: Example) -> None:
    with pytest.raises(UsageError, match=REFUSED[text]):
        _edit(example("street"), text)


def test_all_of_a_script_or_nothing(example: Example) -> None:
    with pytest.raises(UsageError, match="script line 3: there is no item face-0009"):
        _edit(example("street"), "accept face-0001\n# a comment\nreject face-0009\n")


def test_edits_on_one_line_are_joined_by_then(example: Example) -> None:
    manifest = example("street")
    todo = operations.from_words("accept face-0001 then reject plate-0001".split(), None)
    after = edits.apply_all(manifest, todo, edits.EditContext(timeline.from_manifest(manifest)))
    assert [_item(after, i).review for i in ("face-0001", "plate-0001")] == ["accepted", "rejected"]
