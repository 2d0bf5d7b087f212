"""Whatever goes wrong: the right exit code, one line that says what to do, and nothing left behind."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BOX = (8, 8, 20, 16)


@pytest.fixture
def scene(clip: Any, make_manifest: Any, make_track: Any, saved: Any, tmp_path: Path) -> dict[str, Path]:
    source = clip("in.mp4", frames=20, audio="aac")
    manifest = make_manifest(source, (make_track(1, BOX, 20),))
    return {"media": source, "manifest": saved(manifest), "out": tmp_path / "out" / "out.mp4"}


def edit(path: Path, change: Callable[[Any], None]) -> None:
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))


def missing(s: dict[str, Path]) -> None:
    s["media"].unlink()


def not_media(s: dict[str, Path]) -> None:
    s["media"].write_bytes(b"Dear Sir or Madam,\n" * 100)


def picture_renamed(s: dict[str, Path]) -> None:
    s["media"].write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))


def truncated(s: dict[str, Path]) -> None:
    s["media"].write_bytes(s["media"].read_bytes()[:-2000])


def truncated_but_named(s: dict[str, Path]) -> None:
    """Cut short, and the manifest edited to agree: the damage itself must be found."""
    import hashlib

    data = s["media"].read_bytes()[:-2000]
    s["media"].write_bytes(data)
    edit(s["manifest"], lambda m: m["source"].update(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data)))


def empty(s: dict[str, Path]) -> None:
    s["media"].write_bytes(b"")


def folder(s: dict[str, Path]) -> None:
    s["media"].unlink()
    s["media"].mkdir()


def other_file(s: dict[str, Path]) -> None:
    edit(s["manifest"], lambda m: m["source"].update(sha256="0" * 64))


def unknown_field(s: dict[str, Path]) -> None:
    edit(s["manifest"], lambda m: m["tracks"][0].update(faces=[]))


def nothing_covered(s: dict[str, Path]) -> None:
    edit(s["manifest"], lambda m: m["tracks"][0].update(review="rejected"))


def covers_off_the_picture(s: dict[str, Path]) -> None:
    edit(s["manifest"], lambda m: m["tracks"][0]["segments"][0]["keys"][0].update(box=[5000, 0, 9, 9]))


def existing_output(s: dict[str, Path]) -> None:
    s["out"].write_bytes(b"precious")


def existing_receipt(s: dict[str, Path]) -> None:
    s["out"].with_name("out.mp4.audit.jsonl").write_bytes(b"precious")


def output_is_input(s: dict[str, Path]) -> None:
    os.link(s["media"], s["out"])


def output_is_a_link(s: dict[str, Path]) -> None:
    s["out"].symlink_to(s["media"])


def other_suffix(s: dict[str, Path]) -> None:
    s["out"] = s["out"].with_suffix(".mkv")


def no_such_folder(s: dict[str, Path]) -> None:
    s["out"].parent.rmdir()


def missing_manifest(s: dict[str, Path]) -> None:
    s["manifest"].unlink()


def other_timeline(s: dict[str, Path]) -> None:
    edit(s["manifest"], lambda m: m["source"]["streams"][0].update(pts_sha256="0" * 64))


def other_frame_count(s: dict[str, Path]) -> None:
    edit(s["manifest"], lambda m: m["source"]["streams"][0].update(frames=21))


def other_size(s: dict[str, Path]) -> None:
    edit(s["manifest"], lambda m: m["source"]["streams"][0].update(width=62, coded_width=62))


CASES: list[tuple[Callable[[dict[str, Path]], None], int, str]] = [
    (missing, 4, "no such file"),
    (not_media, 4, "not a video, picture or sound file"),
    (picture_renamed, 5, "another file"),
    (truncated, 5, "another file"),
    (truncated_but_named, 4, ""),
    (empty, 4, "empty"),
    (folder, 4, "not a regular file"),
    (other_file, 5, "another file"),
    (unknown_field, 3, "$.tracks[0].faces"),
    (nothing_covered, 6, "--allow-uncovered"),
    (covers_off_the_picture, 6, "--allow-uncovered"),
    (existing_output, 6, "--force"),
    (existing_receipt, 6, "--force"),
    (output_is_input, 6, "input itself"),
    (output_is_a_link, 6, "symbolic link"),
    (other_suffix, 2, "*.mp4"),
    (no_such_folder, 2, "make it first"),
    (missing_manifest, 2, ""),
    (other_timeline, 5, "locate again"),
    (other_frame_count, 5, "locate again"),
    (other_size, 5, "another size"),
]


@pytest.mark.parametrize(("spoil", "code", "words"), CASES, ids=[c[0].__name__ for c in CASES])
def test_render_refuses(spoil: Any, code: int, words: str, scene: dict[str, Path], command: Any) -> None:
    scene["out"].parent.mkdir()
    spoil(scene)
    there = set(scene["out"].parent.iterdir()) if scene["out"].parent.is_dir() else set()
    found, out, err = command("render", scene["media"], scene["manifest"], scene["out"])
    assert (found, out) == (code, "")
    assert words in err
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in err
    assert (set(scene["out"].parent.iterdir()) if scene["out"].parent.is_dir() else set()) == there


def test_force_replaces_the_pair_but_never_the_input(scene: dict[str, Path], command: Any) -> None:
    scene["out"].parent.mkdir()
    assert command("render", scene["media"], scene["manifest"], scene["out"])[0] == 0
    first = scene["out"].read_bytes()
    scene["out"].write_bytes(b"changed")
    assert command("render", scene["media"], scene["manifest"], scene["out"], "--force")[0] == 0
    assert scene["out"].read_bytes() == first
    before = scene["media"].read_bytes()
    assert command("render", scene["media"], scene["manifest"], scene["media"], "--force")[0] == 6
    assert scene["media"].read_bytes() == before


def test_proposed_items_can_be_refused(scene: dict[str, Path], command: Any) -> None:
    scene["out"].parent.mkdir()
    edit(scene["manifest"], lambda m: m["tracks"][0].update(review="proposed"))
    code, _, err = command("render", scene["media"], scene["manifest"], scene["out"], "--require-review")
    assert (code, "custom-0001" in err) == (6, True)
    assert command("render", scene["media"], scene["manifest"], scene["out"])[0] == 0


def test_a_bug_is_exit_70_and_leaves_nothing(
    scene: dict[str, Path], command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene["out"].parent.mkdir()

    def broken(*_: object) -> None:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr("veridact.render.video.stream.paint", broken)
    code, _, err = command("render", scene["media"], scene["manifest"], scene["out"])
    assert (code, "bug" in err, list(scene["out"].parent.iterdir())) == (70, True, [])
