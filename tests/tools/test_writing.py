"""Files that are there whole or not at all, and what a killed run leaves beside them."""

import fcntl
import shutil
import tempfile
from pathlib import Path

import pytest

from veridact import atomic_write
from veridact.errors import SafetyError


def left_beside(target: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hidden file of a run that ends, without any cleaning up, before its result is in place."""
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", lambda self, to: None)
        patch.setattr(Path, "unlink", lambda self, missing_ok=False: None)
        atomic_write.put(target, b"half")
    (left,) = [path for path in target.parent.iterdir() if path.name.startswith(".veridact-")]
    return left


def test_a_file_is_put_in_the_place_of_one_that_was_there(tmp_path: Path) -> None:
    target = tmp_path / "m.json"
    for data in (b"one", b"two"):
        atomic_write.put(target, data)
        assert target.read_bytes() == data
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(SafetyError, match="exists"):
        atomic_write.write_new(target, b"three")
    assert target.read_bytes() == b"two"


def test_what_a_killed_run_left_is_gone_after_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "m.json"
    left_beside(target, monkeypatch)
    atomic_write.put(target, b"whole")
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("other", ["locked", "of another target", "a link"])
def test_nothing_else_is_removed(other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "m.json"
    left = left_beside(tmp_path / ("n.json" if other == "of another target" else "m.json"), monkeypatch)
    if other == "a link":
        left.rename(tmp_path / "precious")
        left.symlink_to(tmp_path / "precious")
    with left.open("rb") as file:
        if other == "locked":
            fcntl.flock(file, fcntl.LOCK_EX)
        atomic_write.put(target, b"whole")
    assert left.read_bytes() == b"half"
    assert target.read_bytes() == b"whole"


def test_what_another_run_removes_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    file, folder = tempfile.mkstemp, tempfile.mkdtemp

    def file_that_goes(prefix: str, dir: Path) -> tuple[int, str]:
        fd, name = file(prefix=prefix, dir=dir)
        made.append(name)
        if len(made) == 1:
            Path(name).unlink()
        return fd, name

    def folder_that_goes(prefix: str) -> str:
        name = folder(prefix=prefix)
        made.append(name)
        if len(made) == 1:
            shutil.rmtree(name)
        return name

    monkeypatch.setattr(tempfile, "mkstemp", file_that_goes)
    atomic_write.put(tmp_path / "m.json", b"whole")
    assert (len(made), (tmp_path / "m.json").read_bytes()) == (2, b"whole")
    made.clear()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(tempfile, "mkdtemp", folder_that_goes)
    with atomic_write.own_folder() as own:
        assert (len(made), own.is_dir(), str(own)) == (2, True, made[1])
    assert not own.exists()
