"""Veridact as pip installs it: a wheel, an sdist and environments with nothing else in them, made without a network."""

import os
import shutil
import subprocess
import sys
import tarfile
import venv
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".*", "out", "build", "dist", "*.egg-info", "__pycache__")
SETUPTOOLS = 77
SCRIPTS = ("locate", "render", "veridact")
DEPENDENCIES = "zz-dependencies.pth"


def without_paths() -> dict[str, str]:
    """The environment variables, without those that add to Python's path."""
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}


def run(*arguments: object, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs a program with further variables; the output as text."""
    return subprocess.run(
        [str(a) for a in arguments], cwd=cwd, env={**without_paths(), **more},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def pip(*arguments: object, cwd: Path | None = None) -> str:
    """Runs the pip of this environment; what it printed. Raises `RuntimeError` with its messages when it fails."""
    done = run(sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments, cwd=cwd)
    if done.returncode:
        raise RuntimeError(f"pip {arguments} failed: {done.stdout}{done.stderr}")
    return done.stdout


@dataclass(frozen=True)
class Environment:
    """A virtual environment without pip, whose dependencies are those of the environment that runs the tests."""

    folder: Path

    @property
    def site_packages(self) -> Path:
        """Where pip installs."""
        return next(self.folder.glob("lib/python3*/site-packages"))

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def connect(self) -> None:
        """Puts links to the packages of the tests' environment on its path, behind its own; veridact is left out."""
        (links := self.folder / "dependencies").mkdir(exist_ok=True)
        for folder in (Path(path) for path in sys.path if Path(path).name == "site-packages"):
            for package in folder.iterdir():
                if not package.name.startswith(("veridact", "__")) and not os.path.lexists(links / package.name):
                    (links / package.name).symlink_to(package)
        (self.site_packages / DEPENDENCIES).write_text(f"{links}\n")

    def pip(self, *arguments: object) -> str:
        """Runs the tests' pip on this environment, in which it finds only what was installed there."""
        (self.site_packages / DEPENDENCIES).unlink(missing_ok=True)
        try:
            return pip("--python", self.python, *arguments)
        finally:
            self.connect()

    def install(self, *wheels: Path) -> None:
        """Installs wheels without what they depend on."""
        self.pip("install", "--no-index", "--no-deps", *wheels)

    def run(self, command: str, *arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
        """Runs one of its programs, in a folder in which there is no module."""
        (empty := self.folder / "empty").mkdir(exist_ok=True)
        return run(self.folder / "bin" / command, *arguments, cwd=empty, **more)

    def evaluate(self, code: str) -> str:
        """What its Python prints for some lines of code."""
        done = self.run("python", "-c", code)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="session")
def builder() -> None:
    """Skips where setuptools is too old to build the project; with CI=true that is a failure."""
    found = metadata.version("setuptools") if list(metadata.distributions(name="setuptools")) else "0"
    if int(found.split(".")[0]) < SETUPTOOLS:
        reason = f"setuptools {found} cannot build the project; install the group `dev`"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def checkout(builder: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, links and all, in which building may leave what it likes."""
    copy = tmp_path_factory.mktemp("checkout") / "veridact"
    return Path(shutil.copytree(ROOT, copy, symlinks=True, ignore=LEFT_OUT))


def wheel_of(source: Path, folder: Path) -> Path:
    """The wheel that pip builds of a source tree."""
    pip("wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source)
    (wheel,) = folder.glob("*.whl")
    return wheel


def built(hook: str, source: Path, folder: Path) -> Path:
    """What a hook of the build back end leaves in the folder, called as a front end calls it."""
    code = f"from setuptools import build_meta; print('\\n' + build_meta.{hook}({str(folder)!r}))"
    done = run(sys.executable, "-c", code, cwd=source)
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.splitlines()[-1]


@pytest.fixture(scope="session")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the checkout."""
    return wheel_of(checkout, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def wheel_of_sdist(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of what an sdist of the checkout unpacks to."""
    folder = tmp_path_factory.mktemp("sdist")
    source = Path(shutil.copytree(checkout, folder / "source", symlinks=True, ignore=LEFT_OUT))
    sdist = built("build_sdist", source, folder)
    with tarfile.open(sdist) as archive:
        assert not [member.name for member in archive if member.issym() or member.islnk()]
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    return wheel_of(unpacked, folder / "wheel")


@pytest.fixture(scope="session")
def new_environment(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Environment]:
    """Makes an environment with the dependencies and nothing of ours."""

    def make() -> Environment:
        folder = tmp_path_factory.mktemp("environment")
        venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
        return Environment(folder)

    return make


@pytest.fixture(scope="session")
def installed(wheel: Path, new_environment: Callable[[], Environment]) -> Environment:
    """An environment with the wheel; tests leave it as it is."""
    made = new_environment()
    made.install(wheel)
    return made
