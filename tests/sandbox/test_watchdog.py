"""A decoder that hangs is ended within a minute, also one that reads for ever; one that is merely slow goes on."""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import veridact.locate.isolation
from veridact.errors import MediaError
from veridact.locate.detectors.base import View
from veridact.locate.video.detect import DetectorEnsemble
from veridact.locate.video.frames import PictureView
from veridact.media import pictures, video
from veridact.media.reader import BUFFER_BYTES, Reader, hash_descriptor
from veridact.progress import ReportProgress, silently
from veridact.render import selftest
from veridact.render.audio.decode import decode_blocks
from veridact.render.video import encoder
from veridact.sandbox import child, heartbeat
from veridact.sandbox.child import ChildOptions
from veridact.sandbox.cpu_wait import CpuWait
from veridact.sandbox.policy import GIB, Policy
from veridact.schema import receipt

TIMEOUT_SECONDS = 1.5


@pytest.fixture
def beats() -> Iterator[list[bool]]:
    """Every sign of life of this process, and whether a long step went on."""
    found: list[bool] = []
    heartbeat.listen(found.append)
    yield found
    heartbeat._listeners.clear()


def in_its_own_code(reader: Reader) -> None:
    hashlib.pbkdf2_hmac("sha256", b"a", b"b", 1_000_000)


def over_one_place(reader: Reader) -> None:
    reader.seek(0)
    Reader.read(reader, 4096)


def over_the_whole_file(reader: Reader) -> None:
    reader.seek(0)
    while Reader.read(reader, 4096):
        pass


