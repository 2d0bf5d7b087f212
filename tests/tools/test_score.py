"""`score`: counts worked out by hand on small manifests, and truth in each form that it may have."""

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from veridact.cli.score import score_command
from veridact.errors import BindingError, ManifestError, UsageError
from veridact.schema import timeline, writer
from veridact.schema.geometry import Box, Edges, box_of
from veridact.schema.manifest import Manifest, OutputStream, Review, Solid
from veridact.schema.plan.video import Cover, FramePlan, Raster
from veridact.schema.timeline import pts_sha256
from veridact.tools import ground_truth as truth
from veridact.tools import score
from veridact.tools.formats import cvat, mot

FRAMES = 10


def manifest(
    *tracks: tuple[str, list[tuple[int, int, tuple[int, int, int, int]]]],
    pad: int = 0,
    sha: str = "a",
    pts: Sequence[int] = range(FRAMES),
) -> Manifest:
    """Tracks of one label as (id, [(first, end, box), ...]) in a clip of ten frames of 40 ms, 200×100."""
    items: list[dict[str, Any]] = [
        {
            "id": name, "stream": 0, "label": name.split("-")[0], "review": "added", "origin": {"by": "hand"},
            "segments": [{"end": end, "keys": [{"frame": first, "box": list(box)}]} for first, end, box in segments],
        }
        for name, segments in tracks
    ]  # fmt: skip
    stream = {
        "index": 0, "type": "video", "codec": "h264", "width": 200, "height": 100, "coded_width": 200,
        "coded_height": 100, "orientation": 1, "time_base": [1, 25], "frames": FRAMES,
        "pts_sha256": pts_sha256(pts),
    }  # fmt: skip

    return Manifest.model_validate_json(
        json.dumps({
            "schema": "veridact.manifest/1",
            "source": {"kind": "video", "sha256": sha * 64, "bytes": 9, "streams": [stream]},
            "producers": [], "scope": "listed",
            "output": {"container": "mp4", "profile": "h264", "streams": [{"index": 0, "disposition": "render"}]},
            "effects": {"video": {"default": {"effect": "solid", "shape": "box", "pad_permille": pad}}},
            "tracks": items, "audio": [], "ext": {},
        })
    )  # fmt: skip


def scored(found: Manifest, truth: Manifest, **options: Any) -> score.Tally:
    return score.score(found, truth, timeline.from_manifest(truth), **options)["face"]


BOX = (10, 10, 20, 20)
TRUTH = manifest(("face-0001", [(0, 10, BOX)]))


def test_a_manifest_is_perfect_against_itself() -> None:
    tally = scored(TRUTH, TRUTH)
    ratios = tally.ratios()
    assert (tally.true_boxes, tally.found_boxes, tally.matched, tally.exposed) == (10, 10, 10, 0)
    assert (ratios["f1"], ratios["mean_iou"], ratios["coverage"], ratios["exposed_seconds_per_hour"]) == (1, 1, 1, 0)


@pytest.mark.parametrize(
    ("name", "found", "expected"),
    [
        ("nothing found", manifest(), {"matched": 0, "exposed": 10, "found_boxes": 0}),
        ("half the frames", manifest(("face-0001", [(0, 5, BOX)])), {"matched": 5, "exposed": 5, "interruptions": 0}),
        ("a hole", manifest(("face-0001", [(0, 4, BOX), (6, 10, BOX)])), {"exposed": 2, "interruptions": 1}),
        ("two ids", manifest(("face-0001", [(0, 5, BOX)]), ("face-0002", [(5, 10, BOX)])),
         {"switches": 1, "exposed": 0}),
        ("elsewhere", manifest(("face-0001", [(0, 10, (100, 10, 20, 20))])), {"found_boxes": 10, "matched": 0}),
        ("most of it", manifest(("face-0001", [(0, 10, (12, 10, 20, 20))])), {"matched": 10, "exposed": 0}),
        ("too little of it", manifest(("face-0001", [(0, 10, (13, 10, 20, 20))])), {"matched": 10, "exposed": 10}),
        ("padded, it is enough", manifest(("face-0001", [(0, 10, (13, 10, 20, 20))]), pad=150), {"exposed": 0}),
        ("under another label", manifest(("plate-0001", [(0, 10, BOX)])), {"matched": 0, "exposed": 0}),
        ("twice over", manifest(("face-0001", [(0, 10, BOX)]), ("face-0002", [(0, 10, BOX)])),
         {"matched": 10, "found_boxes": 20}),
    ],
)  # fmt: skip
def test_counts(name: str, found: Manifest, expected: dict[str, int]) -> None:
    tally = scored(found, TRUTH)
    assert {k: getattr(tally, k) for k in expected} == expected


