"""Equal consecutive frames of an animated picture stay separate frames."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from veridact.schema import writer

RNG = np.random.default_rng(5)
ONE = RNG.integers(0, 256, (24, 32, 4), dtype=np.uint8)
ONE[:, :, 3] = 255
OTHER = ONE.copy()
OTHER[4:9, 5:11] = 7, 7, 7, 255
CLEAR = np.zeros_like(ONE)
HALF = ONE.copy()
HALF[:, :16] = 0
ROWS = {
    "once more": [ONE, ONE, OTHER],
    "all alike": [ONE] * 4,
    "at the end": [ONE, OTHER, OTHER],
    "there and back": [ONE, OTHER, ONE, OTHER],
    "nothing to see": [CLEAR, CLEAR],
    "holes": [ONE, HALF, HALF, CLEAR, ONE],
}
DURATIONS_MS = [40, 70, 100, 40, 90]


def written(path: Path, frames: list[np.ndarray[Any, Any]]) -> Path:
    """An animated PNG whose equal frames are not merged."""
    images = [Image.fromarray(frame) for frame in frames]
    images[0].save(
        path, save_all=True, append_images=images[1:], duration=DURATIONS_MS[: len(frames)],
        disposal=[n % 2 for n in range(len(frames))],
    )  # fmt: skip
    return path


@pytest.mark.parametrize("container", ["png", "webp", "gif"])
@pytest.mark.parametrize("row", ROWS)
def test_equal_frames_stay_frames(
    row: str, container: str, make_manifest: Any, make_track: Any, command: Any, tmp_path: Path
) -> None:
    frames = ROWS[row]
    source, manifest, out = written(tmp_path / "in.png", frames), tmp_path / "m.json", tmp_path / f"out.{container}"
    track = make_track(1, (0, 0, 4, 4), len(frames))
    manifest.write_bytes(writer.write(make_manifest(source, (track,), container=container)))
    code, _, said = command("render", source, manifest, out)
    assert code == 0, said
    with Image.open(out) as image:
        assert image.n_frames == len(frames)
        for number, frame in enumerate(frames):
            image.seek(number)
            shown = np.asarray(image.convert("RGBA"), np.int16)
            assert image.info["duration"] == DURATIONS_MS[number]
            assert np.array_equal(shown[8:, 8:, 3] > 0, frame[8:, 8:, 3] > 0)
            if container == "png":
                assert np.array_equal(shown[8:, 8:], frame[8:, 8:])
    code, _, said = command("verify", out.with_name(out.name + ".audit.jsonl"), "--manifest", manifest,
                            "--output", out, "--content")  # fmt: skip
    assert code == 0, said


def test_everything_covered_alike_is_rendered(make_manifest: Any, command: Any, tmp_path: Path) -> None:
    """In scope everything all frames of an animation become one colour, and one frame was written."""
    source, manifest, out = written(tmp_path / "in.png", [ONE, OTHER, ONE]), tmp_path / "m.json", tmp_path / "out.webp"
    manifest.write_bytes(writer.write(make_manifest(source, (), container="webp", scope="everything")))
    code, _, said = command("render", source, manifest, out)
    assert code == 0, said
    with Image.open(out) as image:
        assert image.n_frames == 3
