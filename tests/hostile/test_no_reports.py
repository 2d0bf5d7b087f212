"""A search leaves no record of itself: the libraries of the models keep their reports to themselves."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LOCATE = "from veridact.cli.main import main; main()"
CALL = "import sys; from veridact.api import locate; locate(sys.argv[1])"


def at_home(home: Path, code: str, *arguments: object) -> list[str]:
    """The files that a program leaves in the home of its user."""
    home.mkdir()
    # Nothing else is handed on: a variable that names a build server or another cache would change what is kept.
    env = {k: v for k, v in os.environ.items() if k in {"PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH"}}
    subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**env, "HOME": str(home), "PYTHONPATH": str(ROOT)},
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    return sorted(str(p.relative_to(home)) for p in home.rglob("*") if p.is_file())


def test_a_search_leaves_no_record_of_itself(clip: Any, tmp_path: Path) -> None:
    """onnxruntime keeps a database of events for its maker in the user's cache, unless told not to."""
    source = clip("in.mp4", frames=5, audio="aac")
    assert at_home(tmp_path / "searched", LOCATE, "locate", "--quiet", source, "-o", tmp_path / "m.json") == []
    assert (tmp_path / "m.json").exists()
    assert at_home(tmp_path / "called", CALL, source) == []
