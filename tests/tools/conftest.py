"""Small clips and a still that the tests of the tools make for themselves, and manifests for them."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import ExifTags, Image

from veridact.media import source, video
from veridact.schema import reader
from veridact.schema.manifest import Manifest
from veridact.tools.formats import common


def _clip(path: Path, pts: list[int], sound: bool) -> None:
    """A clip of 96x64 pixels whose frames are shown at `pts` hundredths of a second, with a tone when asked."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "bf": "0"})
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        video.codec_context.time_base = Fraction(1, 100)
        tone = container.add_stream("pcm_s16le", rate=8000, layout="mono") if sound else None
        for number, at in enumerate(pts):
            pixels = np.full((64, 96, 3), number * 4 % 256, np.uint8)
            pixels[20:40, number % 60 : number % 60 + 20] = (200, 60, 30)
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts, frame.time_base = at, Fraction(1, 100)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if tone is not None:
            samples = (np.sin(np.arange(8000 * pts[-1] // 100) / 4) * 9000).astype(np.int16)
            heard = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
            heard.sample_rate = 8000
            container.mux(tone.encode(heard))
            container.mux(tone.encode(None))


CLIPS: dict[str, tuple[str, list[int], bool]] = {
    "steady": ("steady.mp4", [4 * i for i in range(50)], False),
    "variable": ("variable.mp4", [i * i + 3 * i for i in range(30)], False),
    "sounding": ("sounding.mkv", [4 * i for i in range(50)], True),
}


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A synthetic clip by its name in `CLIPS`."""
    folder = tmp_path_factory.mktemp("clips")

    def made(name: str) -> Path:
        file, pts, sound = CLIPS[name]
        if not (folder / file).exists():
            _clip(folder / file, pts, sound)
        return folder / file

    return made


@pytest.fixture(scope="session")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A JPEG of 60x40 stored pixels that is displayed turned by 90 degrees (EXIF orientation 6)."""
    path = tmp_path_factory.mktemp("stills") / "still.jpg"
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (60, 40), (90, 120, 60)).save(path, exif=exif)
    return path


@pytest.fixture(scope="session")
def manifest_for() -> Callable[[Path, list[dict[str, Any]], list[dict[str, Any]]], Manifest]:
    """A manifest for a file with the tracks and ranges given."""

    def made(path: Path, tracks: list[dict[str, Any]], audio: list[dict[str, Any]]) -> Manifest:
        with video.open_media(path) as file:
            found = common.Imported()
            base = common.manifest_of(source.read_source(file), file.format, "test", found, {}).document()
        return reader.validate({**base, "tracks": tracks, "audio": audio})

    return made
