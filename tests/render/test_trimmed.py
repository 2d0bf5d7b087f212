"""Footage trimmed by an edit list: only the presented frames are rendered, and a file cut short is still noticed."""

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

FRAMES, RATE, GROUP = 60, 25, 12
DARK, HIDDEN = 60, 255


def trimmed(path: Path, first: int, count: int, b_frames: int = 0) -> Path:
    """A clip of which the edit list presents `count` frames from `first` on: dark ones; all others are white."""
    options = {"qp": "0", "bf": str(b_frames), "g": str(GROUP), "sc_threshold": "0"}
    with av.open(str(path), "w", options={"movflags": "faststart", "movie_timescale": "12800"}) as container:
        stream = container.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 12800)
        for number in range(FRAMES):
            level = DARK + number % 8 if first <= number < first + count else HIDDEN
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), "rgb24")
            frame.pts, frame.time_base = number * 512, Fraction(1, 12800)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data = bytearray(path.read_bytes())
    entry = data.index(b"elst") + 12
    _, begins = struct.unpack_from(">Ii", data, entry)
    struct.pack_into(">Ii", data, entry, count * 512, begins + first * 512)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize(("first", "count"), [(0, 10), (12, 24), (17, 20), (30, 30), (59, 1)])
@pytest.mark.parametrize("name", ["in.mp4", "in.mov"])
def test_hidden_frames_are_absent(
    name: str, first: int, count: int, b_frames: int, make_manifest: Any, make_track: Any, saved: Any, command: Any,
    tmp_path: Path,
) -> None:  # fmt: skip
    source, out = trimmed(tmp_path / name, first, count, b_frames), tmp_path / "out.mp4"
    manifest = make_manifest(source, (make_track(1, (0, 0, 8, 8), count),))
    assert manifest.source.streams[0].frames == count
    code, _, err = command("render", source, saved(manifest), out)
    assert code == 0, err
    with av.open(str(out)) as made:
        pictures = [frame.to_ndarray(format="gray") for frame in made.decode(video=0)]
        assert made.streams.video[0].frames == count, "no packet of a hidden frame"
    assert len(pictures) == count
    assert max(int(p.max()) for p in pictures) < DARK + 20


def test_a_trimmed_file_that_is_cut_short_is_refused(command: Any, tmp_path: Path) -> None:
    source = trimmed(tmp_path / "in.mp4", 0, 50)
    data = source.read_bytes()
    source.write_bytes(data[: data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2])
    code, out, err = command("locate", source, "--labels", "face")
    assert (code, out) == (4, "")
    assert "cut short" in err
