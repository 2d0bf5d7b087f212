"""Programs with threads: calls from several at once, interrupted calls, programs that are killed."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FORK_WARNING = "error:This process:DeprecationWarning"
"""From Python 3.12 on, `os.fork` warns so in a process with threads."""

HOST = """
import hashlib, json, os, sys, threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from veridact.api import Manifest, locate, render
import numpy as np

def forked():
    raise SystemExit("the program was forked")
os.register_at_fork(before=forked)

media, manifest, folder, labels = sys.argv[1], Manifest.read(sys.argv[2]), Path(sys.argv[3]), json.loads(sys.argv[4])
ends = threading.Event()
def busy():
    square = np.ones((200, 200))
    while not ends.is_set():
        square @ square
other = threading.Thread(target=busy)
other.start()
def sha256(data):
    return hashlib.sha256(data).hexdigest()
def rendered(number):
    receipt = render(media, manifest, folder / f"{number}.mp4", jobs=2)
    return [sha256((folder / f"{number}.mp4").read_bytes()), receipt.head]
def located(number):
    return sha256(locate(media, labels=labels).to_bytes()) if labels else None
try:
    with ThreadPoolExecutor(4) as pool:
        renders = [pool.submit(rendered, n) for n in range(2)]
        searches = [pool.submit(located, n) for n in range(2)]
        print(json.dumps([[f.result() for f in renders], [f.result() for f in searches]]))
finally:
    ends.set()
    other.join()
"""


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": FORK_WARNING, **more}


def test_four_threads_give_what_the_commands_give(scene: Any, command: Any) -> None:
    labels = []
    try:
        import onnxruntime  # noqa: F401 - whether the extra `locate` is there
    except ImportError:
        expected = None
    else:
        labels = ["face"]
        code, text, _ = command("locate", scene.media, "--labels", "face", "--quiet")
        expected = hashlib.sha256(text.encode()).hexdigest()
        assert code == 0
    by_command = scene.folder / "command.mp4"
    assert command("render", scene.media, scene.manifest, by_command)[0] == 0
    done = subprocess.run(
        [sys.executable, "-W", FORK_WARNING, "-c", HOST, scene.media, scene.manifest, scene.folder, json.dumps(labels)],
        env=environment(), capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    renders, searches = json.loads(done.stdout)
    receipt = by_command.with_name("command.mp4.audit.jsonl").read_bytes()
    head = json.loads(receipt.splitlines()[-1])["hash"]
    assert renders == [[hashlib.sha256(by_command.read_bytes()).hexdigest(), head]] * 2
    assert searches == [expected] * 2


AT_WORK = """
import os, signal, sys, threading, time
from pathlib import Path
from veridact import api

def children(process):
    return [int(n) for t in Path(f"/proc/{process}/task").iterdir() for n in (t / "children").read_text().split()]

def act(unit, done, total):
    if not acted:
        [worker] = children(os.getpid())
        acted.extend([worker, *children(worker)])
        print(*acted, flush=True)
        ACTION

acted = []
def work():
    try:
        api.render(sys.argv[1], api.Manifest.read(sys.argv[2]), sys.argv[3], report=act)
    except BaseException as e:
        print(type(e).__name__, str(e), flush=True)
        if IN_THREAD:
            return
        raise
if IN_THREAD:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
else:
    work()
"""
ACTIONS: dict[str, tuple[str, bool, int, str]] = {
    "Ctrl-C": ("os.kill(os.getpid(), signal.SIGINT); time.sleep(60)", False, -signal.SIGINT, "KeyboardInterrupt"),
    "an exception": ("raise ZeroDivisionError('enough')", False, 1, "ZeroDivisionError enough"),
    "an exception in a thread": ("raise ZeroDivisionError('enough')", True, 0, "ZeroDivisionError enough"),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)", False, -signal.SIGTERM, ""),
    "SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL)", True, -signal.SIGKILL, ""),
    "a worker that is killed": ("os.kill(worker, signal.SIGKILL)", False, 1, "MachineError the worker process ended"),
}
"""What a program does at the first progress, whether in a thread, its return code, and how the call ended."""


@pytest.fixture
def long_scene(clip: Any, make_manifest: Any, make_track: Any, saved: Any, tmp_path: Path) -> list[Path]:
    """The media file, manifest and output of a render that takes seconds."""
    media = clip("long.mkv", frames=250, size=(640, 480), codec="mpeg4")
    (tmp_path / "out").mkdir()
    return [media, saved(make_manifest(media, (make_track(1, (8, 8, 20, 16), 250),))), tmp_path / "out" / "out.mp4"]


@pytest.mark.parametrize("action", ACTIONS)
def test_an_interrupted_call_leaves_nothing(action: str, long_scene: list[Path]) -> None:
    code, in_thread, returns, said = ACTIONS[action]
    program = AT_WORK.replace("ACTION", code).replace("IN_THREAD", str(in_thread))
    done = subprocess.run(
        [sys.executable, "-c", program, *long_scene], env=environment(), capture_output=True, text=True, check=False,
        timeout=120, start_new_session=True,
    )  # fmt: skip
    assert done.returncode == returns, done.stderr
    pids, _, end = done.stdout.partition("\n")
    assert end.startswith(said)
    assert len(pids.split()) == 2
    until = time.monotonic() + 20  # where the program is killed, what it started ends a moment later
    while left := [pid for pid in pids.split() if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < until, left
        time.sleep(0.05)
    folder = long_scene[2].parent
    if action == "a worker that is killed":  # like a command that is killed: the next render removes what it left
        assert [path.name.startswith(".veridact-") for path in folder.iterdir()] == [True]
    else:
        assert list(folder.iterdir()) == []
