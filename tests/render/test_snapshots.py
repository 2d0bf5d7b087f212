"""Golden manifests, receipts and frame digests, so that no change of output bytes goes unnoticed.

When one of these changes, output bytes change for everyone: say so in CHANGELOG.md, then update with --snapshot-update.
The sources are FFV1, PNG and FLAC, whose bytes do not depend on the machine.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from veridact.media.video import decode, demux, open_media
from veridact.render.video import frames
from veridact.schema.manifest import AudioRange, Cells, Key, Origin

MOSAIC = Cells(effect="mosaic", shape="ellipse", cells=5, pad_permille=120)
BLUR = Cells(effect="blur", shape="box", cells=4, pad_permille=0)


def entries_without_versions(audit: Path) -> list[dict[str, Any]]:
    """The entries of a receipt without the fields that change with our code: version, toolchain digests, hashes."""
    entries = [json.loads(line) for line in audit.read_text().splitlines()]
    for package in entries[0]["body"]["toolchain"]:
        del package["sha256"]
        if package["name"] == "veridact":
            del package["version"]
    del entries[0]["body"]["tool"]["version"]
    return [{"type": e["type"], "body": e["body"]} for e in entries]


@pytest.fixture
def tracks(make_track: Any) -> tuple[Any, ...]:
    keys = (Key(frame=0, box=(4, 4, 16, 12)), Key(frame=9, box=(40, 20, 20, 18)))
    return (
        make_track(1, (0, 0, 1, 1), 11, keys=keys),
        make_track(2, (30, 6, 24, 20), 12, effect=MOSAIC),
        make_track(3, (50, 30, 20, 20), 12, effect=BLUR),
    )


@pytest.mark.parametrize(("profile", "container"), [("h264", "mp4"), ("lossless", "mkv")])
def test_footage(
    profile: str,
    container: str,
    clip: Any,
    make_manifest: Any,
    tracks: Any,
    saved: Any,
    command: Any,
    tmp_path: Path,
    snapshot: SnapshotAssertion,
) -> None:
    source = clip("in.mkv", frames=12, codec="ffv1", audio="flac")
    spoken = AudioRange(
        id="speech-0001", stream=1, label="speech", review="added", origin=Origin(by="hand"), start_ms=100, end_ms=200
    )
    path = saved(make_manifest(source, tracks, audio=(spoken,), profile=profile, container=container))
    out = tmp_path / f"out.{container}"
    assert command("render", source, path, out)[0] == 0
    assert path.read_text() == snapshot(name="manifest")
    assert entries_without_versions(tmp_path / f"{out.name}.audit.jsonl") == snapshot(name="receipt")
    with open_media(out) as media, demux(media) as opened:
        assert [frames.digest(f) for f in decode(opened, opened.streams.video[0])] == snapshot(name="frames")


def test_picture(
    picture: Any,
    make_manifest: Any,
    tracks: Any,
    make_track: Any,
    saved: Any,
    command: Any,
    tmp_path: Path,
    snapshot: Any,
) -> None:
    source = picture("in.png")
    manifest = make_manifest(source, (make_track(1, (8, 8, 30, 20), 1, effect=MOSAIC),))
    assert command("render", source, saved(manifest), tmp_path / "out.png")[0] == 0
    assert entries_without_versions(tmp_path / "out.png.audit.jsonl") == snapshot(name="receipt")
