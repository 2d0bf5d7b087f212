"""How fast `render` is beside a bare transcode, what its covers cost, how much memory it takes, how good it looks.

    python benchmarks/render.py WORK [--rounds 3] [--only speed,picture,sound,memory,quality]

All figures are ratios or come from this one run. Runs that are compared take turns, and the shortest of each counts, so
that other work on the machine falls on all of them alike. With VERIDACT_MEDIA set, quality is measured on real clips.
"""

# ruff: noqa: E402
import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])  # this file would hide the package of its name

import av
import numpy as np
from PIL import Image

from render import encoder, frames, pipeline, selftest, video
from render.planes import layout_of, plane_arrays
from schema import formatter, media, reading
from schema.errors import VeridactError
from schema.manifest import (
    AudioEffect,
    AudioEffects,
    AudioRange,
    Effects,
    Key,
    Manifest,
    Origin,
    Output,
    OutputStream,
    Segment,
    Solid,
    Track,
    VideoEffects,
)
from schema.pictures import CONTAINER_OF
from schema.source import read_source

SOUND_S = 600
MEMORY_S = (60, 300)
CLIP_FRAMES = 480
QUALITY_FRAMES = 128
Samples = np.ndarray[Any, Any]


def texture(generator: np.random.Generator, height: int, width: int, step: int) -> Samples:
    """Smooth random hills `step` pixels apart: (height, width) of float32."""
    hills = generator.standard_normal((height // step + 2, width // step + 2)).astype(np.float32)
    y, x = np.arange(height) / step, np.arange(width) / step
    y0, x0 = y.astype(int), x.astype(int)
    fy, fx = (y - y0)[:, None], (x - x0)[None]
    upper = hills[y0][:, x0] * (1 - fx) + hills[y0][:, x0 + 1] * fx
    lower = hills[y0 + 1][:, x0] * (1 - fx) + hills[y0 + 1][:, x0 + 1] * fx
    return np.asarray(upper * (1 - fy) + lower * fy)


def scene(width: int, height: int, count: int) -> Iterator[list[Samples]]:
    """The planes of a panning camera over hills of several sizes, with fresh sensor noise on every frame (seed 7)."""
    generator = np.random.default_rng(7)
    tall, wide = height + 200, width + 400
    luma = 128 + sum(texture(generator, tall, wide, step) * size for step, size in ((160, 45), (24, 20), (6, 10)))
    chroma = [128 + 20 * texture(generator, tall // 2, wide // 2, 100) for _ in range(2)]
    noise = [3 * generator.standard_normal((height + 64, width + 64), np.float32) for _ in range(4)]
    for number in range(count):
        x, y = (100 + int(80 * np.sin(number / 20))) & ~1, (50 + int(30 * np.cos(number / 25))) & ~1
        a, b = generator.integers(0, 64, 2)
        grain = noise[number % 4][a : a + height, b : b + width]
        planes = [luma[y : y + height, x : x + width] + grain]
        planes += [c[y // 2 : y // 2 + height // 2, x // 2 : x // 2 + width // 2] for c in chroma]
        yield [plane.clip(16, 235).astype(np.uint8) for plane in planes]


def make_clip(path: Path, width: int, height: int, count: int = CLIP_FRAMES) -> Path:
    """A clip with camera-like noise, as a camera would have encoded it; kept for the next run."""
    if path.exists():
        return path
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "veryfast", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number, planes in enumerate(scene(width, height, count)):
            frame = av.VideoFrame(width, height, "yuv420p")
            for target, plane in zip(plane_arrays(frame, layout_of("yuv420p")), planes, strict=True):
                target[:] = plane
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def lengthen(path: Path, target: Path, seconds: int) -> Path:
    """A file of `seconds` that repeats the packets of another, without encoding them again."""
    with av.open(str(path)) as source, av.open(str(target), "w") as output:
        stream = source.streams[0]
        copy = output.add_stream_from_template(stream)
        skip = 3 if stream.type == "audio" else 0
        packets = [(bytes(p), p.pts, p.dts, p.is_keyframe) for p in source.demux(stream) if p.size][skip:]
        step = Fraction(1, 25) / stream.time_base if stream.type == "video" else 1024
        first, length = min(p[1] for p in packets), int(step) * len(packets)
        for turn in range(-(-int(seconds / stream.time_base) // length)):
            for data, pts, dts, key in packets:
                packet = av.Packet(data)
                packet.pts, packet.dts = pts - first + turn * length, dts - first + turn * length
                packet.time_base, packet.is_keyframe, packet.stream = stream.time_base, key, copy
                packet.duration = int(step)
                output.mux(packet)
    return target


def manifest_of(path: Path, covers: int, ranges: int = 0) -> reading.Read:
    """A manifest with moving ellipses on the picture and ranges in the sound, evenly spread."""
    with media.open_media(path) as opened:
        source, name = read_source(opened), opened.format.name
    hand: dict[str, Any] = {"label": "custom", "review": "added", "origin": Origin(by="hand")}
    record, tracks, sound = source.streams[0], [], []
    for n in range(covers):
        last, w, h = record.frames - 1, record.width // 16, record.height // 7  # type: ignore[union-attr]
        x, y = (2 * n + 1) * record.width // 18, (n % 4 + 1) * record.height // 7  # type: ignore[union-attr]
        keys = (Key(frame=0, box=(x, y, w, h)),)
        keys += (Key(frame=last, box=(x + w, y + h // 2, w + w // 8, h + h // 8)),) if last else ()
        tracks.append(Track(id=f"custom-{n + 1:04}", stream=0, segments=(Segment(end=last + 1, keys=keys),), **hand))
    for n in range(ranges):
        start = (2 * n + 1) * SOUND_S * 500 // ranges
        sound.append(AudioRange(id=f"custom-{n + 1:04}", stream=0, start_ms=start, end_ms=start + 800, **hand))
    kept = (OutputStream(index=0, disposition="render"),)
    output, effects = {
        "video": (Output(container="mp4", profile="h264", streams=kept), ("video",)),
        "audio": (Output(container="m4a", streams=kept), ("audio",)),
        "picture": (Output(container=CONTAINER_OF.get(name, "png")), ("video",)),
    }[source.kind]
    solid = VideoEffects(default=Solid(effect="solid", shape="ellipse", pad_permille=150))
    silence = AudioEffects(default=AudioEffect(effect="silence", pad_ms=80))
    used = Effects(**{k: v for k, v in {"video": solid, "audio": silence}.items() if k in effects})
    manifest = Manifest(
        schema="veridact.manifest/1", source=source, producers=(), output=output, scope="listed", effects=used,
        tracks=tuple(tracks), audio=tuple(sound), ext={},
    )  # fmt: skip
    return reading.Read(manifest, formatter.write(manifest))


def rendered(path: Path, read: reading.Read, jobs: int) -> None:
    out = path.with_name(f"rendered{pipeline.SUFFIXES[read.manifest.output.container][0]}")
    options = pipeline.Options(jobs, True, False, False, True)
    pipeline.render(path, read, out, out.with_suffix(".jsonl"), options, pipeline.silently)


def x264_of(container: Any, width: int, height: int, threads: int) -> Any:
    """The encoder of profile `h264` as anyone would open it: the same settings, but x264's own threads."""
    own = encoder.PROFILES["h264"].options
    params = own["x264-params"].replace("threads=1:lookahead-threads=1", f"threads={threads}", 1)
    stream = container.add_stream("libx264", rate=25, options={**own, "x264-params": params})
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.codec_context.thread_count = threads
    return stream


def transcoded(path: Path, threads: int, boxes: int = 0) -> None:
    """A bare transcode through PyAV with the decoder and the x264 settings of `render`; with `boxes`, through FFmpeg's
    own drawbox filter."""
    with media.open_media(path) as opened, media.demux(opened) as source, av.open(
        str(path.with_name("bare.mp4")), "w"
    ) as output:  # fmt: skip
        stream = source.streams.video[0]
        made = x264_of(output, stream.width, stream.height, threads)
        filters = drawn(stream, boxes) if boxes else None
        for frame in media.decode(source, stream):
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


def shortest(runs: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Seconds of the shortest of each run; they take turns."""
    best: dict[str, float] = {}
    for _ in range(rounds):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            took = time.perf_counter() - began
            best[name] = min(best.get(name, took), took)
    return best


def row(what: str, value: float, target: str, note: str = "") -> None:
    print(f"{what:58} {value:8.2f}  {target:10} {note}", flush=True)


def speed(work: Path, rounds: int) -> None:
    clip = make_clip(work / "1080p.mp4", 1920, 1080)
    covered, bare = manifest_of(clip, 8), manifest_of(clip, 0)
    runs: dict[str, Callable[[], None]] = {
        "2 jobs": lambda: rendered(clip, covered, 2),
        "bare 2": lambda: transcoded(clip, 2),
        "1 job": lambda: rendered(clip, covered, 1),
        "bare 4": lambda: transcoded(clip, 4),
        "no covers": lambda: rendered(clip, bare, 2),
        "bare 1": lambda: transcoded(clip, 1),
        "drawbox 2": lambda: transcoded(clip, 2, boxes=8),
    }
    took = shortest(runs, rounds)
    best = min(took[f"bare {n}"] for n in (1, 2, 4))
    print("   ".join(f"{name} {seconds:.2f} s" for name, seconds in took.items()))
    row("1080p, 8 moving covers, 2 jobs / bare transcode", took["2 jobs"] / best, "<= 0.90")
    row("2 jobs, times as fast as 1", took["1 job"] / took["2 jobs"], ">= 1.90")
    row("with covers / without", took["2 jobs"] / took["no covers"], "<= 1.03")
    row("2 jobs / the same job with FFmpeg's drawbox", took["2 jobs"] / took["drawbox 2"], "", "2 x264 threads")
    row("frames a second, 2 jobs", CLIP_FRAMES / took["2 jobs"], "")


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
    row("12-megapixel JPEG / Pillow's decode and encode", took["render"] / took["Pillow"], "<= 3")
    took = shortest({"self-test": lambda: check(read.manifest)}, rounds)
    row("self-test, seconds", took["self-test"], "<= 0.3")


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
    row("10 minutes of AAC, 20 ranges, times real time", SOUND_S / took["sound"], ">= 150")


def peak_mb(path: Path, work: Path, jobs: int) -> float:
    """The most memory that a render of its own process ever held."""
    manifest = work / "memory.json"
    manifest.write_bytes(manifest_of(path, 8).raw)
    code = (
        "import sys; from schema.cli import run; from render.cli import render; run(render, 'render', sys.argv[1:]);"
        "print(open('/proc/self/status').read())"
    )
    command = [sys.executable, "-c", code, str(path), str(manifest), str(work / "memory.mp4"), "--force", "--quiet"]
    around = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    done = subprocess.run([*command, "--jobs", str(jobs)], check=True, capture_output=True, text=True, env=around)
    return int(re.search(r"VmHWM:\s+(\d+)", done.stdout)[1]) / 1024  # type: ignore[index]


def memory(work: Path, rounds: int) -> None:
    clip = make_clip(work / "small.mp4", 320, 180)
    long = {s: lengthen(clip, work / f"small-{s}.mp4", s) for s in MEMORY_S}
    found = {s: peak_mb(path, work, 2) for s, path in long.items()}
    short, far = MEMORY_S
    row(f"peak memory at {far // 60} minutes / at {short // 60}", found[far] / found[short], "<= 1.10", f"{found} MB")
    row("peak memory at 1080p, 2 jobs, MB", peak_mb(make_clip(work / "1080p.mp4", 1920, 1080), work, 2), "<= 600")


def ssim(x: Samples, y: Samples, peak: int) -> float:
    """Mean structural similarity of two planes over 8×8 windows every 4 samples (Wang et al. 2004, uniform weights)."""

    def mean(a: Samples) -> Samples:
        total = np.pad(a.astype(np.float64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
        return (total[8::4, 8::4] - total[:-8:4, 8::4] - total[8::4, :-8:4] + total[:-8:4, :-8:4]) / 64

    x, y = x.astype(np.float64), y.astype(np.float64)
    mx, my, c1, c2 = mean(x), mean(y), (0.01 * peak) ** 2, (0.03 * peak) ** 2
    vx, vy, both = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    return float(((2 * mx * my + c1) * (2 * both + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean())


def encoded(path: Path) -> tuple[float, float]:
    """Size as a part of the source's, and SSIM of luma, of the first frames of a clip under profile `h264`."""
    waiting: list[Any] = []
    likeness: list[float] = []
    size = number = 0

    def flush() -> None:
        nonlocal size
        extradata, packets = encoder.encode(spec, waiting)
        size += sum(len(p.data) for p in packets)
        for n, (before, after) in enumerate(zip(waiting, encoder.decode(spec, extradata, packets), strict=True)):
            if n % 8 == 3:
                layout = layout_of(spec.pixel_format)
                a, b = plane_arrays(before, layout)[0], plane_arrays(after, layout)[0]
                likeness.append(ssim(a, b, (1 << layout.bits) - 1))
        waiting.clear()

    with media.open_media(path) as opened:
        with media.demux(opened) as container:
            stream = container.streams.video[0]
            for number, frame in enumerate(media.decode(container, stream), 1):
                if number == 1:
                    spec = video.spec_of(stream, frame, "h264")
                copied, planes = frames.copy(frame, spec)
                frames.widen(copied, planes, spec)
                waiting.append(copied)
                if len(waiting) == 32:
                    flush()
                if number == QUALITY_FRAMES:
                    break
            if waiting:
                flush()
        with media.demux(opened) as container:
            packets = [p.size for p in container.demux(container.streams.video[0])]
    return size / sum(packets[:number]), float(np.mean(likeness or [1.0]))


def quality(work: Path, rounds: int) -> None:
    folder = os.environ.get("VERIDACT_MEDIA")
    if not folder:
        print("quality: left out, set VERIDACT_MEDIA to the folder of real clips")
        return
    found = {}
    for path in sorted(Path(folder, "videos").rglob("*")):
        if path.suffix in {".mp4", ".mkv", ".mov", ".webm", ".avi"}:
            try:
                found[path.name] = encoded(path)
            except VeridactError as e:
                print(f"quality: {path.name} left out, {e}")
    worst = min(found, key=lambda name: found[name][1])
    row("SSIM, the worst of the real clips", found[worst][1], ">= 0.98", f"{worst}: {found[worst][1]:.4f}")
    row("size / the source's, median of the real clips", median(s for s, _ in found.values()), "<= 1.50")


PARTS = {"speed": speed, "picture": picture, "sound": sound, "memory": memory, "quality": quality}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(PARTS))
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    for name in given.only.split(","):
        PARTS[name](given.work, given.rounds)


if __name__ == "__main__":
    main()
