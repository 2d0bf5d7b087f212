"""Whatever cannot be imported ends a command with 70 and one line, never with 1, which means that the answer is no."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from veridact.cli import entry
from veridact.cli.main import COMMANDS
from veridact.errors import MachineError, VeridactError

from .conftest import SCRIPTS, Environment, run

BREAK = {
    "click": "raise ImportError('libfoo.so.1: cannot open shared object file')",
    "pydantic": "import no_module_has_this_name",
    "av": "raise RuntimeError('built for another Python')",
    "numpy": "raise SystemExit(1)",
    "cryptography": "class Panic(BaseException): pass\nraise Panic('a panic in Rust')",
    "veridact.errors": "raise ImportError('planted')",
    "veridact.signals": "from veridact import no_such_name",
}
"""Packages and modules of ours, and the code that stands in their place."""
MARK = "import os\nfrom pathlib import Path\nPath(os.environ['MARK']).touch()\n"


@pytest.fixture
def broken(tmp_path: Path, installed: Environment) -> Callable[[str], str]:
    """Writes a folder that shadows one package or module with a broken one; gives it as a path for Python."""

    def make(name: str) -> str:
        top, *below = name.split(".")
        if below:
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(installed.site_packages / top, tmp_path / "broken" / top, ignore=ignore)
        target = tmp_path.joinpath("broken", *name.split(".")).with_suffix(".py")
        target.parent.mkdir(exist_ok=True)
        target.write_text(f"{MARK}{BREAK[name]}\n")
        return str(target.parents[len(below)])

    return make


@pytest.mark.parametrize("name", BREAK)
def test_every_command_ends_with_70(
    name: str, broken: Callable[[str], str], installed: Environment, tmp_path: Path
) -> None:
    path, mark = broken(name), tmp_path / "imported"
    starts = [(script, "--help") for script in SCRIPTS] + [("veridact", command, "--help") for command in COMMANDS]
    starts += [("veridact", "--version"), ("python", "-m", "veridact", "--help")]
    met = 0
    for start in starts if name in {"click", "pydantic", "av", "veridact.errors"} else starts[:3]:
        mark.unlink(missing_ok=True)
        done = installed.run(*start, PYTHONPATH=path, MARK=str(mark))
        if not mark.exists():  # a command that does without it
            assert (done.returncode, done.stderr) == (0, ""), start
            continue
        met += 1
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (entry.BUG, "", 1), (start, done.stderr)
        assert done.stderr.startswith("error: ")
        assert "VERIDACT_DEBUG=1" in done.stderr
    assert met >= (len(starts) if name in {"click", "veridact.errors"} else 1)


def test_the_line_says_what_is_missing_and_what_to_do(broken: Callable[[str], str], installed: Environment) -> None:
    path = broken("pydantic")
    mark = {"PYTHONPATH": path, "MARK": f"{path}/mark"}
    line = installed.run("render", "--help", **mark).stderr
    assert line == (
        "error: veridact cannot be loaded (ModuleNotFoundError: No module named 'no_module_has_this_name'); "
        "install it again with pip, or set VERIDACT_DEBUG=1 for details\n"
    )
    debugged = installed.run("render", "--help", **mark, VERIDACT_DEBUG="1")
    assert (debugged.returncode, "Traceback" in debugged.stderr, debugged.stderr.endswith(line)) == (70, True, True)


def test_a_syntax_error_ends_with_70(installed: Environment, tmp_path: Path) -> None:
    """As where a dependency needs a later Python."""
    (tmp_path / "rfc8785.py").write_text("return\n")
    done = installed.run("veridact", "validate", "--help", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stderr.count("\n"), "SyntaxError" in done.stderr) == (70, 1, True)


def test_a_module_that_another_package_shadows_ends_with_70(installed: Environment, tmp_path: Path) -> None:
    """An empty `av` imports well and has nothing of what is asked of it."""
    (tmp_path / "av").mkdir()
    (tmp_path / "av" / "__init__.py").touch()
    done = installed.run("render", "--help", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stderr.count("\n")) == (70, 1)


def test_an_interrupt_while_importing_ends_with_130(installed: Environment, tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt\n")
    for script in SCRIPTS:
        done = installed.run(script, "--help", PYTHONPATH=str(tmp_path))
        assert (done.returncode, done.stderr) == (130, "error: interrupted; nothing is half written\n")


def test_memory_and_descriptors_that_run_out_while_importing_are_this_machines(
    installed: Environment, tmp_path: Path
) -> None:
    for raised in (
        "MemoryError",
        "OSError(24, 'Too many open files')",
        "PermissionError(13, 'Permission denied', 'x')",
    ):
        (tmp_path / "click.py").write_text(f"raise {raised}\n")
        done = installed.run("locate", "--help", PYTHONPATH=str(tmp_path))
        assert (done.returncode, done.stderr.count("\n")) == (8, 1), raised


def test_a_missing_extra_still_ends_with_7(installed: Environment, tmp_path: Path, clip: Callable[..., Path]) -> None:
    missing = "import sys; sys.modules |= dict.fromkeys(('onnxruntime', 'onnx', 'cv2', 'rapidocr'))\n"
    (tmp_path / "sitecustomize.py").write_text(missing)
    done = installed.run("locate", clip("in.mp4", frames=5), "--labels", "face", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout, "veridact[locate]" in done.stderr) == (7, "", True), done.stderr


def test_the_entry_imports_pythons_own_modules_alone(installed: Environment) -> None:
    code = "import sys; before = set(sys.modules); import veridact.cli.entry; print(*set(sys.modules) - before)"
    found = {name for name in installed.evaluate(code).split() if name.split(".")[0] not in sys.stdlib_module_names}
    assert found == {"veridact", "veridact.cli", "veridact.cli.entry"}


def test_its_exit_codes_are_those_of_the_error_classes() -> None:
    assert (MachineError.exit_code, VeridactError.exit_code) == (entry.MACHINE, entry.BUG)


@pytest.mark.parametrize(("redirection", "code"), [
    ("2>/dev/full", 3), ("2>&-", 3), ("> /dev/full", 3), (">&-", 8), ("2>/dev/full > /dev/full", 3), ("", 3),
])  # fmt: skip
def test_a_standard_stream_that_takes_nothing_changes_no_exit_code(
    redirection: str, code: int, installed: Environment, tmp_path: Path
) -> None:
    (tmp_path / "m.json").write_text("[]")
    line = f"{installed.folder}/bin/veridact validate {tmp_path}/m.json {redirection}"
    assert run("sh", "-c", line).returncode == code


@pytest.mark.parametrize("command", ["veridact --version", "veridact verify {audit}", "veridact --help"])
def test_a_full_disk_under_stdout_ends_with_8(command: str, installed: Environment, tmp_path: Path) -> None:
    from veridact.schema import receipt

    bodies = [(k, {}) for k in ("genesis", "input", "manifest", "output")]
    (tmp_path / "a.jsonl").write_bytes(receipt.chain(bodies))  # type: ignore[arg-type]
    line = f"{installed.folder}/bin/{command.format(audit=tmp_path / 'a.jsonl')} > /dev/full"
    done = run("sh", "-c", line)
    assert (done.returncode, done.stderr.count("\n")) == (8, 1), done.stderr
