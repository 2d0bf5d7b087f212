"""Renders a folder of cases with processor features disabled and prints a digest per case; test_exactness starts it.

usage: exact_render.py FOLDER CPU_FLAGS X264_ASM JOBS NAME…
(CPU_FLAGS: a number for av_force_cpu_flags, or `all`; X264_ASM: 0 or 1; a case NAME is NAME.json beside its media)
"""

import ctypes
import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import av

from veridact.media.containers import SUFFIXES
from veridact.progress import silently
from veridact.render import pipeline
from veridact.render.video import encoder
from veridact.tools import manifest_file


def without_assembly(configure: Any) -> Any:
    """`encoder.configure` with x264 in plain C, which the receipt does not mention."""

    def changed(context: Any, spec: Any) -> None:
        configure(context, spec)
        if spec.profile == "h264":
            context.options = {**context.options, "x264-params": context.options["x264-params"] + ":asm=0"}

    return changed


def main(folder: str, flags: str, asm: str, jobs: str, names: list[str]) -> None:
    if flags != "all":
        library = next((Path(av.__file__).parent.parent / "av.libs").glob("libavutil-*"))
        ctypes.CDLL(str(library)).av_force_cpu_flags(int(flags, 0))
    if asm == "0":
        encoder.configure = without_assembly(encoder.configure)
    options = pipeline.Options(int(jobs), True, False, False, False)
    for name in names:
        read = manifest_file.read_path(Path(folder) / f"{name}.json")
        media = next(p for p in Path(folder).glob(f"{name}.*") if p.suffix != ".json")
        out = Path("made", str(os.getpid()) + SUFFIXES[read.manifest.output.container][0])
        audit = out.with_suffix(".jsonl")
        pipeline.render(media, read, out, audit, options, silently)
        print(name, *(hashlib.sha256(path.read_bytes()).hexdigest() for path in (out, audit)))


if __name__ == "__main__":
    main(*sys.argv[1:5], sys.argv[5:])  # type: ignore[call-arg]
