"""A new search never undoes what people decided, and nothing that it newly found is lost."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veridact.errors import BindingError, ManifestError, UsageError
from veridact.schema import reader, timeline, upgrade, writer
from veridact.schema.manifest import Key, Manifest, Segment, Track
from veridact.schema.plan import segments
from veridact.tools import diff
from veridact.tools.edit import edits, operations
from veridact.tools.merge import combine

Example = Callable[[str], Manifest]


def _edit(manifest: Manifest, text: str) -> Manifest:
    todo = operations.from_script(text, None)
    return edits.apply_all(manifest, todo, edits.EditContext(timeline.from_manifest(manifest)))


def test_a_search_that_finds_the_same_adds_nothing(example: Example) -> None:
    reviewed = example("street")
    combined = combine(reviewed, reviewed)
    assert (combined.manifest, combined.new, combined.known) == (reviewed, 0, 6)


DECIDED = (
    "accept face-0001",
    "reject face-0001",
    "move face-0001 3,3",
    "effect face-0001 solid",
    "reject where score > 1",
)


@pytest.mark.parametrize("decision", DECIDED)
def test_what_people_decided_survives(decision: str, example: Example) -> None:
    found = example("street")
    reviewed = _edit(found, decision)
    after = combine(reviewed, found).manifest
    assert diff.items_by_id(after) == diff.items_by_id(reviewed)


def test_what_is_new_comes_as_it_was_found_under_a_free_id(example: Example) -> None:
    reviewed = example("street")
    found = _edit(reviewed, "add face 700-720 10,10,50,60\nadd email 40s-41s stream=1")
    after = combine(reviewed, found)
    assert after.new == 2
    assert diff.items_by_id(after.manifest)["face-0003"] == found.tracks[-1]
    assert diff.items_by_id(after.manifest)["email-0001"] == found.audio[-1]


def test_the_frames_beyond_what_is_known_are_kept(example: Example) -> None:
    reviewed = _edit(example("street"), "retime plate-0001 300-380")
    after = combine(reviewed, example("street")).manifest
    rest = diff.items_by_id(after)["plate-0002"]
    assert isinstance(rest, Track)
    assert [(s.keys[0].frame, s.end) for s in rest.segments] == [(360, 420)]
    assert not diff.reveals(diff.compare(example("street"), after))


def test_the_sound_beyond_what_is_known_is_kept(example: Example) -> None:
    reviewed = _edit(example("street"), "retime phone-number-0001 31.5s-33s")
    after = combine(reviewed, example("street")).manifest
    assert [(r.start_ms, r.end_ms) for r in after.audio[2:]] == [(31050, 31500), (33000, 33400)]


BOXES = st.tuples(st.integers(0, 200), st.integers(0, 200), st.integers(10, 80), st.integers(10, 80))


@given(st.lists(st.tuples(st.integers(0, 49), BOXES), min_size=1, max_size=5, unique_by=lambda k: k[0]), BOXES)
def test_every_new_box_is_covered_by_half_or_kept_whole(
    keys: list[tuple[int, tuple[int, int, int, int]]], old: tuple[int, int, int, int]
) -> None:
    known = Track.model_validate(
        {"id": "face-0001", "stream": 0, "label": "face", "review": "accepted", "origin": {"by": "hand"},
         "segments": [{"end": 30, "keys": [{"frame": 10, "box": old}]}]}
    )  # fmt: skip
    segment = Segment(end=50, keys=tuple(Key(frame=f, box=b) for f, b in sorted(keys)))
    new = known.model_copy(update={"segments": (segment,), "review": "proposed"})
    base = _manifest(known)
    after = combine(base, _manifest(new)).manifest
    unknown = timeline.from_manifest(base)[0].assumed()
    kept = dict(pair for t in after.tracks[1:] for pair in segments.walk(t.segments, unknown))
    for frame, (x, y, w, h) in segments.walk(new.segments, unknown):
        width = min(x + w, old[0] + old[2]) - max(x, old[0])
        height = min(y + h, old[1] + old[3]) - max(y, old[1])
        shared = max(0, width) * max(0, height) if 10 <= frame < 30 else 0
        assert kept.get(frame) == (x, y, w, h) or 2 * shared >= w * h


def _manifest(track: Track) -> Manifest:
    tree = {
        "schema": "veridact.manifest/1",
        "source": {"kind": "video", "sha256": "0" * 64, "bytes": 1, "streams": [
            {"index": 0, "type": "video", "codec": "h264", "width": 320, "height": 240, "coded_width": 320,
             "coded_height": 240, "orientation": 1, "time_base": [1, 1000], "frames": 50, "pts_sha256": "0" * 64}]},
        "producers": [],
        "output": {"container": "mp4", "profile": "h264", "streams": [{"index": 0, "disposition": "render"}]},
        "scope": "listed",
        "effects": {"video": {"default": {"effect": "solid", "shape": "box", "pad_permille": 0}}},
        "tracks": [track.model_dump(mode="json", exclude_unset=True)], "audio": [], "ext": {},
    }  # fmt: skip
    return reader.validate(tree)


def test_producers_of_the_new_search_keep_apart_from_the_old(example: Example) -> None:
    reviewed = example("street")
    other = reviewed.producers[0].model_copy(update={"version": "9"})
    found = _edit(reviewed, "retime face-0001 110-").model_copy(update={"producers": (other, *reviewed.producers[1:])})
    after = combine(reviewed, found).manifest
    assert [p.id for p in after.producers] == ["p1", "p2", "p3", "p1-2"]
    assert after.tracks[-1].origin.by == "p1-2"


def test_manifests_that_do_not_belong_together_are_refused(example: Example) -> None:
    with pytest.raises(BindingError):
        combine(example("street"), example("minimal"))
    with pytest.raises(UsageError, match="differ in scope"):
        combine(example("street"), _edit(example("street"), "scope everything"))


OLD = b"""{"schema": "veridact.manifest/0", "source": %s, "output": %s, "effects": %s, "tracks": [
  {"id": "face-0001", "stream": 0, "label": "face", "status": "removed", "score": 300, "end": 9,
   "keys": {"3": [1, 2, 3, 4]}},
  {"id": "face-0002", "stream": 0, "label": "face", "status": "open", "score": null, "end": 50,
   "keys": {"10": [1, 2, 3, 4], "9": [5, 6, 7, 8]}}]}"""


def _old(document: Callable[[str], dict[str, object]]) -> bytes:
    tree = document("minimal")
    return OLD % tuple(json.dumps(tree[name]).encode() for name in ("source", "output", "effects"))


def test_an_older_major_is_upgraded_step_by_step(document: Callable[[str], dict[str, object]]) -> None:
    found = upgrade.upgrade(_old(document))
    assert [(t.review, t.origin.by, t.origin.score) for t in found.tracks] == [
        ("rejected", "p0", 300),
        ("proposed", "hand", None),
    ]
    assert [k.frame for k in found.tracks[1].segments[0].keys] == [9, 10]


def test_today_s_major_stays_as_it_is(manifests: object, example: Example) -> None:
    assert upgrade.upgrade(writer.write(example("street"))) == example("street")


NOT_UPGRADED = {
    "an unknown field": (b'"tracks": [', b'"people": 3, "tracks": ['),
    "an unknown field of a track": (b'"status": "open"', b'"status": "open", "who": 1'),
    "an unknown status": (b'"open"', b'"maybe"'),
    "a missing field": (b'"end": 50,', b""),
    "a float": (b"[1, 2, 3, 4]", b"[1.5, 2, 3, 4]"),
    "no version": (b"veridact.manifest/0", b"veridact"),
    "a frame that is none": (b'"9": [', b'"nine": ['),
}


@pytest.mark.parametrize("case", NOT_UPGRADED)
def test_an_older_manifest_is_read_as_strictly(case: str, document: Callable[[str], dict[str, object]]) -> None:
    raw = _old(document)
    assert NOT_UPGRADED[case][0] in raw
    with pytest.raises(ManifestError):
        upgrade.upgrade(raw.replace(*NOT_UPGRADED[case]))


def test_a_later_major_is_refused() -> None:
    with pytest.raises(UsageError, match="later version"):
        upgrade.upgrade(b'{"schema": "veridact.manifest/2"}')
