"""Speed of `render` beside a bare transcode, the cost of its covers, its memory, and the quality of its picture.

    python benchmarks/render.py WORK [--rounds 3] [--only speed,cores,parts,picture,sound,memory,quality]

All figures are ratios or come from this one run. Runs that are compared take turns, and the shortest of each counts, so
that other load on the machine falls on all of them alike. Behind its seconds stands how many cores a run kept busy: one
that was disturbed shows fewer than it should. With VERIDACT_MEDIA set, quality is measured on real clips.
"""

# ruff: noqa: E402
import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

sys.path[0] = str(Path(__file__).resolve().parents[1])  # for `benchmarks` and the checkout's `veridact`

import av
import numpy as np
from PIL import Image

from benchmarks.footage import CLIP_FRAMES, SOUND_S, lengthen, make_clip, manifest_of, scene
from benchmarks.parts import parts
from benchmarks.quality import quality
from veridact.media.containers import SUFFIXES
from veridact.media.video import decode, demux, open_media
from veridact.progress import silently
from veridact.render import pipeline, selftest
from veridact.render.video import encoder, workers
from veridact.render.video import stream as video
from veridact.schema import reader

CORES_S = 38
"""Twice the clip. What only one core can do (opening, the known answers, checking) and the last segment, in which one
worker waits for the other, take some 0.7 s in a clip of any length, and would count for too much in a short one."""

MEMORY_S = (60, 1800)
ROOT = Path(__file__).resolve().parents[1]


class Took(NamedTuple):
    """Wall-clock and CPU seconds of a run, the latter with those of the processes that it started."""

    seconds: float
    cpu_seconds: float


def rendered(path: Path, read: reader.LoadedManifest, jobs: int) -> None:
    out = path.with_name(f"rendered{SUFFIXES[read.manifest.output.container][0]}")
    options = pipeline.Options(jobs, True, False, False, True)
    pipeline.render(path, read, out, out.with_suffix(".jsonl"), options, silently)


def x264_of(container: Any, width: int, height: int, threads: int) -> Any:
    """The encoder of profile `h264` as anyone would open it: the same settings, but x264's own threads."""
    own = encoder.PROFILES["h264"].options
    params = own["x264-params"].replace("threads=1:lookahead-threads=1", f"threads={threads}", 1)
    stream = container.add_stream("libx264", rate=25, options={**own, "x264-params": params})
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.codec_context.thread_count = threads
    return stream


def in_segments(path: Path, read: reader.LoadedManifest, jobs: int) -> None:
    """What no render of this design can be faster than: decoding, and encoding in segments, and nothing besides."""
    with open_media(path) as opened, demux(opened) as source:
        stream = source.streams.video[0]
        decoded = decode(source, stream)
        first = next(decoded)
        spec = video.spec_of(stream, first, "h264")
        length = video.segment_frames(read.manifest.source.streams[0], 8)  # type: ignore[arg-type]

        def work(segment: int, numbered: Iterator[workers.Numbered]) -> None:
            encoder.encode(spec, (frame for _, frame in numbered))

        workers.run(chain([first], decoded), length, jobs, work)


def transcoded(path: Path, threads: int, boxes: int = 0) -> None:
    """A bare transcode through PyAV with the decoder and the x264 settings of `render`; with `boxes`, through FFmpeg's
    own drawbox filter."""
    with open_media(path) as opened, demux(opened) as source, av.open(
        str(path.with_name("bare.mp4")), "w"
    ) as output:  # fmt: skip
        stream = source.streams.video[0]
        made = x264_of(output, stream.width, stream.height, threads)
        filters = drawn(stream, boxes) if boxes else None
        for frame in decode(source, stream):
            shown = frame
            if filters is not None:
                filters.push(frame)
                shown = filters.pull()
            shown.pict_type = av.video.frame.PictureType.NONE
            output.mux(made.encode(shown))
        output.mux(made.encode(None))


