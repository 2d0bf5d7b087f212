"""`score`: counts worked out by hand on small manifests."""

import json
from typing import Any

import pytest

from schema import score
from schema.errors import BindingError
from schema.geometry import Edges
from schema.manifest import Manifest
from schema.timeline import pts_sha256
from schema.tools import clock

FRAMES = 10


def manifest(
    *tracks: tuple[str, list[tuple[int, int, tuple[int, int, int, int]]]], pad: int = 0, sha: str = "a"
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
        "pts_sha256": pts_sha256(range(FRAMES)),
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
    return score.score(found, truth, clock.from_manifest(truth), **options)["face"]


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


def test_time_in_sight_is_told_per_hour() -> None:
    tally = scored(manifest(("face-0001", [(0, 5, BOX)])), TRUTH)
    assert tally.ratios()["exposed_seconds_per_hour"] == 1800


def test_rejected_items_hide_nothing() -> None:
    rejected = TRUTH.model_copy(update={"tracks": (TRUTH.tracks[0].model_copy(update={"review": "rejected"}),)})
    assert scored(rejected, TRUTH).exposed == 10


def test_what_is_ignored_is_not_held_against_anyone() -> None:
    both = manifest(("face-0001", [(0, 10, BOX)]), ("face-0002", [(0, 10, (100, 10, 20, 20))]))
    aside = manifest(("face-0001", [(0, 10, (102, 10, 20, 20))]))
    assert scored(both, TRUTH, ignored=aside).found_boxes == 10


def test_another_file_is_refused() -> None:
    with pytest.raises(BindingError, match="not of the same file"):
        scored(manifest(sha="b"), TRUTH)


@pytest.mark.parametrize(
    ("covers", "part"),
    [
        ([], 0.0),
        ([Edges(0, 0, 10, 10)], 1.0),
        ([Edges(0, 0, 5, 10)], 0.5),
        ([Edges(-50, -50, 5, 50), Edges(3, -50, 7, 50)], 0.7),
        ([Edges(10, 0, 20, 10)], 0.0),
    ],
)
def test_covered_part(covers: list[Edges], part: float) -> None:
    assert score.covered_part(Edges(0, 0, 10, 10), covers) == pytest.approx(part)
