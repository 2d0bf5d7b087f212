"""A killed render leaves no output, only covered segments, and is resumed from its own segments only."""

import fcntl
import mmap
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from veridact.render.selftest import SPEC
from veridact.render.video import encoder, segment_files, stream
from veridact.render.video.planes import layout_of, plane_arrays
from veridact.schema.manifest import Key

FRAMES, SEGMENTS, SEGMENT_FRAMES = 400, 8, 50
ALL = list(range(SEGMENTS))
BOX = (8, 8, 24, 16)
ROOT = Path(__file__).parents[2]
RENDER = "from veridact.cli.entry import render; render()"
KILLED_AFTER = """
import os, signal, time
from veridact.render.video import stream
encode, done = stream._encode_segment, []
def counted(*arguments):
    if len(done) == {}:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    done.append(1)
    return encode(*arguments)
stream._encode_segment = counted
from veridact.cli.entry import render; render()
"""


@dataclass(frozen=True)
class Job:
    """A render to be interrupted: its files, and the bytes that it gives when it is not."""

    source: Path
    manifest: Path
    folder: Path
    expected: tuple[bytes, bytes]

    @property
    def output(self) -> Path:
        return self.folder / "out.mp4"

    def start(self, code: str, *options: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-c", code, str(self.source), str(self.manifest), str(self.output), "--quiet", *options],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
        )

    def finished(self, code: str, *options: str) -> tuple[int, bytes]:
        """Runs to the end; the exit code and what stood on stderr."""
        process = self.start(code, *options)
        _, err = process.communicate()
        return process.returncode, err

    def left(self) -> list[Path]:
        """What lies in the output's folder."""
        return sorted(self.folder.iterdir())

    def hidden(self) -> Path | None:
        return next((path for path in self.left() if path.name.startswith(".veridact-")), None)

    def made(self) -> tuple[bytes, bytes]:
        return self.output.read_bytes(), self.output.with_name("out.mp4.audit.jsonl").read_bytes()

    def killed_after(self, count: int) -> Path:
        """Runs until `count` segments are finished and is killed there; the hidden folder that it left."""
        assert self.finished(KILLED_AFTER.format(count), "--jobs", "1", "--sandbox", "off") == (-signal.SIGKILL, b"")
        hidden = self.hidden()
        assert hidden is not None
        assert self.left() == [hidden]
        wait_for_lock(hidden)
        return hidden


