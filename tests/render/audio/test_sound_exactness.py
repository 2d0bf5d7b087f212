"""The same bytes on every processor: each case runs in processes with other features disabled."""

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

FLAGS = {"none": "0", "SSE2": "0x10", "SSSE3": "0xd0", "AVX": "0x43d0", "all": "all"}
# Ten minutes are made by repeating the packets of a few seconds: an inexact decoder shows only in long streams.
LONG_S = 600
CODECS: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "replaced": ("aac", "mp4", {}, "mp4"),
    "aac": ("aac", "mov", {}, "flac"),
    "mp3": ("libmp3lame", "mp3", {"sample_format": "s16p"}, "mkv"),
    "ac3": ("ac3", "matroska", {}, "mov"),
    "opus": ("libopus", "ogg", {"sample_format": "s16", "layout": "mono"}, "mp4"),
    "eac3": ("eac3", "matroska", {"layout": "mono"}, "mkv"),
    "pcm": ("pcm_s24le", "wav", {"layout": "mono"}, "m4a"),
}
HERE = Path(__file__).parent


def run(flags: str, cases: list[str], **environment: str) -> list[str]:
    """The lines that `exact_run.py` prints under forced features."""
    root = HERE.parents[2]
    done = subprocess.run(
        [sys.executable, str(HERE / "exact_run.py"), flags, *cases],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(root), **environment},
    )
    return done.stdout.splitlines()


def lengthen(path: Path, target: Path, seconds: int) -> None:
    """A file of `seconds` that repeats the packets of another."""
    with av.open(str(path)) as source, av.open(str(target), "w", format=path.suffix[1:]) as output:
        stream = source.streams.audio[0]
        copy = output.add_stream_from_template(stream)
        packets = [(bytes(p), p.duration) for p in source.demux(stream) if p.size and p.duration][3:-1]
        at, number = 0, 0
        while at * stream.time_base < seconds:
            data, duration = packets[number % len(packets)]
            packet = av.Packet(data)
            packet.pts = packet.dts = at
            packet.duration, packet.time_base, packet.stream = duration, Fraction(stream.time_base), copy
            output.mux(packet)
            at, number = at + duration, number + 1


def test_every_codec_gives_the_same_bytes_under_every_processor(audio_file: Any) -> None:
    cases = [
        f"{to}={audio_file(codec, kind, samples=6 * 48000, **parameters)}"
        for codec, kind, parameters, to in CODECS.values()
    ]
    expected = run("all", cases)
    assert len(expected) == len(CODECS)
    for name, flags in FLAGS.items():
        assert run(flags, cases) == expected, name
    assert run("all", cases, GLIBC_TUNABLES="glibc.cpu.hwcaps=-AVX2,-FMA", LC_ALL="C", TZ="Asia/Tokyo") == expected


@pytest.mark.parametrize("name", ["replaced", "aac", "mp3", "opus"])
def test_ten_minutes_are_exact_too(name: str, audio_file: Any, tmp_path: Path) -> None:
    codec, kind, parameters, to = CODECS[name]
    short = audio_file(codec, kind, samples=8 * 48000, **(parameters | {"layout": "mono"}))
    path = tmp_path / f"long{short.suffix}"
    lengthen(short, path, LONG_S)
    assert run("0", [f"{to}={path}"]) == run("all", [f"{to}={path}"])
