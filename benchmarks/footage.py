"""Synthetic footage for benchmarks: a panning camera over textured hills with sensor noise, and its manifests."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from veridact.media import video
from veridact.media.pictures import CONTAINER_OF
from veridact.media.source import read_source
from veridact.render.video.planes import layout_of, plane_arrays
from veridact.schema import reader, writer
from veridact.schema.manifest import (
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

CLIP_FRAMES = 480
SOUND_S = 600
Samples = np.ndarray[Any, Any]


def texture(generator: np.random.Generator, height: int, width: int, step: int) -> Samples:
    """Smooth random hills `step` pixels apart: `(height, width)` of float32."""
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
    """A clip with camera-like noise, encoded as a camera would; kept for the next run."""
    path = path.with_stem(f"{path.stem}-{count}-frames")
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


def manifest_of(path: Path, covers: int, ranges: int = 0) -> reader.LoadedManifest:
    """A manifest with moving ellipses on the picture and ranges in the sound, evenly spread."""
    with video.open_media(path) as opened:
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
    return reader.LoadedManifest(manifest, writer.write(manifest))
