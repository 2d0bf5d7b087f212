"""The toolchain entry of veridact covers all of its code that decides bytes, and nothing else."""

import shutil
from importlib.metadata import distribution
from pathlib import Path

import grimp
import pytest

import veridact
from veridact.render.toolchain import OWN, PACKAGES, _wheel_files, digest_of_files, own_files, toolchain

FOLDER = Path(veridact.__file__).parent
NOT_BYTES = ("sandbox", "progress", "signals")
"""What `render` imports besides: how it is run, watched and interrupted."""


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """The modules that `render` imports, directly or through others, without the leading `veridact.`."""
    graph = grimp.build_graph("veridact")
    modules = graph.find_upstream_modules("veridact.render", as_package=True)
    return {module.removeprefix("veridact").removeprefix(".") or "__init__" for module in modules}


def top(module: str) -> str:
    return module.split(".")[0]


def test_everything_of_ours_that_render_imports_is_covered(imported: set[str]) -> None:
    covered = {name.removesuffix(".py") for name in OWN} | set(NOT_BYTES)
    assert {module for module in imported if top(module) not in covered} == set()


def test_nothing_is_covered_that_render_does_not_import(imported: set[str]) -> None:
    assert {name.removesuffix(".py") for name in OWN} - {top(module) for module in imported} == {"render"}


def test_every_covered_module_is_named_as_it_is_installed() -> None:
    names = [name for name, _ in own_files(FOLDER)]
    assert len(names) == len(set(names))
    assert {"veridact/__init__.py", "veridact/schema/manifest.py", "veridact/render/video/paint.py"} <= set(names)
    assert {name.split("/")[1] for name in names} == set(OWN)
    assert not [name for name in names if "pycache" in name or "lint" in name or "cvat" in name]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package as a wheel installs it: folders where the checkout has links."""
    return Path(shutil.copytree(FOLDER, tmp_path / "veridact", ignore=shutil.ignore_patterns("__pycache__")))


def test_a_copy_without_links_has_the_same_digest(copy: Path) -> None:
    assert not any(path.is_symlink() for path in copy.iterdir())
    assert digest_of_files(own_files(copy)) == toolchain()[0]["sha256"]


@pytest.mark.parametrize(("name", "counts"), [
    ("schema/plan/effects.py", True), ("render/video/paint.py", True), ("media/video.py", True), ("errors.py", True),
    ("schema/veridact.manifest-1.schema.json", True), ("tools/lint.py", False), ("tools/formats/cvat.py", False),
    ("locate/pipeline.py", False), ("audit/verify.py", False), ("cli/render.py", False), ("sandbox/child.py", False),
])  # fmt: skip
def test_the_digest_changes_with_what_decides_bytes(name: str, counts: bool, copy: Path) -> None:
    before = digest_of_files(own_files(copy))
    with (copy / name).open("a") as file:
        file.write("\n")
    assert (digest_of_files(own_files(copy)) != before) == counts
    (copy / "render" / "new.py").touch()
    assert digest_of_files(own_files(copy)) != before


@pytest.mark.parametrize("package", PACKAGES)
def test_the_digest_of_a_package_does_not_depend_on_the_folder_of_the_environment(package: str) -> None:
    """Console scripts name it in their first line."""
    listed = [file.as_posix() for file in distribution(package).files or ()]
    hashed = [name for name, _ in _wheel_files(package)]
    assert set(listed) > set(hashed)
    assert not [name for name in hashed if ".." in name.split("/") or name.startswith("/")]
    assert f"{'PIL' if package == 'pillow' else package}/__init__.py" in hashed


def test_some_package_has_a_console_script() -> None:
    assert [f for f in distribution("av").files or () if f.parts[0] == ".." and f.parts[-2] == "bin"]
