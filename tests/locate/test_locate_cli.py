"""The command: what goes where, what it refuses and with which exit code."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from veridact.cli import runner
from veridact.cli.locate import locate
from veridact.errors import MissingModelError
from veridact.locate.options import Options
from veridact.locate.speech.pipeline import SpeechOptions
from veridact.schema import reader
from veridact.tools import manifest_file

STILL = [(40, 30)] * 6


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, squares: str) -> Callable[..., tuple[int, bytes]]:
    """`run(*arguments)` runs the command with the detector that needs no model; gives exit code and stdout."""

    def go(*arguments: object) -> tuple[int, bytes]:
        out = io.TextIOWrapper(io.BytesIO())
        given = [str(a) for a in arguments]
        extra = [] if "--detector" in given else ["--detector", squares]
        monkeypatch.setattr(sys, "argv", ["locate", *given, *extra])
        monkeypatch.setattr(sys, "stdout", out)
        code = runner.run(locate, "locate")
        return code, out.buffer.getvalue()  # type: ignore[attr-defined]

    return go


def test_stdout_is_the_manifest_and_nothing_else(
    run: Callable[..., tuple[int, bytes]], square_clip: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = run(square_clip(STILL))
    assert code == 0
    assert len(reader.read(out).manifest.tracks) == 1
    assert capsys.readouterr().err == ""


def test_a_file_appears_whole(
    run: Callable[..., tuple[int, bytes]], square_clip: Callable[..., Path], tmp_path: Path
) -> None:
    target = tmp_path / "m.json"
    target.write_text("old")
    code, out = run(square_clip(STILL), "-o", target)
    assert (code, out) == (0, b"")
    assert reader.read(target.read_bytes()).manifest.tracks
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.json", "squares.mkv"]


def test_unsearched_streams_are_noted(
    run: Callable[..., tuple[int, bytes]], clip: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = clip("c.mp4", frames=3, audio="aac")
    _, out = run(path, "--labels", "face")
    assert "the sound was not searched and is kept" in capsys.readouterr().err
    assert [s["disposition"] for s in json.loads(out)["output"]["streams"]] == ["render", "render"]
    run(path, "--labels", "face", "--quiet")
    assert capsys.readouterr().err == ""


def test_effects_profile_and_container_are_written(
    run: Callable[..., tuple[int, bytes]], square_clip: Callable[..., Path]
) -> None:
    _, out = run(square_clip(STILL), "--effect", "face=mosaic", "--effect", "default=blur", "--profile", "lossless")
    document = json.loads(out)
    assert document["effects"]["video"] == {
        "default": {"effect": "blur", "shape": "box", "cells": 6, "pad_permille": 150},
        "face": {"effect": "mosaic", "shape": "ellipse", "cells": 6, "pad_permille": 200},
    }
    assert (document["output"]["profile"], document["output"]["container"]) == ("lossless", "mkv")


def test_a_threshold_decides_what_counts(
    run: Callable[..., tuple[int, bytes]], square_clip: Callable[..., Path]
) -> None:
    _, found = run(square_clip(STILL), "--threshold", "face=0.9")
    _, missed = run(square_clip(STILL), "--threshold", "face=0.95")
    assert len(json.loads(found)["tracks"]) == 1
    assert json.loads(missed)["tracks"] == []


def test_pad_frames_decides_how_long(run: Callable[..., tuple[int, bytes]], square_clip: Callable[..., Path]) -> None:
    places = [None] * 8 + STILL + [None] * 8
    _, out = run(square_clip(places), "--pad-frames", 5)
    segment = json.loads(out)["tracks"][0]["segments"][0]
    assert (segment["keys"][0]["frame"], segment["end"]) == (3, 19)


@pytest.mark.parametrize(
    ("name", "arguments", "code", "says"),
    [
        ("no such file", ["nosuch.mp4"], 4, "no such file"),
        ("unknown label", ["CLIP", "--labels", "nose"], 2, "there is no label 'nose'"),
        ("no label", ["CLIP", "--labels", ","], 2, "names no label"),
        ("labels from an unset variable", ["CLIP", "--labels", ""], 2, "names no label"),
        ("no detector has it", ["CLIP", "--labels", "screen"], 7, "no embedded detector has the label screen"),
        ("unknown detector", ["CLIP", "--detector", "nosuch"], 2, "there is no detector"),
        ("score out of range", ["CLIP", "--threshold", "face=7"], 2, "expected LABEL=SCORE"),
        ("score of a label that is not searched", ["CLIP", "--threshold", "person=0.5"], 2, "--labels asks for person"),
        ("kind of text, and no text", ["CLIP", "--text", "pii"], 2, "--labels asks for text"),
        ("all text, and no text", ["CLIP", "--labels", "face", "--text", "all"], 2, "--labels asks for text"),
        ("denied words, no speech", ["CLIP", "--labels", "face", "--deny-words", "w"], 2, "--deny-words has no effect"),
        ("all speech, no label", ["CLIP", "--labels", "face", "--speech", "all"], 2, "--speech all has no effect"),
        ("detector of other labels", ["CLIP", "--labels", "text"], 2, ": add to --labels"),
        ("unknown effect", ["CLIP", "--effect", "face=sparkle"], 2, "expected LABEL=EFFECT"),
        ("sound effect for a face", ["CLIP", "--effect", "face=beep"], 2, "beep is for the labels default"),
        ("container of another kind", ["CLIP", "--container", "png"], 2, "--container"),
        ("unknown option", ["CLIP", "--nosuch"], 2, "--nosuch"),
    ],
)
def test_refusals(
    name: str,
    arguments: list[str],
    code: int,
    says: str,
    run: Callable[..., tuple[int, bytes]],
    square_clip: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    clip = str(square_clip(STILL))
    assert run(*(clip if a == "CLIP" else a for a in arguments)) == (code, b"")
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_custom_needs_a_detector_or_a_word_list() -> None:
    with pytest.raises(MissingModelError, match="give --detector or --deny-words"):
        Options(labels=("custom",))
    assert Options(labels=("custom",), speech=SpeechOptions(deny_words=Path("words.txt"))).audio_labels == ("custom",)


def test_a_folder_is_searched_file_by_file(
    run: Callable[..., tuple[int, bytes]],
    square_clip: Callable[..., Path],
    picture: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    media = tmp_path / "media"
    (media / "more").mkdir(parents=True)
    square_clip(STILL).rename(media / "a.mkv")
    picture("b.png").rename(media / "more" / "b.png")
    (media / "bad.jpg").write_bytes(b"\xff\xd8\xffnot a picture")
    (media / ".hidden").write_text("left alone")
    code, out = run(media, "-o", tmp_path / "manifests")
    assert (code, out) == (4, b"")
    made = sorted(str(p.relative_to(tmp_path / "manifests")) for p in (tmp_path / "manifests").rglob("*.json"))
    assert made == ["a.mkv.json", "more/b.png.json"]
    assert len(manifest_file.read_path(tmp_path / "manifests" / "a.mkv.json").manifest.tracks) == 1
    error = capsys.readouterr().err
    assert "bad.jpg: " in error
    assert "2 of 3 files searched" in error
    (media / "bad.jpg").unlink()
    assert run(media, "-o", tmp_path / "manifests")[0] == 0


def test_a_folder_needs_a_folder_for_its_manifests(
    run: Callable[..., tuple[int, bytes]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path)[0] == 2
    assert "-o DIR" in capsys.readouterr().err