def test_exposed_time_is_reported_per_hour() -> None:
    tally = scored(manifest(("face-0001", [(0, 5, BOX)])), TRUTH)
    assert tally.ratios()["exposed_seconds_per_hour"] == 1800


def test_where_nothing_true_was_found_f1_is_zero() -> None:
    assert scored(manifest(), TRUTH).ratios()["f1"] == 0
    assert scored(manifest(("face-0001", [(0, 10, (100, 10, 20, 20))])), TRUTH).ratios()["f1"] == 0


CORNER = manifest(("face-0001", [(0, 10, (42, 40, 5, 5))]))
BESIDE = manifest(("plate-0001", [(0, 10, (20, 10, 50, 30))]))


@pytest.mark.parametrize(
    ("shape", "exposed"), [("box", 10), ("ellipse", 0)], ids=["a box ends at its edge", "an ellipse goes around it"]
)
def test_an_ellipse_hides_what_render_paints(shape: Any, exposed: int) -> None:
    """The ellipse around a box 50 wide and 30 high reaches six pixels below its middle."""
    effect = Solid(effect="solid", shape=shape, pad_permille=0)
    found = BESIDE.model_copy(update={"tracks": (BESIDE.tracks[0].model_copy(update={"effect": effect}),)})
    assert scored(found, CORNER).exposed == exposed


def kept(review: Review, box: Box) -> Manifest:
    """All is hidden but, where a person said so, a box."""
    track = TRUTH.tracks[0].model_copy(update={"id": "keep-0001", "label": "keep", "review": review})
    key = track.segments[0].keys[0].model_copy(update={"box": box})
    segment = track.segments[0].model_copy(update={"keys": (key,)})
    found = track.model_copy(update={"segments": (segment,)})
    return TRUTH.model_copy(update={"scope": "everything", "tracks": (found,)})


def both(one: Manifest, other: Manifest) -> Manifest:
    return one.model_copy(update={"tracks": (*one.tracks, *other.tracks)})


@pytest.mark.parametrize(
    ("name", "found", "coverage"),
    [
        ("nothing is kept", manifest().model_copy(update={"scope": "everything"}), 1),
        ("half the face is kept", kept("added", (10, 10, 10, 20)), 0.5),
        ("nobody has accepted what is kept", kept("proposed", (10, 10, 10, 20)), 1),
        ("a cover wins over what is kept", both(kept("added", BOX), manifest(("plate-0001", [(0, 10, BOX)]))), 1),
        ("what is covered alone by padding from beyond the edge",
         manifest(("plate-0001", [(0, 10, (-20, 10, 20, 20))]), pad=1000), 0.5),
    ],
)  # fmt: skip
def test_what_is_hidden_is_what_render_hides(name: str, found: Manifest, coverage: float) -> None:
    tally = scored(found, TRUTH)
    assert (tally.ratios()["coverage"], tally.found_boxes) == (coverage, 0)


