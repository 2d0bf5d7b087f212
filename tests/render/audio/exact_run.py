"""Renders audio under forced processor features and prints a digest per case; test_sound_exactness starts it.

usage: exact_run.py FLAGS CONTAINER=FILE…   (FLAGS: a number for av_force_cpu_flags, or `all`)
"""

import ctypes
import hashlib
import sys
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av

from veridact.media.containers import MUXERS
from veridact.media.video import open_media
from veridact.render.audio.stream import render_audio
from veridact.render.readback import audio_digest
from veridact.schema.plan.audio import Range, SoundPlan

PLAN = SoundPlan((Range(300, 500, "silence", 0), Range(5000, 5200, "beep", 80)))


def main(flags: str, paths: list[str]) -> None:
    if flags != "all":
        library = next((Path(av.__file__).parent.parent / "av.libs").glob("libavutil-*"))
        ctypes.CDLL(str(library)).av_force_cpu_flags(int(flags, 0))
    for container, path in (p.split("=", 1) for p in paths):
        digest = hashlib.sha256()
        with open_media(path) as media:
            out = render_audio(media, 0, PLAN, Fraction(0), container)
            with av.open(BytesIO(), "w", format=MUXERS[container]) as output:
                for packet in out.packets(out.add_to(output)):
                    digest.update(f"{packet.pts} {packet.size}\n".encode() + bytes(packet))
            digest.update("".join(audio_digest(media, 0)).encode())
        print(Path(path).name, out.disposition, out.codec, digest.hexdigest())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
