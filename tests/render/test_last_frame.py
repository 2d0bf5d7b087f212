"""The last frame stays as long as in the source, also when it is the only one."""

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from veridact.media.video import demux, fraction, open_media
from veridact.render import mux


def pictures(path: Path, durations: list[int], sound_seconds: int = 0) -> Path:
    """Footage whose frames last so many ticks of 1/1000 s, or 1/16384 s in MP4 and MOV; with a tone where wanted."""
    base = Fraction(1, 1000) if path.suffix == ".mkv" else Fraction(1, 16384)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = stream.codec_context.time_base = base
        sound: Any = container.add_stream("aac", rate=48000, layout="mono") if sound_seconds else None
        starts = [sum(durations[:n]) for n in range(len(durations))]
        packets = []
        for number, pts in enumerate(starts):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 80 + number, np.uint8), "rgb24")
            frame.pts, frame.time_base = pts, base
            packets += stream.encode(frame)
        for packet in [*packets, *stream.encode(None)]:
            packet.duration = durations[starts.index(packet.pts)]
            container.mux(packet)
        if sound:
            block = av.AudioFrame.from_ndarray(np.zeros((1, 48000 * sound_seconds), np.float32), "fltp", "mono")
            block.sample_rate, block.pts = 48000, 0
            container.mux(sound.encode(block))
            container.mux(sound.encode(None))
    return path


def length(path: Path) -> Fraction:
    """When the last frame ends after the first begins, in seconds, as the container states it."""
    with open_media(path) as media, demux(media) as container:
        stream = container.streams.video[0]
        if stream.duration is not None:
            return stream.duration * fraction(stream.time_base)
        return Fraction(container.duration or 0, av.time_base)


DURATIONS = {
    "one for 8 s": [8000],
    "constant": [40] * 12,
    "a long last one": [40] * 11 + [3000],
    "a short last one": [400] * 5 + [120],
    "no constant rate": [40, 200, 60, 700, 40, 40, 300],
    "two": [500, 2000],
}


@pytest.mark.parametrize("output", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("what", DURATIONS)
def test_the_output_is_as_long_as_the_input(
    what: str, output: str, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    ticks = [d * 2048 // 125 for d in DURATIONS[what]]
    source, out = pictures(tmp_path / "in.mp4", ticks), tmp_path / f"out.{output}"
    manifest = make_manifest(source, (make_track(1, (0, 0, 8, 8), len(ticks)),), container=output)
    code, _, err = command("render", source, saved(manifest), out)
    assert code == 0, err
    assert length(source) == Fraction(sum(ticks), 16384)
    tolerance = Fraction(1, 1000) if output == "mkv" else 0
    assert abs(length(out) - length(source)) <= tolerance


def test_a_picture_with_sound_stays_for_all_of_it(
    make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    source, out = pictures(tmp_path / "in.mp4", [8 * 16384], sound_seconds=8), tmp_path / "out.mp4"
    code, _, err = command("render", source, saved(make_manifest(source, (make_track(1, (0, 0, 8, 8), 1),))), out)
    assert code == 0, err
    assert length(out) == 8


LAST: dict[str, tuple[list[int], int, Fraction, int]] = {
    "as the source says": ([0, 512, 1024], 4096, Fraction(1, 12800), 4096),
    "one frame": ([0], 131072, Fraction(1, 16384), 131072),
    "one tick longer": ([0, 1, 2], 2, Fraction(1, 25), 2),
    "nothing said": ([0, 512, 1024], 0, Fraction(1, 12800), 512),
    "nothing said of one": ([7], 0, Fraction(1, 12800), 1),
    "rounded down to milliseconds": ([0, 33, 67], 33, Fraction(1, 1000), 34),
    "rounded up to milliseconds": ([0, 34, 67], 34, Fraction(1, 1000), 33),
    "another in milliseconds": ([0, 33, 67], 500, Fraction(1, 1000), 500),
}


@pytest.mark.parametrize("name", LAST)
def test_a_vague_duration_is_that_of_the_frame_before(name: str) -> None:
    """So the output of constant-rate footage keeps its bytes, whatever the container rounds."""
    pts, said, base, expected = LAST[name]
    video: Any = SimpleNamespace(pts=pts, last_ticks=said, spec=SimpleNamespace(time_base=base))
    assert mux._last_ticks(video) == expected