def test_nothing_is_exposed_in_a_stream_that_is_dropped() -> None:
    true = two_streams(TRUTH)
    streams = (OutputStream(index=0, disposition="drop"), OutputStream(index=1, disposition="render"))
    found = true.model_copy(update={"tracks": (), "output": true.output.model_copy(update={"streams": streams})})
    tally = scored(found, true)
    assert (tally.exposed, tally.ratios()["recall"]) == (0, 0)


def test_rejected_items_hide_nothing() -> None:
    rejected = TRUTH.model_copy(update={"tracks": (TRUTH.tracks[0].model_copy(update={"review": "rejected"}),)})
    assert scored(rejected, TRUTH).exposed == 10


def test_ignored_boxes_count_neither_way() -> None:
    both = manifest(("face-0001", [(0, 10, BOX)]), ("face-0002", [(0, 10, (100, 10, 20, 20))]))
    aside = manifest(("face-0001", [(0, 10, (102, 10, 20, 20))]))
    assert scored(both, TRUTH, ignored=aside).found_boxes == 10


def two_streams(one: Manifest) -> Manifest:
    """The same with a second camera."""
    first = one.source.streams[0]
    both = one.source.model_copy(update={"streams": (first, first.model_copy(update={"index": 1}))})
    return one.model_copy(update={"source": both})


def test_another_file_is_refused() -> None:
    with pytest.raises(BindingError, match="not of the same file"):
        scored(manifest(sha="b"), TRUTH)


@pytest.mark.parametrize(
    ("name", "truth"),
    [("other times", manifest(pts=range(0, 20, 2))), ("a stream that is not there", two_streams(TRUTH))],
)
def test_a_truth_of_other_streams_is_refused(name: str, truth: Manifest) -> None:
    with pytest.raises(BindingError, match="disagree about the size or the frames of stream"):
        score.score(TRUTH, truth, timeline.from_manifest(TRUTH))


@pytest.mark.parametrize(
    ("covers", "part"),
    [
        (None, 1.0),  # a stream that is dropped
        ([], 0.0),
        ([Edges(0, 0, 10, 10)], 1.0),
        ([Edges(0, 0, 5, 10)], 0.5),
        ([Edges(-50, -50, 5, 50), Edges(3, -50, 7, 50)], 0.7),
        ([Edges(10, 0, 20, 10)], 0.0),
    ],
)
def test_covered_part(covers: list[Edges] | None, part: float) -> None:
    raster, black = Raster(200, 100, 1, 1, 1), Solid(effect="solid", shape="box", pad_permille=0)
    covered = None if covers is None else FramePlan(tuple(Cover(0, black, box_of(e), (1, 1), raster) for e in covers))
    assert score.covered_part(Edges(0, 0, 10, 10), covered) == pytest.approx(part)


THREE = manifest(
    ("face-0001", [(0, 10, (10, 10, 20, 20))]),
    ("face-0002", [(0, 10, (100, 10, 20, 20))]),
    ("plate-0001", [(0, 4, (50, 60, 40, 10))]),
)
FOUND = manifest(
    ("face-0001", [(0, 3, (10, 10, 20, 20)), (5, 10, (10, 10, 20, 20))]),  # two frames exposed
    ("face-0002", [(0, 6, (105, 10, 20, 20))]),  # overlap 15/25, three quarters covered
    ("face-0003", [(6, 10, (100, 10, 20, 20))]),  # another id for the same face
    ("face-0004", [(0, 5, (150, 60, 20, 20))]),  # nothing there
)
EXPECTED = {
    "true_boxes": 20, "found_boxes": 23, "matched": 18, "exposed": 8, "true_tracks": 2, "interruptions": 1,
    "switches": 1, "precision": 18 / 23, "recall": 18 / 20, "f1": 2 * 18 / (23 + 20),
    "mean_iou": (12 + 6 * 15 / 25) / 18, "coverage": (12 + 6 * 0.75) / 20, "exposed_part": 8 / 20,
    "interruptions_per_track": 0.5, "exposed_seconds": 6 / 25, "seconds": 10 / 25, "exposed_seconds_per_hour": 2160.0,
}  # fmt: skip


