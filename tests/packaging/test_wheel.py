"""What pip installs: the import name `veridact`, three commands and nothing else, however it is built."""

import hashlib
import json
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import veridact
from veridact.render.toolchain import toolchain

from .conftest import DEPENDENCIES, SCRIPTS, Environment, built

ROOT = Path(__file__).parents[2]
INFO = f"veridact-{veridact.__version__}.dist-info"
DATA = {
    "veridact/py.typed", "veridact/schema/veridact.manifest-1.schema.json", "veridact/audit/base_requirements.txt",
}  # fmt: skip


def contents(wheel: Path) -> dict[str, str]:
    """The files of a wheel and their digests."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


def test_the_wheel_claims_no_name_but_veridact(wheel: Path) -> None:
    assert {name.split("/")[0] for name in contents(wheel)} == {"veridact", INFO}


def test_the_wheel_holds_every_module_and_no_other_file(wheel: Path) -> None:
    folders = {"veridact": ROOT / "veridact", **{f"veridact/{n}": ROOT / n for n in ("schema", "locate", "render")}}
    modules = {
        f"{name}/{path.relative_to(folder).as_posix()}"
        for name, folder in folders.items()
        for path in folder.rglob("*.py")
    }
    assert {name for name in contents(wheel) if not name.startswith(INFO)} == modules | DATA


def test_the_wheel_of_the_sdist_holds_the_same_files(wheel: Path, wheel_of_sdist: Path) -> None:
    assert wheel_of_sdist.name == wheel.name
    assert contents(wheel_of_sdist) == contents(wheel)


def test_pip_installs_three_commands(installed: Environment) -> None:
    programs = {path.name for path in (installed.folder / "bin").iterdir()}
    assert {name for name in programs if not name.lower().startswith(("activate", "python"))} == set(SCRIPTS)
    names = {path.name for path in installed.site_packages.iterdir()}
    assert names == {"veridact", INFO, DEPENDENCIES}


def test_every_command_of_the_scripts_is_the_entry_that_survives_broken_imports() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {name: f"veridact.cli.entry:{name}" for name in SCRIPTS}


TOOLCHAIN = "import json; from veridact.render.toolchain import toolchain; print(json.dumps(toolchain()))"
WHERE = "import veridact; print(veridact.__file__)"


def test_an_installation_of_the_wheel_has_the_toolchain_of_the_checkout(installed: Environment) -> None:
    assert installed.evaluate(WHERE).startswith(str(installed.site_packages))
    assert json.loads(installed.evaluate(TOOLCHAIN)) == toolchain()


@pytest.fixture
def editable(checkout: Path, new_environment: Callable[[], Environment], tmp_path: Path) -> Environment:
    """An environment with the checkout installed for editing: pip, too, installs a wheel that points at it."""
    made = new_environment()
    made.install(built("build_editable", checkout, tmp_path))
    return made


def test_an_editable_installation_runs_the_checkout(editable: Environment, checkout: Path) -> None:
    assert editable.evaluate(WHERE) == str(checkout / "veridact" / "__init__.py")
    assert json.loads(editable.evaluate(TOOLCHAIN)) == toolchain()
    assert editable.evaluate("import veridact.schema.manifest as m; print(m.__file__)").startswith(str(checkout))
    for name in SCRIPTS:
        assert editable.run(name, "--help").returncode == 0
    taken = "import importlib.util as u; print([n for n in ('schema', 'render', 'locate') if u.find_spec(n)])"
    assert editable.evaluate(taken) == "[]"
