"""The surroundings of a command change no byte: signals that interrupt every call, and a clock that jumps."""

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from veridact.schema import writer

ROOT = Path(__file__).resolve().parents[2]
MAIN = "from veridact.cli.main import main; main()"

STORM = """
import os, signal, sys
hits = []
signal.signal(signal.SIGALRM, lambda number, frame: hits.append(1))
def begin():
    hits.clear()
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
os.register_at_fork(after_in_child=begin)
begin()
from veridact.cli.main import veridact
from veridact.cli.runner import run
code = run(veridact, "veridact", sys.argv[1:])
signal.setitimer(signal.ITIMER_REAL, 0)
print(len(hits))
sys.exit(code)
"""
"""Two thousand signals a second, also in the processes that the command forks; each interrupts what is going on."""

JUMPING = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>
static const long long jumps[] = {0, 3600, -86400, 900000000, -1500000000, 1, -1};
static unsigned calls;
static long long jump(void) { return jumps[__sync_fetch_and_add(&calls, 1) % 7]; }
int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, at);
    if (!result && id == CLOCK_REALTIME) at->tv_sec += jump();
    return result;
}
int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    static int (*real)(struct timeval *, void *);
    if (!real) real = dlsym(RTLD_NEXT, "gettimeofday");
    int result = real(at, zone);
    at->tv_sec += jump();
    return result;
}
time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"""
"""A library that is loaded before the C library and makes its clock jump by years at every call."""


@pytest.fixture
def scene(clip: Any, make_manifest: Any, make_track: Any, tmp_path: Path) -> tuple[Path, Path]:
    source = clip("in.mp4", frames=140, size=(96, 64), audio="aac")
    manifest = tmp_path / "m.json"
    manifest.write_bytes(writer.write(make_manifest(source, (make_track(1, (8, 8, 20, 16), 140),))))
    return source, manifest


def made(code: str, tool: str, scene: tuple[Path, Path], out: Path, **env: str) -> tuple[tuple[bytes, ...], bytes]:
    """The files that a tool writes when it is run by a program, and its stdout."""
    source, manifest = scene
    out.parent.mkdir()
    arguments = {
        "render": ("render", source, manifest, out, "--quiet", "--jobs", "2"),
        "locate": ("locate", "--labels", "face", "--quiet", source, "-o", out),
    }[tool]
    ended = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **env}, capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, b""), ended
    return tuple(p.read_bytes() for p in sorted(out.parent.iterdir())), ended.stdout


@pytest.mark.parametrize("tool", ["render", "locate"])
def test_a_storm_of_signals_changes_nothing(tool: str, scene: tuple[Path, Path], tmp_path: Path) -> None:
    calm, _ = made(MAIN, tool, scene, tmp_path / "calm" / "out.mp4")
    stormy, said = made(STORM, tool, scene, tmp_path / "storm" / "out.mp4")
    assert stormy == calm
    assert int(said) > 100


@pytest.fixture(scope="session")
def jumping_clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler is here to make the clock jump with")
    folder = tmp_path_factory.mktemp("clock")
    (folder / "clock.c").write_text(JUMPING)
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", folder / "clock.so", folder / "clock.c", "-ldl"], check=True
    )
    return folder / "clock.so"


@pytest.mark.parametrize("tool", ["render", "locate"])
def test_a_clock_that_jumps_by_years_changes_nothing(
    tool: str, scene: tuple[Path, Path], jumping_clock: Path, tmp_path: Path
) -> None:
    """The libraries in C read this clock as well, which a patched `time.time` does not reach."""
    probe = "import time; print(len({int(time.time()) // 3600 for _ in range(7)}))"
    env = {"LD_PRELOAD": str(jumping_clock)}
    seen = subprocess.run([sys.executable, "-c", probe], env={**os.environ, **env}, capture_output=True, check=True)
    assert int(seen.stdout) >= 4
    calm, _ = made(MAIN, tool, scene, tmp_path / "calm" / "out.mp4")
    jumped, _ = made(MAIN, tool, scene, tmp_path / "jumped" / "out.mp4", **env)
    assert jumped == calm


def test_an_error_does_not_stand_behind_progress(clip: Any, tmp_path: Path) -> None:
    """On a terminal the line that counts has no end; the reason takes its place."""
    source = tmp_path / "cut.mp4"
    source.write_bytes(clip("whole.mp4", frames=60, options={"bf": "0"}).read_bytes())
    data = bytearray(source.read_bytes())
    at = data.index(b"mdat") + 4 + 2000
    data[at : at + 400] = bytes(400)
    source.write_bytes(data)
    ours, theirs = pty.openpty()
    ended = subprocess.run(
        [sys.executable, "-c", MAIN, "locate", "--labels", "face", str(source)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=theirs, check=False, timeout=60,
    )  # fmt: skip
    os.close(theirs)
    said = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert (ended.returncode, ended.stdout) == (4, b"")
    assert said.rpartition("\r\x1b[K")[2].startswith("error: ")