def wait_for_lock(folder: Path) -> None:
    """Waits until the child process, which dies a moment after the command, has released the lock."""
    fd = os.open(folder, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    os.close(fd)


_MADE: list[Job] = []
"""The one job of this module, made by the first test that asks: only its target folder differs from test to test."""


@pytest.fixture
def job(clip: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path) -> Job:
    if not _MADE:
        source = clip("in.mp4", frames=FRAMES, audio="aac")
        manifest = saved(make_manifest(source, (make_track(1, BOX, FRAMES),)))
        assert command("render", source, manifest, tmp_path / "out.mp4", "--jobs", 1)[0] == 0
        _MADE.append(Job(source, manifest, tmp_path, Job(source, manifest, tmp_path, (b"", b"")).made()))
    (folder := tmp_path / "target").mkdir()
    return replace(_MADE[0], folder=folder)


class Encoded:
    """Counts the encoded segments, also of child processes, in shared memory."""

    def __init__(self) -> None:
        self._times = mmap.mmap(-1, 2 * SEGMENTS)

    def note(self, first_frame: int) -> None:
        self._times[first_frame // SEGMENT_FRAMES] += 1

    def segments(self) -> list[int]:
        """Their numbers, in order; one that is encoded twice stands there twice."""
        return [number for number, times in enumerate(self._times[:]) for _ in range(times)]


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> Encoded:
    found = Encoded()
    encode = stream._encode_segment

    def counted(numbered: Any, *rest: Any) -> segment_files.Segment:
        first = next(numbered)
        found.note(first[0])
        return encode((item for part in ([first], numbered) for item in part), *rest)

    monkeypatch.setattr(stream, "_encode_segment", counted)
    return found


@pytest.mark.parametrize("jobs", [1, 2])
def test_resume_encodes_only_what_was_not_finished(job: Job, encoded: Encoded, command: Any, jobs: int) -> None:
    job.killed_after(3)
    code, _, err = command("render", job.source, job.manifest, job.output, "--resume", "--jobs", jobs)
    assert code == 0, err
    assert encoded.segments() == ALL[3:]
    assert job.made() == job.expected
    assert job.hidden() is None


def test_without_resume_everything_is_encoded_again(job: Job, encoded: Encoded, command: Any) -> None:
    job.killed_after(3)
    assert command("render", job.source, job.manifest, job.output)[0] == 0
    assert (encoded.segments(), job.made()) == (ALL, job.expected)


def _damaged(hidden: Path) -> None:
    path = hidden / "0000-0000001.segment"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _cut_short(hidden: Path) -> None:
    path = hidden / "0000-0000001.segment"
    path.write_bytes(path.read_bytes()[:-100])


def _emptied(hidden: Path) -> None:
    (hidden / "0000-0000001.segment").write_bytes(b"")


def _of_another_place(hidden: Path) -> None:
    shutil.copy(hidden / "0000-0000000.segment", hidden / "0000-0000001.segment")


SPOILED = [_damaged, _cut_short, _emptied, _of_another_place]


@pytest.mark.parametrize("spoil", SPOILED, ids=lambda f: f.__name__.strip("_"))
def test_a_spoiled_segment_is_encoded_again(
    spoil: Callable[[Path], None], job: Job, encoded: Encoded, command: Any
) -> None:
    spoil(job.killed_after(3))
    assert command("render", job.source, job.manifest, job.output, "--resume")[0] == 0
    assert encoded.segments() == [1, *ALL[3:]]
    assert job.made() == job.expected


def test_segments_of_another_manifest_are_never_used(
    job: Job, encoded: Encoded, make_manifest: Any, make_track: Any, saved: Any, command: Any
) -> None:
    job.killed_after(3)
    keys = (Key(frame=0, box=(30, 20, 24, 16)),)
    other = saved(make_manifest(job.source, (make_track(1, BOX, FRAMES, keys=keys),)), "other.json")
    assert command("render", job.source, other, job.output, "--resume")[0] == 0
    assert encoded.segments() == ALL
    resumed = job.made()
    assert command("render", job.source, other, job.output, "--force")[0] == 0
    assert resumed == job.made() != job.expected


def test_segments_of_another_input_are_never_used(
    job: Job, encoded: Encoded, clip: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any
) -> None:
    job.killed_after(3)
    source = clip("other.mp4", frames=FRAMES, audio="aac", options={"crf": "30"})
    other = saved(make_manifest(source, (make_track(1, BOX, FRAMES),)), "other.json")
    assert command("render", source, other, job.output, "--resume")[0] == 0
    assert encoded.segments() == ALL


def test_segments_of_another_release_are_never_used(
    job: Job, encoded: Encoded, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.killed_after(3)
    monkeypatch.setattr(segment_files, "toolchain", lambda: [{"name": "veridact", "version": "0.0.0", "sha256": ""}])
    assert command("render", job.source, job.manifest, job.output, "--resume")[0] == 0
    assert encoded.segments() == ALL


def test_what_a_killed_render_leaves_is_covered(job: Job) -> None:
    hidden = job.killed_after(5)
    names = sorted(path.name for path in hidden.iterdir())
    assert names == [f"0000-{number:07}.segment" for number in range(5)]
    x, y, w, h = BOX
    layout = layout_of("yuv420p")
    for path in hidden.iterdir():
        head = segment_files.read_header(path)
        for frame in encoder.decode(SPEC, head.extradata, segment_files.packets(path)):
            luma = plane_arrays(frame, layout)[0]
            assert luma[y : y + h, x : x + w].max() <= 16 + 28
            assert luma.max() > 100  # the rest of the picture is there


def test_killed_at_twenty_moments_nothing_partial_is_ever_seen(job: Job) -> None:
    began = time.monotonic()
    assert job.finished(RENDER) == (0, b"")
    whole = time.monotonic() - began
    shutil.rmtree(job.folder)
    job.folder.mkdir()
    moments = random.Random(5)
    for number in range(20):
        process = job.start(RENDER, "--jobs", "2", *(["--resume"] if number % 2 else []))
        try:
            process.wait(moments.uniform(0.25, 1.05) * whole)
        except subprocess.TimeoutExpired:
            process.kill()
        _, err = process.communicate()
        names = {path.name for path in job.left() if path != job.hidden()}
        if process.returncode == 0:
            assert job.hidden() is None
            assert job.made() == job.expected
        else:
            assert process.returncode == -signal.SIGKILL, err
            assert names <= {"out.mp4.audit.jsonl", "out.mp4"}
            assert "out.mp4" not in names or job.made() == job.expected
        for name in names:
            (job.folder / name).unlink()
    assert job.finished(RENDER) == (0, b"")
    assert job.made() == job.expected
    assert job.hidden() is None
    assert len(job.left()) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_leaves_nothing(job: Job, number: signal.Signals) -> None:
    process = job.start(RENDER, "--jobs", "2")
    while (hidden := job.hidden()) is None or not list(hidden.glob("*.segment")):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(number)
    _, err = process.communicate()
    assert (process.returncode, err.strip()) == (130, b"error: interrupted; nothing is half written")
    assert job.left() == []
