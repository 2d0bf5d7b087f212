"""Load: many clips in a row and at once, a film of two hours, a manifest of a hundred thousand tracks.

Prints CPU seconds (of all processes of a command), peak memory of its largest process and, where the work is done on a
tenth of the input as well, the ratio. Exits 1 when memory or descriptors grow from clip to clip, or a command fails.
`--scale 0.1` makes everything a tenth as large.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
CLIPS, AT_ONCE, TRACKS, FILM_SECONDS = 200, 8, 100_000, 7200
FRAMES_A_SECOND = 25
GROWTH = 1.25
"""How much more than ten times the cost of a tenth still counts as linear."""

BYTES_A_FRAME = 1024
"""Memory that may be kept of each frame of a film: its time and what was found, never its pixels."""

KNOWN_MIB, CHILD_MIB = 8, 32
"""How much the memory of a process, and the peak of its children, may grow from its twentieth clip to its last."""

MAIN = "from veridact.cli.main import main; main()"
IN_A_ROW = """
import os, resource, sys
from veridact.cli.main import veridact
from veridact.cli.runner import run
folder, count, *sources = sys.argv[1], int(sys.argv[2]), *sys.argv[3:]
for number in range(count):
    source = sources[number % len(sources)]
    manifest, out = f"{folder}/{number}.json", f"{folder}/out{number}.{source[-3:].replace('mkv', 'mp4')}"
    for arguments in (
        ["locate", "--labels", "face", "--quiet", source, "-o", manifest],
        ["render", "--quiet", "--allow-uncovered", source, manifest, out],
        ["verify", f"{out}.audit.jsonl", "--input", source, "--manifest", manifest, "--output", out, "--json"],
    ):
        code = run(veridact, "veridact", arguments)
        if code:
            sys.exit(f"{arguments[0]} of clip {number}: {code}")
    os.unlink(out)
    pages = int(open("/proc/self/statm").read().split()[1])
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
    open_files = len(os.listdir("/proc/self/fd"))
    print("state", pages * os.sysconf("SC_PAGE_SIZE") >> 20, children, open_files, flush=True)
"""


@dataclass(frozen=True)
class Cost:
    """What a command took: exit code, CPU and wall-clock seconds, and the peak memory of its largest process."""

    code: int
    cpu_seconds: float
    seconds: float
    peak_mib: int


def cost(*arguments: object) -> Cost:
    """Runs a veridact command to its end."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu = used.ru_utime + used.ru_stime
    return Cost(process.returncode, cpu, time.monotonic() - began, used.ru_maxrss >> 10)


