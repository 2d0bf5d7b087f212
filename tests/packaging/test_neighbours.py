"""Distributions that own the import names `schema`, `render` and `locate` neither break ours nor are broken by it."""

import base64
import csv
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import SCRIPTS, Environment
from .stand_ins import stand_in

NAMES = ("schema", "render", "locate")


@pytest.fixture(scope="module")
def neighbours(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Wheels of three distributions with our old import names, and modules that had the names of ours."""
    folder = tmp_path_factory.mktemp("neighbours")

    def modules(name: str) -> dict[str, str]:
        owner = f"OWNER = 'the distribution {name}'\n"
        return {f"{name}/__init__.py": owner, f"{name}/manifest.py": "", f"{name}/pipeline.py": ""}

    return [stand_in(folder, name, "0.7.5", modules(name)) for name in NAMES]


@pytest.fixture(params=["before", "after"])
def beside(
    request: pytest.FixtureRequest, wheel: Path, neighbours: list[Path], new_environment: Callable[[], Environment]
) -> Environment:
    """An environment in which they were installed before or after ours."""
    made = new_environment()
    if request.param == "before":
        made.install(*neighbours)
    made.install(wheel)
    if request.param == "after":
        made.install(*neighbours)
    return made


def damaged(environment: Environment, name: str) -> list[str]:
    """The installed files of a distribution that are gone or not as its RECORD says."""
    (record,) = environment.site_packages.glob(f"{name}-*.dist-info/RECORD")
    found = []
    with record.open(newline="") as lines:
        for path, digest, _ in csv.reader(lines):
            file = environment.site_packages / path
            hashed = base64.urlsafe_b64encode(hashlib.sha256(file.read_bytes()).digest()) if file.exists() else b""
            if not file.exists() or (digest and digest != f"sha256={hashed.rstrip(b'=').decode()}"):
                found.append(path)
    return found


def test_both_work_and_the_neighbours_can_be_removed(
    beside: Environment, picture: Any, make_manifest: Any, make_track: Any, saved: Any, tmp_path: Path
) -> None:
    source = picture("in.png")
    manifest = saved(make_manifest(source, (make_track(1, (8, 8, 20, 16), 1),)))
    outputs = []

    def ours_works(name: str) -> None:
        out = tmp_path / f"{name}.png"
        assert damaged(beside, "veridact") == []
        for script in SCRIPTS:
            assert beside.run(script, "--help").stdout.startswith(f"Usage: {script} ")
        assert beside.run("veridact", "--version").stdout.startswith("veridact, version ")
        for arguments in (
            ("veridact", "validate", manifest), ("render", source, manifest, out),
            ("veridact", "verify", f"{out}.audit.jsonl", "--output", out, "--manifest", manifest, "--content"),
        ):  # fmt: skip
            done = beside.run(*map(str, arguments))
            assert done.returncode == 0, (arguments, done.stderr)
        outputs.append(Path(f"{out}.audit.jsonl").read_bytes())

    ours_works("together")
    for name in NAMES:
        assert damaged(beside, name) == []
        assert beside.evaluate(f"import {name}, {name}.manifest; print({name}.OWNER)") == f"the distribution {name}"
    beside.pip("uninstall", "--yes", *NAMES)
    ours_works("alone")
    assert outputs[0] == outputs[1]


def test_removing_ours_leaves_the_neighbours(beside: Environment) -> None:
    beside.pip("uninstall", "--yes", "veridact")
    assert not (beside.site_packages / "veridact").exists()
    assert not [name for name in SCRIPTS if (beside.folder / "bin" / name).exists()]
    for name in NAMES:
        assert damaged(beside, name) == []


def test_damage_would_be_noticed(wheel: Path, new_environment: Callable[[], Environment]) -> None:
    made = new_environment()
    made.install(wheel)
    (made.site_packages / "veridact" / "schema" / "__init__.py").write_text("OWNER = 'another'\n")
    (made.site_packages / "veridact" / "render" / "mux.py").unlink()
    assert damaged(made, "veridact") == ["veridact/render/mux.py", "veridact/schema/__init__.py"]
