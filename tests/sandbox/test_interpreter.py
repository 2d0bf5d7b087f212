"""A call in an interpreter of its own: what it inherits, how it ends, and what the caller gets of it."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from veridact.errors import MachineError, ManifestError, MediaError
from veridact.progress import silently
from veridact.sandbox import child, interpreter
from veridact.sandbox.protocol import ChildBugError

HEAD = """
import os, signal, sys, threading, time
from veridact.errors import ManifestError
from veridact.sandbox import child, interpreter
from veridact.sandbox.policy import GIB, Policy
"""
TAIL = """
if __name__ == "__main__":
    interpreter.serve({"call": call})
"""
Ask = Callable[..., Any]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """`ask(body, report, **arguments)`: what `def call(report, **arguments)` with this body gives in an interpreter."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def asked(body: str, report: Any = silently, before: str = "", **arguments: Any) -> Any:
        lines = "\n".join(f"    {line}" for line in body.strip().split("\n"))
        code = f"{HEAD}{before}\ndef call(report, **given):\n{lines}\n{TAIL}"
        (tmp_path / "called_in_tests.py").write_text(code)
        return interpreter.ask("called_in_tests", "call", arguments, report)

    return asked


def alive(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


def test_arguments_progress_and_value_travel(ask: Ask) -> None:
    reported: list[tuple[str, int, int]] = []
    body = "report('frames', 1, 2)\nreport('fr\\x1bames', 2, 2)\nreturn [given, '\\udcff']"
    odd = {"text": "é\udcff\n\x00", "long": "x" * 3_000_000, "number": 1 << 60}
    assert ask(body, lambda *progress: reported.append(progress), **odd) == [odd, "\udcff"]
    assert reported == [("frames", 1, 2), ("fr ames", 2, 2)]


def test_what_an_interpreter_inherits(ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The folder and the environment, but no descriptor, no handler, and not the current folder to find modules in."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "json.py").write_text("raise ZeroDivisionError")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("ANY_VARIABLE", "1")
    kept = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(kept, True)
    body = """
threads = len(os.listdir("/proc/self/task"))
fds = sorted(int(n) for n in os.listdir("/proc/self/fd"))
return [os.getcwd(), os.environ["ANY_VARIABLE"], os.getsid(0) == os.getpid(), threads, len(fds), sys.stdin.read()]
"""
    try:
        cwd, variable, leads, threads, descriptors, rest = ask(body)
    finally:
        os.close(kept)
    assert (cwd, variable, leads, threads, rest) == (str(tmp_path / "here"), "1", True, 1, "")
    assert descriptors == 5  # three standard streams, the pipe, and the folder that is listed


def test_errors_come_back_as_they_were(ask: Ask) -> None:
    with pytest.raises(ManifestError, match="no") as refused:
        ask("raise ManifestError('rules', '$.tracks', 'no')")
    assert (refused.value.layer, refused.value.path, refused.value.reason) == ("rules", "$.tracks", "no")
    with pytest.raises(OSError, match="No such file") as missing:
        ask("open('/nowhere')")
    assert (type(missing.value), missing.value.filename) == (FileNotFoundError, "/nowhere")
    with pytest.raises(ChildBugError, match=r"^ZeroDivisionError: ") as bug:
        ask("return 1 / 0")
    assert "return 1 / 0" in bug.value.__notes__[0]
    in_child = "return child.run(lambda report: 1 / 0, child.ChildOptions(Policy(GIB)), report).value"
    with pytest.raises(ChildBugError, match=r"^ZeroDivisionError: ") as bug:
        ask(in_child)
    assert "in <lambda>" in bug.value.__notes__[0]
    with pytest.raises(MediaError, match="SIGSEGV"):
        ask(in_child.replace("1 / 0", "os.kill(os.getpid(), signal.SIGSEGV)"))


ENDS = {
    "an early end": ("os._exit(3)", "", r"ended early \(exit code 3\); run again"),
    "a crash": ("os.kill(os.getpid(), signal.SIGSEGV)", "", r"ended early \(signal 11\)"),
    "a signal from elsewhere": ("os.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(9)", "", r"early \(exit code 1\)"),
    "a package that is missing": ("return 1", "import nobody_knows_this", "exit code 1: ModuleNotFoundError"),
    "a fork that keeps the pipe": ("os.fork() and os._exit(3)\ntime.sleep(5)\nos._exit(0)", "", "exit code 3"),
}  # fmt: skip


@pytest.mark.parametrize("end", ENDS)
def test_an_interpreter_that_just_ends_is_a_machine_error(end: str, ask: Ask) -> None:
    body, before, text = ENDS[end]
    began = time.monotonic()
    with pytest.raises(MachineError, match=text) as failed:
        ask(body, before=before, long="x" * 1_000_000)
    assert str(failed.value).isprintable()
    assert time.monotonic() - began < 4.5 or end != "a fork that keeps the pipe"


def test_without_an_interpreter_there_is_a_reason(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(MachineError, match=r"sys\.executable"):
        ask("return 1")


class EnoughError(Exception):
    """What a program raises from its callback to end a call."""


@pytest.mark.parametrize("how", ["politely", "blocked in the thread that calls", "stubborn"])
def test_an_exception_in_report_ends_it(how: str, ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It cleans up, also where the calling thread blocks signals, and is killed where it does not end."""
    monkeypatch.setattr(interpreter, "END_SECONDS", 1 if how == "stubborn" else 60)
    started: list[int] = []

    def report(unit: str, done: int, total: int) -> None:
        started.append(done)
        raise EnoughError

    body = """
if given["stubborn"]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
try:
    report("process", os.getpid(), 0)
    time.sleep(60)
finally:
    open(given["path"], "x").close()
"""
    blocked = signal.SIGTERM if how.startswith("blocked") else signal.SIGUSR2
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [blocked])
    try:
        with pytest.raises(EnoughError):
            ask(body, report, stubborn=how == "stubborn", path=str(tmp_path / "cleaned"))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert not alive(started[0])
    assert (tmp_path / "cleaned").exists() == (how != "stubborn")


def test_a_program_may_ignore_how_its_children_end(ask: Ask) -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert ask("return child.run(lambda report: 5, child.ChildOptions(Policy(GIB)), report).value") == 5
        with pytest.raises(MediaError, match="SIGBUS"):
            ask("child.call(lambda: os.kill(os.getpid(), signal.SIGBUS))")
        assert child.call(lambda: 5) == 5
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_a_process_with_threads_is_not_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("forked"))
    ends = threading.Event()
    (thread := threading.Thread(target=ends.wait)).start()
    try:
        with pytest.raises(RuntimeError, match=r"this process has 2 threads.*call veridact\.api"):
            child.call(lambda: 5)
    finally:
        ends.set()
        thread.join()
