"""A receipt of another version, made and checked for real; and the environment of `recreate`, installed by pip."""

import json
import re
import shutil
from collections.abc import Callable
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import pytest

import veridact

from .conftest import Environment, run
from .stand_ins import stand_in

OLDER = "0.1.7"


@pytest.fixture
def older(installed: Environment, tmp_path: Path) -> str:
    """A path for Python with an older version: another number, and a comment in a module that decides bytes."""
    folder = tmp_path / "older" / "veridact"
    shutil.copytree(installed.site_packages / "veridact", folder, ignore=shutil.ignore_patterns("__pycache__"))
    text = (folder / "__init__.py").read_text()
    assert veridact.__version__ in text
    (folder / "__init__.py").write_text(text.replace(veridact.__version__, OLDER))
    with (folder / "media" / "video.py").open("a") as file:
        file.write("# an older version\n")
    return str(folder.parent)


@pytest.fixture
def scene(picture: Any, make_manifest: Any, make_track: Any, saved: Any, tmp_path: Path) -> dict[str, Path]:
    """A picture, its manifest and the name of an output."""
    source = picture("in.png")
    manifest = saved(make_manifest(source, (make_track(1, (8, 8, 20, 16), 1),)))
    return {"input": source, "manifest": manifest, "output": tmp_path / "out.png"}


def test_the_receipt_of_an_older_version_verifies_and_names_it(
    older: str, scene: dict[str, Path], installed: Environment
) -> None:
    made = installed.run("render", *scene.values(), PYTHONPATH=older)
    assert made.returncode == 0, made.stderr
    audit = f"{scene['output']}.audit.jsonl"
    files = [f"--{name}={path}" for name, path in scene.items()]
    for environment, named in (({}, f"veridact {OLDER}, here {veridact.__version__}"), ({"PYTHONPATH": older}, "")):
        done = installed.run("veridact", "verify", audit, *files, "--content", "--rerun", "--json", **environment)
        found = json.loads(done.stdout)
        heads = [c["detail"] for c in found["checks"] if c["name"] == "head"]
        reason = f" but for the toolchain: {named}" if named else ""
        assert (done.returncode, found["passed"], heads) == (0, True, [f"the same receipt{reason}"])


def test_pip_installs_what_recreate_prints(
    older: str,
    scene: dict[str, Path],
    installed: Environment,
    new_environment: Callable[[], Environment],
    tmp_path: Path,
) -> None:
    assert installed.run("render", *scene.values(), PYTHONPATH=older).returncode == 0
    printed = installed.run("veridact", "recreate", f"{scene['output']}.audit.jsonl")
    assert (printed.returncode, printed.stderr) == (0, "")
    (tmp_path / "requirements.txt").write_text(printed.stdout)
    versions = {"veridact": OLDER} | {name: version_of(name) for name in ("av", "numpy", "pillow")}
    (index := tmp_path / "index").mkdir()
    for name, version in versions.items():
        for offered in (version, "999"):
            stand_in(index, name, offered, {f"{name}_.py": ""})
    made = new_environment()
    made.pip("install", "--no-index", "--find-links", index, "-r", tmp_path / "requirements.txt")
    listed = json.loads(made.pip("list", "--format", "json"))
    assert {package["name"]: package["version"] for package in listed} == versions


def test_the_hashes_are_verified_as_the_file_says(
    scene: dict[str, Path], installed: Environment, new_environment: Callable[[], Environment], tmp_path: Path
) -> None:
    assert installed.run("render", *scene.values()).returncode == 0
    printed = installed.run("veridact", "recreate", f"{scene['output']}.audit.jsonl").stdout
    (tmp_path / "requirements.txt").write_text(printed)
    command = (
        next(line for line in printed.splitlines() if line.startswith("# sed ")).removeprefix("# ").split(" && ")[0]
    )
    assert run("sh", "-c", command, cwd=tmp_path).returncode == 0
    lines = (tmp_path / "hashed.txt").read_text().splitlines()
    assert len(lines) == 3
    assert all(re.fullmatch(r"(av|numpy|pillow)==\S+ --hash=sha256:[0-9a-f]{64}", line) for line in lines)
    (index := tmp_path / "index").mkdir()
    for name in ("av", "numpy", "pillow"):
        stand_in(index, name, version_of(name), {f"{name}_.py": ""})
    with pytest.raises(RuntimeError, match="DO NOT MATCH THE HASHES"):
        new_environment().pip("install", "--no-index", "--no-deps", "--require-hashes", "--find-links", index,
                              "-r", tmp_path / "hashed.txt")  # fmt: skip
