"""A short run of the fuzzer, and by name every input that once ended in anything but a refusal."""

import json
import random
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from benchmarks import fuzz
from benchmarks.fuzz_changes import mutate
from veridact.errors import MediaError
from veridact.media.source import read_source
from veridact.media.video import open_media

ROOT = Path(__file__).resolve().parents[2]
RUNS = {"manifest": 7500, "receipt": 6500, "sealed": 1500, "opening": 6000, "media": 1500}


@pytest.mark.parametrize("kind", RUNS)
def test_random_changes_are_only_ever_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VERIDACT_MEDIA", raising=False)
    assert fuzz.watch(kind, 7, RUNS[kind]) == []


BREAKERS = {
    "an exception": ("raise ValueError('found')", "ValueError: found"),
    "a crash": ("os.abort()", "ends with -6"),
    "a hang": ("time.sleep(60)", "hangs"),
    "too much memory": ("bytearray(4 << 30)", "MemoryError"),
}


@pytest.mark.parametrize("what", BREAKERS)
def test_the_watcher_reports(what: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A fuzzer that cannot fail proves nothing: each way to break is tried on it."""
    body, expected = BREAKERS[what]
    (broken := tmp_path / "broken.py").write_text(
        f"import os, sys, time\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\nfrom benchmarks import fuzz\n"
        f"def attempt(data, path):\n    {body}\n"
        "fuzz.KINDS['receipt'] = (*fuzz.KINDS['receipt'][:2], attempt)\n"
        f"fuzz.ROOT = Path({str(tmp_path)!r})\nsys.exit(fuzz.main())\n"
    )
    monkeypatch.setattr(fuzz, "CHILD", [sys.executable, str(broken)])
    monkeypatch.setattr(fuzz, "ROOT", tmp_path)
    monkeypatch.setattr(fuzz, "HANG_SECONDS", 3)
    found = fuzz.watch("receipt", 1, 1)
    assert len(found) == 1
    assert expected in found[0]
    assert (tmp_path / "out" / "fuzz" / "receipt-1-0").exists()


def test_a_run_is_repeated_by_its_seed() -> None:
    one = [mutate(b"0123456789" * 20, random.Random(f"{n}")) for n in range(50)]
    assert one == [mutate(b"0123456789" * 20, random.Random(f"{n}")) for n in range(50)]
    assert len(set(one)) > 40


def unknown_codec(path: Path, clip: Any) -> None:
    """A video stream that no decoder knows ended in an AttributeError (a changed Matroska file)."""
    path.write_bytes(clip("plain.mkv", codec="ffv1", frames=3).read_bytes().replace(b"V_FFV1", b"V_XXXX"))


def header_alone(path: Path, clip: Any) -> None:
    """Sound without a sample became a manifest that render refused (pocketsphinx_null.wav)."""
    body = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16) + b"data" + bytes(4)
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body)


def cut_descriptor(path: Path, clip: Any) -> None:
    """A GIF that ends within the size of its second frame ended in a struct.error, which is no ValueError."""
    frame = bytes.fromhex("2c0000000001000100000202440100")
    head = b"GIF89a" + struct.pack("<HH", 1, 1) + b"\x80\0\0" + bytes(6)
    path.write_bytes(head + frame + frame[:6])


FOUND: dict[str, Callable[[Path, Any], None]] = {
    "cut-descriptor.gif": cut_descriptor,
    "unknown-codec.mkv": unknown_codec,
    "header-alone.wav": header_alone,
}


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_stays_refused(name: str, clip: Any, tmp_path: Path, command: Any) -> None:
    FOUND[name](tmp_path / name, clip)
    with pytest.raises(MediaError), open_media(tmp_path / name) as media:
        read_source(media)
    code, out, said = command("locate", "--labels", "face", tmp_path / name)
    assert (code, out, said.count("\n")) == (4, "", 1), said


def test_sound_beside_a_picture_without_frames_is_rendered(tmp_path: Path, command: Any) -> None:
    """Such a file is sound alone to locate, so its container is too; render refused it (invalid_userdata.mp4)."""
    source, manifest = tmp_path / "lost.mp4", tmp_path / "m.json"
    with av.open(str(source), "w", options={"movflags": "empty_moov+frag_keyframe"}) as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("aac", rate=48000, layout="stereo")
        block = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        block.sample_rate, block.pts = 48000, 0
        container.mux([*sound.encode(block), *sound.encode(None)])
    with av.open(str(source)) as container:
        assert [s.type for s in container.streams] == ["video", "audio"]
    code, _, said = command("locate", "--labels", "face", source, "-o", manifest)
    assert code == 0, said
    container_name = json.loads(manifest.read_bytes())["output"]["container"]
    assert container_name == "m4a"
    code, _, said = command("render", "--allow-uncovered", source, manifest, tmp_path / f"out.{container_name}")
    assert code == 0, said