def film(path: Path, seconds: int, sound: bool = False) -> Path:
    """A clip in which a gray square goes round; ten seconds of it are encoded and repeated, packet by packet."""
    width, height = 160, 90
    loop = min(10, seconds) * FRAMES_A_SECOND
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FRAMES_A_SECOND, options={"preset": "veryfast", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = loop
        voice = container.add_stream("aac", rate=48000, layout="mono") if sound else None
        base = np.random.default_rng(3).integers(40, 200, (height, width, 3), dtype=np.uint8)
        packets = []
        for number in range(loop):
            picture = base.copy()
            picture[20:60, number % 100 : number % 100 + 40] = 128
            packets += stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24"))
        packets += stream.encode(None)
        if voice is not None:
            hum = av.AudioFrame.from_ndarray(np.zeros((1, 48000 * seconds), np.float32), "fltp", "mono")
            hum.sample_rate, hum.pts = 48000, 0
            container.mux([*voice.encode(hum), *voice.encode(None)])
        for repeat in range(max(1, seconds // 10)):
            for packet in packets:
                copy = av.Packet(bytes(packet))
                copy.pts = copy.dts = (packet.pts or 0) + repeat * loop
                copy.time_base, copy.stream, copy.is_keyframe = packet.time_base, stream, packet.is_keyframe
                container.mux(copy)
    return path


@dataclass(frozen=True)
class State:
    """A process after a clip: its own memory, the peak of its largest child so far, its open descriptors."""

    own_mib: int
    children_mib: int
    descriptors: int


def short_clips(folder: Path) -> list[Path]:
    """Short clips of several kinds: footage in two containers, with and without sound, and a picture."""
    found = [film(folder / "short.mp4", 1), film(folder / "sound.mp4", 2, sound=True), film(folder / "long.mkv", 4)]
    picture = np.random.default_rng(5).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    Image.fromarray(picture).save(folder / "still.png")
    return [*found, folder / "still.png"]


def in_a_row(folder: Path, count: int) -> Iterator[str]:
    """Locate, render and verify of many clips in one process; yields a line for each failure."""
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", IN_A_ROW, folder, str(count), *short_clips(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    states = [State(*map(int, line.split()[1:])) for line in ended.stdout.splitlines() if line.startswith("state")]
    if ended.returncode or len(states) != count:
        yield f"in a row: ended with {ended.returncode} after {len(states)} clips: {ended.stderr.strip()[-200:]}"
        return
    settled, last = states[min(20, count // 2)], states[-1]
    print(f"{count} clips in a row in {time.monotonic() - began:.0f} s: once settled {settled}, at the end {last}, "
          f"never over {max(s.own_mib for s in states)} MiB", flush=True)  # fmt: skip
    if last.own_mib > settled.own_mib + KNOWN_MIB:
        yield "in a row: memory grows from clip to clip"
    if last.children_mib > settled.children_mib + CHILD_MIB:
        yield "in a row: memory of the decoder processes grows from clip to clip"
    if last.descriptors > settled.descriptors:
        yield "in a row: descriptors grow from clip to clip"


def at_once(folder: Path, count: int) -> Iterator[str]:
    """Locate, render and verify of several clips at the same time; yields a line for each failure."""
    began, running = time.monotonic(), []
    for number in range(count):
        (own := folder / f"once{number}").mkdir()
        running.append(subprocess.Popen(
            [sys.executable, "-c", IN_A_ROW, own, "4", *short_clips(own)],
            env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL,
        ))  # fmt: skip
    peaks = []
    for process in running:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        peaks.append(used.ru_maxrss >> 10)
    print(f"{count} at once: {time.monotonic() - began:.0f} s, at most {max(peaks)} MiB each")
    yield from (f"at once: process {n} ended with {p.returncode}" for n, p in enumerate(running) if p.returncode)


def grown(what: str, small: Cost, large: Cost, by: float) -> Iterator[str]:
    """Prints the costs of a command on a tenth and on all; yields a line where it fails or costs grow too fast."""
    ratio = large.cpu_seconds / max(small.cpu_seconds, 0.001)
    print(f"{what:24} {small.cpu_seconds:8.1f} s CPU {small.peak_mib:5} MiB   {large.cpu_seconds:8.1f} s CPU "
          f"{large.peak_mib:5} MiB   x {ratio:.1f} for x {by:g}", flush=True)  # fmt: skip
    yield from (f"{what}: exit {c.code}" for c in (small, large) if c.code)
    if ratio > by * GROWTH:
        yield f"{what}: grows faster than the work"


def long_film(folder: Path, seconds: int) -> Iterator[str]:
    """A film and a tenth of it through locate, render and verify."""
    paths = [film(folder / f"film{n}.mp4", n) for n in (seconds // 10, seconds)]
    costs: list[list[Cost]] = []
    for path in paths:
        manifest, out = path.with_suffix(".json"), path.with_suffix(".out.mp4")
        costs.append([
            cost("locate", "--labels", "face", "--stride", FRAMES_A_SECOND, "--quiet", path, "-o", manifest),
            cost("render", "--quiet", "--allow-uncovered", path, manifest, out),
            cost("verify", f"{out}.audit.jsonl", "--input", path, "--manifest", manifest, "--output", out),
        ])  # fmt: skip
    for name, small, large in zip(("locate", "render", "verify"), *costs, strict=True):
        yield from grown(f"film of {seconds} s: {name}", small, large, 10)
        more = (large.peak_mib - small.peak_mib << 20) / (seconds * 0.9 * FRAMES_A_SECOND)
        if more > BYTES_A_FRAME:
            yield f"{name}: {more:.0f} bytes of memory for each frame"


def many_tracks(folder: Path, tracks: int) -> Iterator[str]:
    """A manifest of many tracks and a tenth of it through the tools and render."""
    source = film(folder / "tracks.mp4", 80)
    empty = folder / "empty.json"
    if code := cost("locate", "--labels", "face", "--quiet", source, "-o", empty).code:
        yield f"many tracks: locate ends with {code}"
        return
    tree = json.loads(empty.read_bytes())
    frames = tree["source"]["streams"][0]["frames"]
    costs: list[list[Cost]] = []
    for count in (tracks // 10, tracks):
        manifest, out = folder / f"{count}.json", folder / f"{count}.mp4"
        tree["tracks"] = [_track(number, count, frames) for number in range(count)]
        manifest.write_text(json.dumps(tree))
        costs.append([
            cost("validate", manifest),
            cost("lint", manifest),
            cost("edit", manifest, "reject", "--where", "label==custom", "-o", folder / f"{count}.edited.json"),
            cost("diff", manifest, manifest),
            cost("render", "--quiet", source, manifest, out),
            cost("verify", f"{out}.audit.jsonl", "--input", source, "--manifest", manifest, "--output", out),
        ])  # fmt: skip
    for name, small, large in zip(("validate", "lint", "edit", "diff", "render", "verify"), *costs, strict=True):
        yield from (
            problem for problem in grown(f"{tracks} tracks: {name}", small, large, 10) if "lint: exit 1" not in problem
        )


def _track(number: int, count: int, frames: int) -> dict[str, object]:
    """A small cover for two frames; the tracks begin one after the other over the clip."""
    first = number * (frames - 2) // count
    box = [number * 7 % 150, number * 11 % 80, 6, 6]
    return {
        "id": f"custom-{number + 1:04}", "stream": 0, "label": "custom", "review": "added", "origin": {"by": "hand"},
        "segments": [{"end": first + 2, "keys": [{"frame": first, "box": box}]}],
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--only", choices=["row", "once", "film", "tracks"])
    asked = parser.parse_args()
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if asked.only in {None, "row", "once"}:
            failures += in_a_row(folder, max(4, int(CLIPS * asked.scale))) if asked.only != "once" else []
            failures += at_once(folder, AT_ONCE) if asked.only != "row" else []
        if asked.only in {None, "film"}:
            failures += long_film(folder, max(100, int(FILM_SECONDS * asked.scale)))
        if asked.only in {None, "tracks"}:
            failures += many_tracks(folder, max(100, int(TRACKS * asked.scale)))
    print("\n".join(failures) or "no failure")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
