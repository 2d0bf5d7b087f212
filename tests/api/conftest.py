"""A clip with sound, a manifest for it and an empty folder, for programs that use `veridact.api`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Scene:
    """Files of one test."""

    media: Path
    manifest: Path
    folder: Path

    @property
    def out(self) -> Path:
        return self.folder / "out.mp4"


@pytest.fixture
def scene(clip: Any, make_manifest: Any, make_track: Any, saved: Any, tmp_path: Path) -> Scene:
    media = clip("in.mp4", frames=12, audio="aac")
    (folder := tmp_path / "out").mkdir()
    return Scene(media, saved(make_manifest(media, (make_track(1, (8, 8, 20, 16), 12),))), folder)
