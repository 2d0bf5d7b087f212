"""A folder: every file in it gets a manifest or a reason, and none is skipped in silence."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from veridact.errors import MachineError
from veridact.tools import manifest_file

SQUARE = [(40, 30)] * 3
Search = Callable[..., tuple[int, str]]


@pytest.fixture
def media(tmp_path: Path, square_clip: Callable[..., Path]) -> Path:
    """A folder with one clip."""
    made = tmp_path / "media"
    made.mkdir()
    square_clip(SQUARE).rename(made / "a.mkv")
    return made


@pytest.fixture
def search(squares: str, command: Any, tmp_path: Path) -> Search:
    """`search(folder, *options)` writes to `manifests` unless -o is given; gives exit code and stderr."""

    def go(media: Path, *options: object) -> tuple[int, str]:
        target = [] if "-o" in options else ["-o", tmp_path / "manifests"]
        code, out, err = command("locate", "--detector", squares, "--labels", "face", media, *target, *options)
        assert out == ""
        return code, err

    return go


def made(out: Path) -> list[str]:
    return sorted(str(p.relative_to(out)) for p in out.rglob("*.json"))


def forbidden(path: Path, *rest: Any) -> int:
    if path.name == "secret.mkv":
        raise MachineError(f"{path}: not allowed to read it")
    return os.open(path, os.O_RDONLY)


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a file that is a link": (lambda m: (m / "b.mkv").symlink_to(m / "a.mkv"), "b.mkv: a link"),
    "a folder that is a link": (lambda m: (m / "b").symlink_to(m, True), "b: a link"),
    "a link to nowhere": (lambda m: (m / "b.mkv").symlink_to("nowhere"), "b.mkv: a link"),
    "a pipe": (lambda m: os.mkfifo(m / "b.mkv"), "b.mkv: not a regular file"),
    "no media": (lambda m: (m / "b.mkv").write_text("b"), "b.mkv: not a video"),
    "a name that grows too long": (
        lambda m: (m / ("b" * 250 + ".mkv")).write_bytes((m / "a.mkv").read_bytes()),
        "too long a name; rename it",
    ),
    "a file that may not be read": (lambda m: (m / "secret.mkv").write_text("b"), "secret.mkv: not allowed to read it"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_files_are_named_and_the_rest_is_searched(
    what: str, media: Path, search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, says = REFUSED[what]
    make(media)
    if "read" in what:
        monkeypatch.setattr("veridact.locate.batch.open_regular", forbidden)
    code, err = search(media)
    assert (code, made(tmp_path / "manifests")) == (4, ["a.mkv.json"])
    refused, summary = err.splitlines()
    assert refused.startswith(f"{media}/")
    assert refused.count(f"{media}/") == 1
    assert says in refused
    assert summary == "1 of 2 files searched, 1 tracks and ranges found, 1 refused"


@pytest.mark.parametrize(("name", "code"), [("closed", 4), ("media", 8)])
def test_a_folder_that_cannot_be_listed_is_named(
    name: str, code: int, media: Path, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    (media / "closed").mkdir()
    scan = os.scandir

    def closed(path: Any) -> Any:
        if Path(path).name == name:
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", closed)
    ended, err = search(media)
    assert (ended, f"{name}: not" in err) == (code, True)


@pytest.mark.parametrize("out", ["media", "media/manifests"])
def test_manifests_within_the_folder_are_no_media_the_next_time(
    out: str, media: Path, search: Search, tmp_path: Path
) -> None:
    target = tmp_path / "media" / ".." / out
    first = [search(media, "-o", target), made(tmp_path / out)]
    assert first == [(0, "1 of 1 files searched, 1 tracks and ranges found, 0 refused\n"), ["a.mkv.json"]]
    assert [search(media, "-o", target), made(tmp_path / out)] == first


def test_notes_name_their_file(media: Path, search: Search, square_clip: Callable[..., Path]) -> None:
    square_clip([None] * 3).rename(media / "b.mkv")
    code, err = search(media)
    assert code == 0
    assert f"{media}/b.mkv: nothing was found" in err
    assert "a.mkv" not in err
    assert search(media, "--quiet") == (0, "")


@pytest.mark.parametrize("target", ["a.mkv", "a.mkv/below"])
def test_manifests_need_a_folder(target: str, media: Path, search: Search) -> None:
    code, err = search(media, "-o", media / target)
    assert (code, err.count("\n"), "is no folder" in err) == (2, 1, True)


def test_a_transcript_is_for_one_file(media: Path, search: Search, tmp_path: Path) -> None:
    code, err = search(media, "--labels", "face,date", "--transcript", tmp_path / "words")
    assert (code, "name the file" in err, made(tmp_path)) == (2, True, [])


def test_manifests_written_before_an_interruption_are_counted(
    media: Path, search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (media / "b.mkv").write_bytes((media / "a.mkv").read_bytes())
    monkeypatch.setattr("veridact.cli.locate.Progress.__call__", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    code, err = search(media)
    assert (code, err.splitlines()[0]) == (130, "1 of 2 files searched, 1 tracks and ranges found, 0 refused")
    left = sorted(str(p.relative_to(tmp_path / "manifests")) for p in (tmp_path / "manifests").rglob("*"))
    assert left == ["a.mkv.json"]
    assert manifest_file.read_path(tmp_path / "manifests" / "a.mkv.json").manifest.tracks
