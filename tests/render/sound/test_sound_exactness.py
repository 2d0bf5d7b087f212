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
CODECS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "replaced": ("aac", "mp4", {}),
    "mp3": ("libmp3lame", "mp3", {"form": "s16p"}),
    "ac3": ("ac3", "matroska", {}),
    "opus": ("libopus", "ogg", {"form": "s16", "layout": "mono"}),
    "eac3": ("eac3", "matroska", {"layout": "mono"}),
    "pcm": ("pcm_s24le", "wav", {"layout": "mono"}),
}
HERE = Path(__file__).parent


def run(flags: str, paths: list[Path], **environment: str) -> list[str]:
    """The lines that `exact_run.py` prints under forced features."""
    root = HERE.parents[2]
    done = subprocess.run(
        [sys.executable, str(HERE / "exact_run.py"), flags, *map(str, paths)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(root), **environment},
    )
    return done.stdout.splitlines()


def lengthen(path: Path, target: Path, seconds: int) -> None:
    """A file of `seconds` that repeats the packets of another."""
    kind = {"mp4": "mp4", "mp3": "mp3", "matroska": "matroska", "ogg": "ogg", "wav": "wav"}[path.suffix[1:]]
    with av.open(str(path)) as source, av.open(str(target), "w", format=kind) as output:
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
    paths = [sound_file(codec, kind, samples=6 * 48000, **how) for codec, kind, how in CODECS.values()]
    expected = run("all", paths)
    assert len(expected) == len(CODECS)
    for name, flags in FLAGS.items():
        assert run(flags, paths) == expected, name
    assert run("all", paths, GLIBC_TUNABLES="glibc.cpu.hwcaps=-AVX2,-FMA", LC_ALL="C", TZ="Asia/Tokyo") == expected


@pytest.mark.parametrize("name", ["replaced", "mp3", "opus"])
def test_ten_minutes_are_exact_too(name: str, sound_file: Any, tmp_path: Path) -> None:
    codec, kind, how = CODECS[name]
    short = sound_file(codec, kind, samples=8 * 48000, **how)
    path = tmp_path / f"long{short.suffix}"
    lengthen(short, path, LONG_S)
    assert run("0", [path]) == run("all", [path])
