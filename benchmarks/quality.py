"""Quality (SSIM) and size of profile `h264` beside the source, on the real clips in VERIDACT_MEDIA."""

import os
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from veridact.errors import VeridactError
from veridact.media.video import decode, demux, open_media
from veridact.render.video import encoder, frames
from veridact.render.video import stream as video
from veridact.render.video.planes import layout_of, plane_arrays

QUALITY_FRAMES = 128
Samples = np.ndarray[Any, Any]


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
    """Size relative to the source, and mean SSIM of luma, of the first frames of a clip under profile `h264`."""
    waiting: list[Any] = []
    similarities: list[float] = []
    size = number = 0

    def flush() -> None:
        nonlocal size
        extradata, packets = encoder.encode(spec, waiting)
        size += sum(len(p.data) for p in packets)
        for n, (before, after) in enumerate(zip(waiting, encoder.decode(spec, extradata, packets), strict=True)):
            if n % 8 == 3:
                layout = layout_of(spec.pixel_format)
                a, b = plane_arrays(before, layout)[0], plane_arrays(after, layout)[0]
                similarities.append(ssim(a, b, (1 << layout.bits) - 1))
        waiting.clear()

    with open_media(path) as opened:
        with demux(opened) as container:
            stream = container.streams.video[0]
            for number, frame in enumerate(decode(container, stream), 1):
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
        with demux(opened) as container:
            packets = [p.size for p in container.demux(container.streams.video[0])]
    return size / sum(packets[:number]), float(np.mean(similarities or [1.0]))


def quality(row: Callable[..., None]) -> None:
    """Prints the worst SSIM and the median size of all clips."""
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
