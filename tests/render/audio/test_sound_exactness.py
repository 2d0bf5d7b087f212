"""The same bytes whatever the processor can do: each case runs in processes with other features switched off."""

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

FLAGS = {"none": "0", "SSE2": "0x10", "SSSE3": "0xd0", "AVX": "0x43d0", "all": "all"}
# Ten minutes are made by repeating the packets of a few seconds: an inexact codec shows itself only in long sound.
LONG_S = 600
CODECS: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "replaced": ("aac", "mp4", {}, "mp4"),
    "aac": ("aac", "mov", {}, "flac"),
    "mp3": ("libmp3lame", "mp3", {"form": "s16p"}, "mkv"),
    "ac3": ("ac3", "matroska", {}, "mov"),
    "opus": ("libopus", "ogg", {"form": "s16", "layout": "mono"}, "mp4"),
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


def test_every_codec_gives_the_same_bytes_under_every_processor(sound_file: Any) -> None:
    cases = [f"{to}={sound_file(codec, kind, samples=6 * 48000, **how)}" for codec, kind, how, to in CODECS.values()]
    expected = run("all", cases)
    assert len(expected) == len(CODECS)
    for name, flags in FLAGS.items():
        assert run(flags, cases) == expected, name
    assert run("all", cases, GLIBC_TUNABLES="glibc.cpu.hwcaps=-AVX2,-FMA", LC_ALL="C", TZ="Asia/Tokyo") == expected


@pytest.mark.parametrize("name", ["replaced", "aac", "mp3", "opus"])
def test_ten_minutes_are_exact_too(name: str, sound_file: Any, tmp_path: Path) -> None:
    codec, kind, how, to = CODECS[name]
    short = sound_file(codec, kind, samples=8 * 48000, **(how | {"layout": "mono"}))
    path = tmp_path / f"long{short.suffix}"
    lengthen(short, path, LONG_S)
    assert run("0", [f"{to}={path}"]) == run("all", [f"{to}={path}"])
