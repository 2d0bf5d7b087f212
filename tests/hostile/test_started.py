"""Commands that are started with closed streams or ignored signals, and commands that are interrupted by signals."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from veridact import signals
from veridact.schema import writer

ROOT = Path(__file__).resolve().parents[2]
MAIN = "from veridact.cli.main import main; main()"
ENDLESS = """
import time
from {module} as module
def endless(*arguments):
    while True:
        time.sleep(0.1)
module.{work} = endless
from veridact.cli.main import main; main()
"""
"""A search or render that never ends."""
WORK = {"locate": {"module": "veridact.locate import isolation", "work": "_located"},
        "render": {"module": "veridact.render import pipeline", "work": "_render_and_read_back"}}  # fmt: skip


@pytest.fixture
def scene(clip: Any, make_manifest: Any, make_track: Any, tmp_path: Path) -> dict[str, Path]:
    source = clip("in.mp4", frames=12, size=(96, 64), audio="aac")
    manifest = tmp_path / "m.json"
    manifest.write_bytes(writer.write(make_manifest(source, (make_track(1, (8, 8, 20, 16), 12),))))
    (folder := tmp_path / "out").mkdir()
    (tmp_path / "tmp").mkdir()
    return {"media": source, "manifest": manifest, "folder": folder, "out": folder / "out.mp4", "tmp": tmp_path / "tmp"}


def arguments_of(tool: str, scene: dict[str, Path], labels: str = "face,phone_number") -> list[str]:
    given: dict[str, tuple[object, ...]] = {
        "locate": (scene["media"], "--labels", labels, "-o", scene["folder"] / "m.json"),
        "render": (scene["media"], scene["manifest"], scene["out"]),
        "show": (scene["media"], scene["manifest"], "-o", scene["folder"] / "sheet.png"),
        "lint": (scene["manifest"], scene["media"]),
    }
    return [tool, *map(str, given[tool])]


def environment(scene: dict[str, Path]) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(scene["tmp"])}


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
@pytest.mark.parametrize("tool", ["locate", "render", "show", "lint"])
def test_closed_streams_do_not_matter(tool: str, closed: str, scene: dict[str, Path]) -> None:
    """Descriptors opened later would get the numbers of the streams, and a child replaces those."""
    ended = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-c", MAIN, *arguments_of(tool, scene, "face")],
        env=environment(scene), capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert ended.returncode == (1 if tool == "lint" else 0), ended
    failed = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-c", MAIN, tool, scene["folder"], "x", "y"],
        env=environment(scene), capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert failed.returncode > 1, failed
    assert (failed.stdout, b"error" in failed.stderr) == (b"", "2>" not in closed)


def is_at_work(process: int) -> bool:
    """Whether it has a child process under the filter of system calls."""
    for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
        if "Seccomp:\t2" in Path(f"/proc/{child}/status").read_text():
            return True
    return False


@contextmanager
def running(tool: str, scene: dict[str, Path], *, ignored: int | None = None) -> Iterator["subprocess.Popen[bytes]"]:
    """A command in a process group of its own, whose child is at work."""
    before = f"import signal; signal.signal({ignored}, signal.SIG_IGN)\n" if ignored else ""
    with subprocess.Popen(
        [sys.executable, "-c", before + ENDLESS.format(**WORK[tool]), *arguments_of(tool, scene)],
        env=environment(scene), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    ) as process:  # fmt: skip
        until = time.monotonic() + 60
        while not is_at_work(process.pid) and process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        yield process
        process.kill()


@pytest.mark.parametrize(
    ("tool", "number"), [("locate", signal.SIGTERM), *(("render", n) for n in signals.INTERRUPTING)]
)
def test_after_a_signal_nothing_is_left(tool: str, number: signal.Signals, scene: dict[str, Path]) -> None:
    """To the whole group, as a terminal sends it: the child must not be taken for one that crashed."""
    with running(tool, scene) as process:
        os.killpg(process.pid, number)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err.count(b"\n")) == (130, b"", 1), err
    assert list(scene["folder"].iterdir()) == []
    assert list(scene["tmp"].iterdir()) == []


def test_all_signals_that_would_end_it_are_caught() -> None:
    """All but those of its own faults, those that Python ignores and those that cannot be caught."""
    faults = {"SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGSEGV", "SIGSYS", "SIGSTKFLT"}
    harmless = {"SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGPIPE", "SIGXFSZ"}
    named = {s.name for s in signal.valid_signals() if isinstance(s, signal.Signals)}
    left = named - faults - harmless - {"SIGKILL", "SIGSTOP", "SIGRTMIN", "SIGRTMAX"}
    assert {s.name for s in signals.INTERRUPTING} == left


@pytest.mark.parametrize("tool", ["locate", "render"])
def test_a_command_that_ignores_hangups_goes_on(tool: str, scene: dict[str, Path]) -> None:
    """As under `nohup`; the decoder process ignores the signal too."""
    with running(tool, scene, ignored=signal.SIGHUP) as process:
        os.killpg(process.pid, signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=2)
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(timeout=60) == 130
    assert list(scene["folder"].iterdir()) == []