def test_every_measure_as_worked_out_by_hand() -> None:
    tallies = score.score(FOUND, THREE, timeline.from_manifest(THREE))
    found = tallies["face"].document()
    assert {k: found[k] for k in EXPECTED} == pytest.approx(EXPECTED)
    plate = tallies["plate"].document()
    assert (plate["recall"], plate["precision"], plate["coverage"], plate["exposed"]) == (0, None, 0, 4)
    assert plate["exposed_seconds_per_hour"] == pytest.approx(4 / 10 * 3600)


@pytest.mark.parametrize(("percent", "matched"), [(50, 18), (60, 18), (61, 12)])
def test_the_overlap_that_counts_is_chosen(percent: int, matched: int) -> None:
    assert scored(FOUND, THREE, least_iou=percent / 100).matched == matched


MOT = "".join(f"{n + 1},1,11,11,20,20,1,-1,-1,-1\n{n + 1},2,101,11,20,20,1,-1,-1,-1\n" for n in range(FRAMES))
CVAT = """<?xml version="1.0"?><annotations><meta><task><size>10</size></task></meta>
<track id="0" label="face"><box frame="0" keyframe="1" outside="0" xtl="10" ytl="10" xbr="30" ybr="30"/></track>
<track id="1" label="face"><box frame="0" keyframe="1" outside="0" xtl="100" ytl="10" xbr="120" ybr="30"/></track>
<track id="2" label="plate"><box frame="0" keyframe="1" outside="0" xtl="50" ytl="60" xbr="90" ybr="70"/>
<box frame="4" keyframe="1" outside="1" xtl="50" ytl="60" xbr="90" ybr="70"/></track></annotations>"""
TIMES = timeline.from_manifest(THREE)


@pytest.mark.parametrize(
    ("name", "raw", "labels"),
    [
        ("a manifest", writer.write(THREE), {"face", "plate"}),
        ("CVAT", CVAT.encode(), {"face", "plate"}),
        ("CVAT behind a mark", b"\xef\xbb\xbf" + CVAT.encode(), {"face", "plate"}),
        ("CVAT as exported", cvat.write(THREE, TIMES).data, {"face", "plate"}),
        ("MOT", MOT.encode(), {"face"}),
        ("MOT behind a mark", b"\xef\xbb\xbf" + MOT.encode(), {"face"}),
        ("MOT as exported", mot.write(manifest(("face-0001", [(0, 10, (10, 10, 20, 20))]),
                                               ("face-0002", [(0, 10, (100, 10, 20, 20))])), TIMES).data, {"face"}),
    ],
)  # fmt: skip
def test_truth_may_come_in_three_forms(name: str, raw: bytes, labels: set[str]) -> None:
    true, _ = truth.read(raw, FOUND, TIMES, None)
    tallies = score.score(FOUND, true, TIMES)
    assert set(tallies) == labels
    found = tallies["face"].document()
    assert {k: found[k] for k in EXPECTED} == pytest.approx(EXPECTED)


def test_streams_that_the_truth_does_not_annotate_do_not_count() -> None:
    both = two_streams(TRUTH)
    other = TRUTH.tracks[0].model_copy(update={"id": "face-0002", "stream": 1})
    found = both.model_copy(update={"tracks": (TRUTH.tracks[0], other)})
    times = timeline.from_manifest(found)
    true, lost = truth.read(mot.write(TRUTH, TIMES).data, found, times, None)
    tally = score.score(found, true, times)["face"]
    assert (tally.found_boxes, tally.ratios()["precision"], tally.seconds) == (10, 1, Fraction(10, 25))
    assert any("video stream 1 with 1 tracks" in line for line in lost)