LOOPS: dict[str, Callable[[Reader], None]] = {
    "in its own code": in_its_own_code,
    "over one place": over_one_place,
    "over the whole file": over_the_whole_file,
}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("tool", ["locate", "render"])
def test_a_decoder_that_loops_is_ended(
    tool: str, loop: str, clip: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    """FFmpeg asks for a part of the file and never gets on from there."""
    source = clip("in.mp4", frames=12)
    manifest = saved(make_manifest(source, (make_track(1, (8, 8, 20, 16), 12),)))
    (folder := tmp_path / "out").mkdir()

    class Stuck(Reader):
        def read(self, size: int = -1) -> bytes:
            while True:
                LOOPS[loop](self)

    monkeypatch.setattr(video.MediaFile, "reader", lambda self: Stuck(self.fd))
    monkeypatch.setattr(child, "ChildOptions", partial(ChildOptions, timeout_seconds=TIMEOUT_SECONDS))
    monkeypatch.setattr(
        veridact.locate.isolation, "ChildOptions", partial(ChildOptions, timeout_seconds=TIMEOUT_SECONDS)
    )
    began = time.monotonic()
    if tool == "render":
        code, out, err = command("render", source, manifest, folder / "out.mp4")
    else:
        code, out, err = command("locate", "--labels", "face", source, "-o", folder / "m.json")
    assert (code, out, err.count("\n")) == (4, "", 1), err
    assert f"no progress for {TIMEOUT_SECONDS:g} seconds" in err
    assert time.monotonic() - began < 120  # more than a few seconds only where the machine is busy
    assert list(folder.iterdir()) == []


def test_only_what_was_never_read_is_a_sign_of_life(beats: list[bool], tmp_path: Path) -> None:
    (path := tmp_path / "a").write_bytes(bytes(3 * BUFFER_BYTES + 1))
    with path.open("rb") as file:
        reader = Reader(file.fileno())
        for place, signs in ((0, 1), (0, 1), (2 * BUFFER_BYTES, 2), (BUFFER_BYTES - 1, 3), (3 * BUFFER_BYTES, 4)):
            reader.seek(place)
            reader.read(2)
            assert len(beats) == signs, place
        reader.seek(0)
        assert len(reader.read()) == 3 * BUFFER_BYTES + 1
        assert reader.read() == b""
    assert len(beats) == 4


def test_a_file_that_grows_is_read_on(beats: list[bool], tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")
    with path.open("rb") as file:
        reader = Reader(file.fileno())
        path.write_bytes(bytes(2 * BUFFER_BYTES))
        assert len(reader.read()) == 2 * BUFFER_BYTES
        assert len(reader.read()) == 0
    assert len(beats) == 1


def waits(seconds: float) -> child.Work:
    """A long step, and after it, or instead, silence."""

    def work(report: ReportProgress) -> str:
        with heartbeat.patience():
            time.sleep(seconds)
        time.sleep(0.2)
        return "done"

    return work


def then_hangs(report: ReportProgress) -> None:
    waits(0)(report)
    time.sleep(60)


def test_a_long_step_may_be_quiet_for_longer_and_what_follows_may_not() -> None:
    options = ChildOptions(Policy(GIB), timeout_seconds=1)
    assert child.run(waits(3), options, silently).value == "done"
    began = time.monotonic()
    with pytest.raises(MediaError, match="for 1 seconds"):
        child.run(then_hangs, options, silently)
    with pytest.raises(MediaError, match=f"for {child.LONG_STEP_FACTOR * 0.2:g} seconds"):
        child.run(waits(60), replace(options, timeout_seconds=0.2), silently)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(("share", "ends"), [(0.9, False), (0.0, True)])
def test_a_child_that_gets_no_processor_does_not_hang(share: float, ends: bool, monkeypatch: Any) -> None:
    monkeypatch.setattr(child.CpuWait, "share", lambda self, seconds: share)

    def sleeps(report: ReportProgress) -> str:
        time.sleep(4)
        return "done"

    options = ChildOptions(Policy(GIB), timeout_seconds=TIMEOUT_SECONDS)
    if ends:
        with pytest.raises(MediaError, match="no progress"):
            child.run(sleeps, options, silently)
    else:
        assert child.run(sleeps, options, silently).value == "done"


BESIDE = """
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
os.nice(int(sys.argv[2]))
print(flush=True)
while sys.argv[3] == "busy" or not time.sleep(60):
    pass
"""


@pytest.mark.parametrize(("what", "least", "most"), [("busy", 0.5, 1.0), ("sleeps", 0.0, 0.1)])
def test_how_long_a_process_waits_for_a_processor(what: str, least: float, most: float) -> None:
    """Beside one that always has work to do, on the same core."""
    core = max(os.sched_getaffinity(0))
    with ExitStack() as ends:
        started = []
        for nice, does in ((0, "busy"), (19, what)):
            process = subprocess.Popen(
                [sys.executable, "-c", BESIDE, str(core), str(nice), does], stdout=subprocess.PIPE
            )
            started.append(ends.enter_context(process))
            ends.callback(process.kill)
            assert process.stdout is not None
            process.stdout.readline()
        cpu_wait = CpuWait(started[1].pid)
        cpu_wait.share(1)
        shares = []
        while len(shares) < 4 and not (shares and least <= shares[-1] <= most):  # a wait counts when it has ended
            time.sleep(1.5)
            shares.append(cpu_wait.share(1.5))
        assert least <= shares[-1] <= most, shares
    assert CpuWait(started[1].pid).share(1) == 0


def test_patience_lasts_until_the_last_long_step_ended(beats: list[bool]) -> None:
    with heartbeat.patience():
        with heartbeat.patience():
            heartbeat.beat()
        heartbeat.beat()
    heartbeat.beat()
    assert beats == [True, True, True, True, True, False, False]


def frames_of(clip: Any) -> int:
    with video.open_media(clip("a.mkv", frames=30)) as file, video.demux(file) as container:
        return len(list(video.decode(container, container.streams.video[0])))


def encoded(clip: Any) -> int:
    made = list(selftest._video_frames(selftest.SPEC))
    encoder.encode(selftest.SPEC, made)
    return len(made)


def decoded_again(clip: Any) -> int:
    extradata, packets = encoder.encode(selftest.SPEC, selftest._video_frames(selftest.SPEC))
    return len(list(encoder.decode(selftest.SPEC, extradata, packets))) + len(packets)


def sounds(clip: Any) -> int:
    path = clip("a.mkv", frames=50, audio="flac")
    with video.open_media(path) as file:
        return len(list(decode_blocks(file, 1)))


def megabytes(clip: Any) -> int:
    fd = os.memfd_create("megabytes")
    os.truncate(fd, 5 << 20)
    hash_descriptor(fd)
    os.close(fd)
    return 5


def animation(clip: Any) -> int:
    path = clip("a.mp4", frames=1).with_suffix(".gif")
    shown = [Image.fromarray(np.full((8, 8), 30 * n, np.uint8)) for n in range(6)]
    shown[0].save(path, save_all=True, append_images=shown[1:])
    with video.open_media(path) as file, pictures.open_picture(file) as image:
        return len(list(pictures.frames(image)))


def entries(clip: Any) -> int:
    receipt.chain(heartbeat.beating([("track", {"number": n}) for n in range(20)]))
    return 20


class Nothing:
    labels = frozenset({"face"})
    interval_seconds = min_interval_seconds = 0.0

    def detect(self, view: View) -> list[Any]:
        return []


def detections(clip: Any) -> int:
    view = PictureView(Image.new("RGB", (64, 64)))
    ensemble = DetectorEnsemble([Nothing()] * 3, {}, 1, None)  # type: ignore[list-item]
    ensemble.detect(view, ensemble.detectors)
    return 3


UNITS = {
    "a frame that is decoded": frames_of,
    "a frame that is encoded": encoded,
    "a frame that is decoded again": decoded_again,
    "a block of sound": sounds,
    "a megabyte that is hashed": megabytes,
    "a frame of an animation": animation,
    "an entry of a receipt": entries,
    "a frame that a model searches": detections,
}


@pytest.mark.parametrize("unit", UNITS)
def test_each_unit_of_work_is_a_sign_of_life(unit: str, clip: Any, beats: list[bool]) -> None:
    done = UNITS[unit](clip)
    assert done > 2
    assert len(beats) >= done
