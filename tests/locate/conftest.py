"""A detector that needs no model (it detects bright squares), clips of moving squares for it, and a portrait."""

import os
import sys
import types
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from veridact.locate.detectors import registry
from veridact.locate.detectors.base import DEFAULT_INTERVAL_SECONDS, Detection, Request, View
from veridact.locate.isolation import NO_REPORTS
from veridact.schema.manifest import Producer

os.environ.update(NO_REPORTS)  # for tests that load models in this process, as `locate` does in a child


class Squares:
    """Detects the box around everything bright, as a face that scores 0.9."""

    labels = frozenset({"face", "plate"})
    interval_seconds = DEFAULT_INTERVAL_SECONDS
    min_interval_seconds = 0.0

    def __init__(self, request: Request) -> None:
        self.producer = Producer(id=request.producer_id, kind="model", name="squares", settings={})

    def detect(self, view: View) -> list[Detection]:
        bright = view.rgb(view.width, view.height).min(axis=2) > 128
        if not bright.any():
            return []
        rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
        edges = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
        return [Detection("face", *edges, 0.9, self.producer.id)]


@pytest.fixture
def squares(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a detector that needs no model."""
    module = types.ModuleType("squares_for_tests")
    module.load = Squares  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "squares_for_tests", module)
    monkeypatch.setitem(registry.DETECTORS, "squares", "squares_for_tests:load")
    return "squares"


def square_picture(at: tuple[int, int] | None, size: tuple[int, int]) -> np.ndarray:
    """Black, with a white 24×32 square whose top left corner is `at`."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    if at is not None:
        pixels[at[1] : at[1] + 32, at[0] : at[0] + 24] = 255
    return pixels


@pytest.fixture
def square_clip(tmp_path: Path) -> Callable[..., Path]:
    """`square_clip(places)`: a clip with the square at each place, or nowhere where that is None."""

    def make(
        places: Sequence[tuple[int, int] | None],
        name: str = "squares.mkv",
        size: tuple[int, int] = (160, 120),
        matrix: tuple[int, ...] | None = None,
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream("ffv1" if path.suffix == ".mkv" else "libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            if matrix:
                stream.set_display_matrix(matrix)
            for at in places:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(square_picture(at, size), "rgb24")))
            container.mux(stream.encode(None))
        return path

    return make


@pytest.fixture(scope="session")
def portrait() -> Image.Image:
    """The NASA portrait in the package scikit-image; the test is skipped where the extra `locate` is missing."""
    try:
        files = distribution("scikit-image").files or []
    except PackageNotFoundError:
        pytest.skip("needs the extra `locate`")
    path = next(Path(str(f.locate())) for f in files if f.name == "astronaut.png")
    return Image.open(path).convert("RGB")


@pytest.fixture
def portrait_clip(tmp_path: Path, portrait: Image.Image) -> Path:
    """Twenty frames that pan over the portrait by 4 px a frame."""
    path = tmp_path / "portrait.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 400, 400, "yuv420p"
        for n in range(20):
            container.mux(stream.encode(av.VideoFrame.from_image(portrait.crop((4 * n, 0, 4 * n + 400, 400)))))
        container.mux(stream.encode(None))
    return path
