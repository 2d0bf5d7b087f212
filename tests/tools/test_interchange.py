"""Round trips through the formats of other tools, what each cannot hold, and the off-by-one traps by name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from veridact.errors import BindingError, UsageError
from veridact.media import timeline
from veridact.schema.geometry import Box
from veridact.schema.manifest import Manifest, Track
from veridact.schema.plan import segments
from veridact.schema.timeline import from_manifest
from veridact.tools.formats import cvat, cvat_xml, mot, redaction_log, registry

Clip = Callable[[str], Path]
Make = Callable[[Path, list[dict[str, Any]], list[dict[str, Any]]], Manifest]


def _track(number: int, segments: list[tuple[int, dict[int, Box]]], **fields: Any) -> dict[str, Any]:
    parts = [{"end": end, "keys": [{"frame": f, "box": b} for f, b in keys.items()]} for end, keys in segments]
    return {
        "id": f"face-{number:04d}", "stream": 0, "label": "face", "review": "proposed", "origin": {"by": "p1"},
        "segments": parts, **fields,
    }  # fmt: skip


TRACKS = [
    _track(
        1, [(20, {3: (10, 10, 20, 20), 12: (31, 17, 22, 20)})], review="accepted", reviewer="r1", reason="<s40> & more"
    ),
    _track(2, [(8, {0: (1, 2, 3, 4)}), (25, {12: (5, 5, 9, 9), 24: (60, 40, 10, 11)})], note='a "note"\nin two lines'),
    _track(3, [(10, {5: (-4, -3, 20, 20)}), (30, {10: (40, 3, 20, 20)})], origin={"by": "p1", "score": 512}),
    _track(4, [(29, {28: (2, 2, 5, 5)})], review="rejected"),
]
CLIPS = ("steady", "variable")


def _boxes(manifest: Manifest, path: Path) -> list[dict[int, Box]]:
    clocks = timeline.from_media(manifest, path)
    return [dict(segments.walk(t.segments, clocks[t.stream])) for t in manifest.tracks]


def _record(track: Track) -> tuple[Any, ...]:
    return (track.id, track.label, track.review, track.reviewer, track.reason, track.note, track.origin.score)


@pytest.mark.parametrize("name", CLIPS)
def test_cvat_round_trip_keeps_every_box_and_the_record(name: str, clip: Clip, manifest_for: Make) -> None:
    path = clip(name)
    before = manifest_for(path, TRACKS, [])
    exported = registry.export(before, "cvat", path)
    after, lost = registry.import_file(path, exported.data, "cvat", "custom")
    assert _boxes(after, path) == _boxes(before, path)
    assert [_record(t) for t in after.tracks] == [_record(t) for t in before.tracks]
    assert lost == []


@pytest.mark.parametrize("name", CLIPS)
def test_mot_round_trip_keeps_every_box_that_is_not_rejected(name: str, clip: Clip, manifest_for: Make) -> None:
    path = clip(name)
    before = manifest_for(path, TRACKS, [])
    exported = registry.export(before, "mot", path)
    after, _ = registry.import_file(path, exported.data, "mot", "face")
    assert _boxes(after, path) == _boxes(before, path)[:3]
    assert "rejected items: face-0004" in exported.lost
    assert "labels" in exported.lost


def test_an_imported_track_has_as_few_keys_as_it_had(clip: Clip, manifest_for: Make) -> None:
    before = manifest_for(clip("steady"), TRACKS[:2], [])
    exported = registry.export(before, "mot", None)
    after, _ = registry.import_file(clip("steady"), exported.data, "mot", "face")
    assert [t.segments for t in after.tracks] == [t.segments for t in before.tracks]


def test_coco_round_trip_in_the_picture_as_displayed(still: Path, manifest_for: Make) -> None:
    items = [
        _track(1, [(1, {0: (3, 4, 10, 20)})], review="accepted", reviewer="r1"),
        _track(2, [(1, {0: (-2, 0, 9, 9)})], review="rejected", origin={"by": "p1", "score": 3}),
    ]
    before = manifest_for(still, items, [])
    exported = registry.export(before, "coco", None)
    assert json.loads(exported.data)["images"][0] == {
        "id": 1, "file_name": "picture.jpeg", "width": 40, "height": 60,
    }  # fmt: skip
    after, _ = registry.import_file(still, exported.data, "coco", "custom")
    assert [(_record(t), t.segments) for t in after.tracks] == [(_record(t), t.segments) for t in before.tracks]


def test_coco_boxes_in_the_stored_picture_are_turned(still: Path) -> None:
    """Stored 60x40, displayed turned by 90 degrees clockwise: the stored top left corner is the displayed top right."""
    tree = {
        "images": [{"id": 7, "file_name": "x.jpg", "width": 60, "height": 40}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 1, "bbox": [0.5, 0.25, 10, 5]}],
        "categories": [{"id": 1, "name": "face"}],
    }
    after, _ = registry.import_file(still, json.dumps(tree).encode(), "coco", "custom")
    assert after.tracks[0].segments[0].keys[0].box == (34, 0, 6, 11)


RANGES = [
    {"id": "person-name-0001", "stream": None, "label": "person_name", "review": "accepted", "origin": {"by": "p1"},
     "start_ms": 120, "end_ms": 731},
    {"id": "custom-0001", "stream": None, "label": "custom", "review": "added", "origin": {"by": "p1"},
     "start_ms": 900, "end_ms": 1001},
]  # fmt: skip


def test_audacity_round_trip_to_the_millisecond(clip: Clip, manifest_for: Make) -> None:
    path = clip("sounding")
    before = manifest_for(path, [], RANGES)
    exported = registry.export(before, "audacity", path)
    assert exported.data.splitlines()[0] == b"0.120000\t0.731000\tperson_name (person-name-0001, accepted)"
    after, lost = registry.import_file(path, exported.data, "audacity", "custom")
    assert after.audio == before.audio
    assert lost == []


def test_trap_mot_begins_at_1(clip: Clip, manifest_for: Make) -> None:
    manifest = manifest_for(clip("steady"), [_track(1, [(2, {0: (0, 0, 5, 6)})])], [])
    lines = registry.export(manifest, "mot", None).data.decode().splitlines()
    assert lines == ["1,1,1,1,5,6,1,-1,-1,-1", "2,1,1,1,5,6,1,-1,-1,-1"]
    after, _ = registry.import_file(clip("steady"), b"50,9,1,1,5,6,1,-1,-1,-1\n", "mot", "face")
    assert (after.tracks[0].segments[0].keys[0].frame, after.tracks[0].segments[0].end) == (49, 50)
    for frame in (b"0", b"51"):
        with pytest.raises(UsageError, match="not one of 1 to 50"):
            registry.import_file(clip("steady"), frame + b",9,1,1,5,6,1,-1,-1,-1\n", "mot", "face")


def _cvat(boxes: str, meta: str = "") -> bytes:
    return (
        f"<annotations><version>1.1</version><meta><task>{meta}</task></meta>"
        f'<track id="4" label="face">{boxes}</track></annotations>'
    ).encode()


def _cvat_box(
    frame: int, outside: int = 0, corners: tuple[str, str, str, str] = ("1", "2", "11", "22"), more: str = ""
) -> str:
    left, top, right, bottom = corners
    return (
        f'<box frame="{frame}" outside="{outside}" keyframe="1" occluded="0" '
        f'xtl="{left}" ytl="{top}" xbr="{right}" ybr="{bottom}" {more}/>'
    )


def _ends(raw: bytes, path: Path) -> list[tuple[int, int]]:
    manifest, _ = registry.import_file(path, raw, "cvat", "custom")
    return [(s.keys[0].frame, s.end) for t in manifest.tracks for s in t.segments]


def test_trap_the_last_cvat_key_goes_on_to_the_end_of_the_task(clip: Clip) -> None:
    assert _ends(_cvat(_cvat_box(5) + _cvat_box(9)), clip("steady")) == [(5, 50)]


def test_trap_a_cvat_key_outside_is_the_first_frame_without_a_box(clip: Clip, manifest_for: Make) -> None:
    assert _ends(_cvat(_cvat_box(5) + _cvat_box(9, 1) + _cvat_box(20) + _cvat_box(21, 1)), clip("steady")) == [
        (5, 9),
        (20, 21),
    ]
    manifest = manifest_for(clip("steady"), [_track(1, [(9, {5: (1, 2, 3, 4)})])], [])
    text = registry.export(manifest, "cvat", None).data.decode()
    assert '<box frame="9" keyframe="1" outside="1"' in text


def test_trap_a_cvat_track_to_the_last_frame_has_no_key_after_it(clip: Clip, manifest_for: Make) -> None:
    manifest = manifest_for(clip("steady"), [_track(1, [(50, {5: (1, 2, 3, 4)})])], [])
    text = registry.export(manifest, "cvat", None).data.decode()
    assert 'outside="1"' not in text
    assert 'frame="50"' not in text


def test_trap_cvat_corners_are_exclusive_and_fractions_grow_outward(clip: Clip) -> None:
    raw = _cvat(_cvat_box(0, corners=("1.50", "2.00", "11.00", "22.01")))
    manifest, _ = registry.import_file(clip("steady"), raw, "cvat", "custom")
    assert manifest.tracks[0].segments[0].keys[0].box == (1, 2, 10, 21)


def test_a_cvat_file_that_writes_every_frame_is_read_as_its_keys(clip: Clip) -> None:
    """CVAT itself writes the frames between keys too, with keyframe="0" and two decimals."""
    key = _cvat_box(0, corners=("10.00", "10.00", "20.00", "20.00"))
    other = _cvat_box(3, corners=("11.00", "10.00", "21.00", "20.00"))
    between = "".join(
        _cvat_box(n, corners=(f"10.{at}", "10.00", f"20.{at}", "20.00")).replace('keyframe="1"', 'keyframe="0"')
        for n, at in ((1, 33), (2, 67))
    )
    raw = _cvat(key + between + other + _cvat_box(4, 1, corners=("11.00", "10.00", "21.00", "20.00")))
    manifest, _ = registry.import_file(clip("steady"), raw, "cvat", "custom")
    assert [(k.frame, k.box) for k in manifest.tracks[0].segments[0].keys] == [
        (0, (10, 10, 10, 10)),
        (3, (11, 10, 10, 10)),
    ]


def test_a_box_between_keys_that_cvat_moved_elsewhere_is_covered_too(clip: Clip) -> None:
    stray = _cvat_box(1, corners=("50", "2", "60", "22")).replace('keyframe="1"', 'keyframe="0"')
    manifest, _ = registry.import_file(clip("steady"), _cvat(_cvat_box(0) + stray + _cvat_box(2)), "cvat", "custom")
    assert dict(segments.walk(manifest.tracks[0].segments, from_manifest(manifest)[0]))[1] == (1, 2, 59, 20)


def test_up_to_a_cvat_key_outside_both_readings_are_covered(clip: Clip) -> None:
    raw = _cvat(_cvat_box(0) + _cvat_box(10, 1, corners=("21", "2", "31", "22")))
    manifest, _ = registry.import_file(clip("steady"), raw, "cvat", "custom")
    boxes = dict(segments.walk(manifest.tracks[0].segments, from_manifest(manifest)[0]))
    assert (boxes[0], boxes[5], max(boxes)) == ((1, 2, 10, 20), (1, 2, 20, 20), 9)


def test_trap_audacity_counts_from_the_first_sample_of_the_sound(clip: Clip, manifest_for: Make) -> None:
    from veridact.tools.formats import audacity

    manifest = manifest_for(clip("sounding"), [], RANGES[:1])
    assert audacity.write(manifest, 100).data.startswith(b"0.020000\t0.631000\t")
    assert audacity.read(b"0.02\t0.631\tperson_name\n", 100, frozenset({1})).ranges[0]["start_ms"] == 120


NOT_CVAT = {
    "a document type": (b'<!DOCTYPE a [<!ENTITY b "c">]><annotations/>', "document type"),
    "an outside document type": (b'<!DOCTYPE a SYSTEM "http://example.org/a.dtd"><annotations/>', "document type"),
    "no XML": (b"{}", "not XML"),
    "other XML": (b"<html/>", "does not begin with <annotations>"),
    "CVAT for images": (b'<annotations><image id="0"/></annotations>', "CVAT for images"),
    "too deep": (b"<annotations>" + b"<a>" * 30, "nested too deep"),
    "a box of no numbers": (_cvat('<box frame="0" xtl="a" ytl="0" xbr="1" ybr="1"/>'), "is not a number"),
    "a frame after the end": (_cvat(_cvat_box(50)), "not one of 0 to 49"),
    "a frame twice": (_cvat(_cvat_box(5) + _cvat_box(5)), "occurs twice"),
    "a box without extent": (_cvat(_cvat_box(5, corners=("5", "5", "5", "9"))), "without extent"),
    "left out frames": (_cvat("", "<frame_filter>step=2</frame_filter>"), "leaves out frames"),
}


@pytest.mark.parametrize("case", NOT_CVAT)
def test_what_is_no_cvat_file_is_refused(case: str, clip: Clip) -> None:
    raw, reason = NOT_CVAT[case]
    with pytest.raises(UsageError, match=reason):
        registry.import_file(clip("steady"), raw, "cvat", "custom")


OTHER_TASKS = ("<size>49</size>", "<start_frame>1</start_frame>", "<original_size><width>97</width></original_size>")


@pytest.mark.parametrize("meta", OTHER_TASKS)
def test_a_cvat_task_of_another_clip_is_refused(meta: str, clip: Clip) -> None:
    with pytest.raises(BindingError):
        registry.import_file(clip("steady"), _cvat("", meta), "cvat", "custom")


LOST_OF_CVAT = {
    "a rotated box": (_cvat_box(3, more='rotation="90"'), "rotated boxes", (0, 6, 12, 12)),
    "a polygon": (
        '<polygon frame="3" outside="0" points="1.5,2;9,3;4,8.5"/>',
        "polygon; its bounding box",
        (1, 2, 8, 7),
    ),
    "an ellipse": (
        '<ellipse frame="3" outside="0" cx="10" cy="12" rx="5" ry="4"/>',
        "ellipse; its bounding box",
        (4, 7, 12, 10),
    ),
    "an occluded box": (_cvat_box(3).replace('occluded="0"', 'occluded="1"'), "occlusion", (1, 2, 10, 20)),
    "an attribute": (
        _cvat_box(3).replace("/>", '><attribute name="team">home</attribute></box>'),
        "'team'",
        (1, 2, 10, 20),
    ),
    "a mask": ('<mask frame="3" outside="0" rle="1, 2"/>', "mask; not imported", None),
}


@pytest.mark.parametrize("case", LOST_OF_CVAT)
def test_what_is_not_imported_from_cvat_is_reported(case: str) -> None:
    shape, remark, box = LOST_OF_CVAT[case]
    task = cvat_xml.parse(_cvat(shape))
    assert any(remark in line for line in task.lost)
    assert (len(task.tracks[0].boxes) == 1) == (box is not None)


def test_a_label_that_is_not_ours_becomes_custom_and_that_is_reported(clip: Clip) -> None:
    raw = _cvat(_cvat_box(0)).replace(b'label="face"', b'label="Gesicht"')
    manifest, lost = registry.import_file(clip("steady"), raw, "cvat", "custom")
    assert (manifest.tracks[0].label, lost) == ("custom", ["label 'Gesicht' becomes custom"])


def test_a_keep_cannot_come_in_from_outside(clip: Clip) -> None:
    raw = _cvat(_cvat_box(0)).replace(b'label="face"', b'label="keep"')
    manifest, _ = registry.import_file(clip("steady"), raw, "cvat", "custom")
    assert manifest.tracks[0].label == "custom"


def test_what_a_format_cannot_hold_is_listed(example: Callable[[str], Manifest]) -> None:
    street = example("street")
    assert "2 ranges of sound" in registry.export(street, "cvat", None).lost
    assert "effects of single items" in registry.export(street, "mot", None).lost
    assert "4 tracks of the picture" in registry.export(street, "audacity", None).lost
    assert registry.export(street, "log-csv", None).lost == []


WRONG_FORMATS = {
    "coco of a video": ("street", "coco"),
    "cvat of a call": ("phone-call", "cvat"),
    "mot of a call": ("phone-call", "mot"),
}


@pytest.mark.parametrize("case", WRONG_FORMATS)
def test_a_format_for_another_medium_is_refused(case: str, example: Callable[[str], Manifest]) -> None:
    name, form = WRONG_FORMATS[case]
    with pytest.raises(UsageError):
        registry.export(example(name), form, None)


NOT_LABELS = {
    "no times": (b"hello\n", "write start, end and text"),
    "a comma": (b"0,5\t1\tdate\n", "write start, end and text"),
}


@pytest.mark.parametrize("case", NOT_LABELS)
def test_what_is_no_label_file_is_refused(case: str, clip: Clip) -> None:
    raw, reason = NOT_LABELS[case]
    with pytest.raises(UsageError, match=reason):
        registry.import_file(clip("sounding"), raw, "audacity", "custom")


def test_points_and_frequencies_in_a_label_file_are_reported(clip: Clip) -> None:
    raw = b"0.5\t0.5\tdate\n0.1\t0.2\tdate\n\\\t100\t200\n"
    manifest, lost = registry.import_file(clip("sounding"), raw, "audacity", "custom")
    assert len(manifest.audio) == 1
    assert len(lost) == 2


NOT_COCO = (b"[]", b"{}", b"not json", b'{"images": [], "categories": [], "annotations": []}', b"[" * 100_000)


@pytest.mark.parametrize("raw", NOT_COCO)
def test_what_is_no_coco_file_is_refused(raw: bytes, still: Path) -> None:
    with pytest.raises((UsageError, BindingError)):
        registry.import_file(still, raw, "coco", "custom")


def test_mot_and_cvat_agree_about_the_boxes(example: Callable[[str], Manifest]) -> None:
    street = example("street")
    stream = street.source.streams[0]
    assert stream.type == "video"
    clocks = from_manifest(street)
    by_mot = mot.read(mot.write(street, clocks).data, stream, "face")
    by_cvat = cvat.read(cvat.write(street, clocks).data, stream)
    live = [t["boxes"] for t in by_cvat.tracks if t["review"] != "rejected"]
    assert [t["boxes"] for t in by_mot.tracks] == live


def test_the_log_lists_what_is_covered_and_nothing_about_what_was_there(
    example: Callable[[str], Manifest], snapshot: Any
) -> None:
    text = redaction_log.as_csv(example("street"), from_manifest(example("street"))).decode()
    assert "face-0002" not in text
    assert "asked to be left out" not in text
    assert text == snapshot


def test_the_log_of_everything_but_one_person(example: Callable[[str], Manifest]) -> None:
    manifest = example("everything-but-one-person")
    lines = redaction_log.rows(manifest, from_manifest(manifest))
    assert lines[0][2:6] == ("all", "picture and sound", "everything", "hidden")
    assert [line[5] for line in lines[1:]] == ["kept", "kept", "solid"]


def test_a_reason_is_no_formula_and_no_markup(document: Callable[[str], dict[str, Any]]) -> None:
    from veridact.schema import reader

    tree = document("minimal")
    tree["tracks"][0]["reason"] = "=HYPERLINK(1)<script>"
    manifest = reader.validate(tree)
    clocks = from_manifest(manifest)
    assert b"'=HYPERLINK(1)" in redaction_log.as_csv(manifest, clocks)
    assert b"<script>" not in redaction_log.as_html(manifest, clocks)