@pytest.mark.parametrize(
    ("name", "raw", "found", "error", "says"),
    [
        ("prose", b"see attached", FOUND, UsageError, "neither a manifest nor CVAT for video nor MOT"),
        ("nothing", b"", FOUND, UsageError, "neither"),
        ("no manifest", b"{}", FOUND, ManifestError, "schema"),
        ("no CVAT", b"<html/>", FOUND, UsageError, "not a CVAT file"),
        ("another clip", CVAT.replace("<size>10<", "<size>11<").encode(), FOUND, BindingError, "size 11"),
        ("a frame too many", b"11,1,1,1,5,5,1,-1,-1,-1", FOUND, UsageError, "not one of 1 to 10"),
        ("two labels", MOT.encode(), THREE, UsageError, "--label"),
        ("no label", MOT.encode(), manifest(), UsageError, "--label"),
    ],
)
def test_what_is_no_truth_is_refused(name: str, raw: bytes, found: Manifest, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        truth.read(raw, found, TIMES, None)


def test_motion_between_keys_of_cvat_is_scored_on_every_frame() -> None:
    """A box that moves by 2 px a frame, found standing still: it lies 90 % under the cover up to the second frame."""
    moving = CVAT.split("<track")[0] + (
        '<track id="0" label="face"><box frame="0" keyframe="1" outside="0" xtl="10" ytl="10" xbr="30" ybr="30"/>'
        '<box frame="9" keyframe="1" outside="0" xtl="28" ytl="10" xbr="48" ybr="30"/></track></annotations>'
    )
    true, _ = truth.read(moving.encode(), TRUTH, TIMES, None)
    assert scored(TRUTH, true).exposed == 8


def run(tmp_path: Path, raw: bytes, *options: str, found: Manifest = FOUND) -> tuple[str, str]:
    (tmp_path / "m.json").write_bytes(writer.write(found))
    (tmp_path / "truth").write_bytes(raw)
    arguments = [str(tmp_path / "m.json"), str(tmp_path / "truth"), *options]
    result = CliRunner().invoke(score_command, arguments, catch_exceptions=False, standalone_mode=False)
    return result.stdout, result.stderr


def test_the_command_writes_json(tmp_path: Path) -> None:
    out, err = run(tmp_path, MOT.encode(), "--json", "--label", "face")
    found = json.loads(out)["face"]
    assert {k: found[k] for k in EXPECTED} == pytest.approx(EXPECTED)
    assert "not used: confidences" in err


def test_the_command_writes_a_table(tmp_path: Path) -> None:
    out, _ = run(tmp_path, writer.write(THREE), "--iou", "61")
    lines = dict(line.strip().rsplit(None, 1) for line in out.split("plate:")[0].splitlines()[1:])
    assert (lines["recall"], lines["mean iou"], lines["exposed frames"], lines["id switches"]) == (
        "0.600", "1.000", "8", "0",
    )  # fmt: skip
    assert (lines["exposed seconds per hour"], lines["interruptions per track"]) == ("2160.000", "0.500")


def test_seconds_are_not_invented_where_the_frame_rate_varies(tmp_path: Path) -> None:
    uneven = [0, 1, 5, 6, 10, 11, 15, 16, 20, 21]
    out, err = run(tmp_path, MOT.encode(), "--json", found=manifest(("face-0001", [(0, 5, BOX)]), pts=uneven))
    found = json.loads(out)["face"]
    assert (found["seconds"], found["exposed_seconds"]) == (None, None)
    assert "name the footage with --media" in err


def test_a_label_in_the_second_stream_alone_is_reported_per_hour_of_all_footage() -> None:
    plate = THREE.tracks[2].model_copy(update={"stream": 1})
    true = two_streams(THREE).model_copy(update={"tracks": (THREE.tracks[0], plate)})
    none = true.model_copy(update={"tracks": ()})
    tallies = score.score(none, true, timeline.from_manifest(true))
    assert {label: tally.seconds for label, tally in tallies.items()} == {
        "face": Fraction(20, 25), "plate": Fraction(20, 25),
    }  # fmt: skip