def drawn(stream: Any, boxes: int) -> Any:
    """A graph of FFmpeg's drawbox filters, each over one still rectangle."""
    graph = av.filter.Graph()
    last = graph.add_buffer(template=stream)
    w, h = stream.width // 12, stream.height // 5
    for n in range(boxes):
        x, y = (2 * n + 1) * stream.width // 18, (n % 4 + 1) * stream.height // 7
        box = graph.add("drawbox", f"x={x}:y={y}:w={w}:h={h}:color=black:t=fill")
        last.link_to(box)
        last = box
    last.link_to(sink := graph.add("buffersink"))
    del sink
    graph.configure()
    return graph


def cpu_seconds() -> float:
    """CPU seconds that this process and the children it waited for have used so far."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def shortest(runs: dict[str, Callable[[], None]], rounds: int) -> dict[str, Took]:
    """The shortest of `rounds` runs of each; they take turns."""
    best: dict[str, Took] = {}
    for _ in range(rounds):
        for name, run in runs.items():
            used, began = cpu_seconds(), time.perf_counter()
            run()
            took = Took(time.perf_counter() - began, cpu_seconds() - used)
            best[name] = min(best.get(name, took), took)
    return best


def print_seconds(runs: dict[str, Took]) -> None:
    print("   ".join(f"{name} {t.seconds:.2f} s ({t.cpu_seconds / t.seconds:.2f} cores)" for name, t in runs.items()))


def row(what: str, value: float, target: str, note: str = "") -> None:
    print(f"{what:58} {value:8.2f}  {target:10} {note}", flush=True)


def speed(work: Path, rounds: int) -> None:
    clip = make_clip(work / "1080p.mp4", 1920, 1080)
    covered, bare = manifest_of(clip, 8), manifest_of(clip, 0)
    runs: dict[str, Callable[[], None]] = {
        "2 jobs": lambda: rendered(clip, covered, 2),
        "bare 2": lambda: transcoded(clip, 2),
        "bare 4": lambda: transcoded(clip, 4),
        "no covers": lambda: rendered(clip, bare, 2),
        "bare 1": lambda: transcoded(clip, 1),
        "segments alone": lambda: in_segments(clip, covered, 2),
        "drawbox 2": lambda: transcoded(clip, 2, boxes=8),
    }
    found = shortest(runs, rounds)
    print_seconds(found)
    took = {name: run.seconds for name, run in found.items()}
    best = min(took[f"bare {n}"] for n in (1, 2, 4))
    row("1080p, 8 moving covers, 2 jobs / bare transcode", took["2 jobs"] / best, "<= 0.90")
    row("segments alone, 2 jobs / bare transcode", took["segments alone"] / best, "", "no cover, no digest: the floor")
    row("with covers / without", took["2 jobs"] / took["no covers"], "<= 1.03")
    row("2 jobs / the same job with FFmpeg's drawbox", took["2 jobs"] / took["drawbox 2"], "", "2 x264 threads")
    row("frames a second, 2 jobs", CLIP_FRAMES / took["2 jobs"], "")


def cores(work: Path, rounds: int) -> None:
    path = lengthen(make_clip(work / "1080p.mp4", 1920, 1080), work / f"1080p-{CORES_S}s.mp4", CORES_S)
    read = manifest_of(path, 8)
    found = shortest({"2 jobs": lambda: rendered(path, read, 2), "1 job": lambda: rendered(path, read, 1)}, rounds)
    print_seconds(found)
    row(
        f"{CORES_S} s of 1080p: 2 jobs, times as fast as 1", found["1 job"].seconds / found["2 jobs"].seconds, ">= 1.90"
    )


def in_parts(work: Path, rounds: int) -> None:
    clip = make_clip(work / "1080p.mp4", 1920, 1080)
    read = manifest_of(clip, 8)
    found = [parts(clip, read) for _ in range(rounds)]
    for name in found[0]:
        row(f"CPU ms a frame at 1080p, 8 moving covers: {name}", min(f[name] for f in found), "")


def picture(work: Path, rounds: int) -> None:
    path = work / "12mp.jpg"
    if not path.exists():
        planes = next(scene(4000, 3000, 1))
        wide = [p if p.shape[0] == 3000 else p.repeat(2, axis=0).repeat(2, axis=1) for p in planes]
        Image.merge("YCbCr", [Image.fromarray(p) for p in wide]).convert("RGB").save(path, quality=92)
    read = manifest_of(path, 8)

    def with_pillow() -> None:
        with Image.open(path) as image:
            image.convert("RGB").save(BytesIO(), "JPEG", quality=92, subsampling=2)

    check, selftest.check = selftest.check, lambda manifest: None
    took = shortest({"render": lambda: rendered(path, read, 1), "Pillow": with_pillow}, rounds + 2)
    selftest.check = check
    row("12-megapixel JPEG / Pillow's decode and encode", took["render"].seconds / took["Pillow"].seconds, "<= 3")
    took = shortest({"self-test": lambda: check(read.manifest)}, rounds)
    row("self-test, seconds", took["self-test"].seconds, "<= 0.3")


def sound(work: Path, rounds: int) -> None:
    short, path = work / "short.m4a", work / "sound.m4a"
    if not path.exists():
        generator = np.random.default_rng(7)
        with av.open(str(short), "w") as container:
            stream = container.add_stream("aac", rate=48000, layout="stereo")
            for number in range(8 * 48):
                at = np.arange(1000) + 1000 * number
                wave = 0.2 * np.sin(at * (0.02 + 1e-8 * at)) + 0.02 * generator.standard_normal((2, 1000))
                frame = av.AudioFrame.from_ndarray(wave.astype(np.float32), "fltp", "stereo")
                frame.sample_rate, frame.pts = 48000, 1000 * number
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        lengthen(short, path, SOUND_S)
    read = manifest_of(path, 0, ranges=20)
    took = shortest({"sound": lambda: rendered(path, read, 1)}, rounds)
    row("10 minutes of AAC, 20 ranges, times real time", SOUND_S / took["sound"].seconds, ">= 150")


def peak_mb(path: Path, work: Path, jobs: int) -> float:
    """Peak memory in MiB of the largest process of a render."""
    manifest = work / "memory.json"
    manifest.write_bytes(manifest_of(path, 8).raw)
    code = (
        "import resource, sys; from veridact.cli.runner import run; from veridact.cli.render import render;"
        "failed = run(render, 'render', sys.argv[1:]);"
        "print(*(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)));"
        "sys.exit(failed)"
    )
    command = [sys.executable, "-c", code, str(path), str(manifest), str(work / "memory.mp4"), "--force", "--quiet"]
    done = subprocess.run([*command, "--jobs", str(jobs)], check=True, capture_output=True, text=True, cwd=ROOT)
    return max(map(int, done.stdout.split())) / 1024


def memory(work: Path, rounds: int) -> None:
    clip = make_clip(work / "small.mp4", 320, 180)
    long = {s: lengthen(clip, work / f"small-{s}.mp4", s) for s in MEMORY_S}
    found = {s: peak_mb(path, work, 2) for s, path in long.items()}
    short, far = MEMORY_S
    row(f"peak memory at {far // 60} minutes / at {short // 60}", found[far] / found[short], "<= 1.10", f"{found} MB")
    row("peak memory at 1080p, 2 jobs, MB", peak_mb(make_clip(work / "1080p.mp4", 1920, 1080), work, 2), "<= 600")


PARTS = {
    "speed": speed,
    "cores": cores,
    "parts": in_parts,
    "picture": picture,
    "sound": sound,
    "memory": memory,
    "quality": lambda work, rounds: quality(row),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(PARTS))
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    work = given.work.resolve()
    for name in given.only.split(","):
        PARTS[name](work, given.rounds)


if __name__ == "__main__":
    main()
