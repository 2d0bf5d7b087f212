"""README says nothing that does not work: its commands run, its diff is a diff of manifests."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from veridact.schema.manifest import Segment

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def block(after: str, kind: str = "") -> list[str]:
    """The lines of the first fenced block behind a heading."""
    fenced = README.split(after, 1)[1].split(f"```{kind}\n", 1)[1]
    return fenced.split("```", 1)[0].splitlines()


@pytest.mark.extra
def test_the_commands_of_use_run_as_they_stand(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra locate")
    for name in ("locate", "render", "veridact"):
        script = tmp_path / "bin" / name
        script.parent.mkdir(exist_ok=True)
        code = f"from veridact.cli.entry import {name}; {name}()"
        script.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{code}' \"$@\"\n")
        script.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, ROOT / "docs" / "demo.py", "clip", tmp_path / "in.mp4"], check=True, env=environment
    )
    commands = [re.sub(r"\s+#.*", "", line) for line in block("## Use")]
    ours = [c for c in commands if c.split(" ")[0] in {"locate", "render", "veridact"}]
    assert [c.split(" ")[0] for c in ours] == ["locate", "render", "veridact"]
    for line in ours:
        done = subprocess.run(line, shell=True, cwd=tmp_path, env=environment, check=False, capture_output=True)  # noqa: S602
        assert done.returncode == 0, (line, done.stderr)
    assert {"m.json", "out.mp4", "out.mp4.audit.jsonl"} <= {p.name for p in tmp_path.iterdir()}


def test_the_hand_edit_is_valid_before_and_after() -> None:
    lines = block("## A hand edit", "diff")

    def side(sign: str) -> list[Segment]:
        kept = "\n".join(line[1:] for line in lines if line[0] in {" ", sign})
        return TypeAdapter(list[Segment]).validate_json(json.dumps(json.loads("{" + kept + "}")["segments"]))

    before, after = side("-"), side("+")
    assert (before[0].end, after[0].end) == (181, 200)
    assert before[0].keys[0] == after[0].keys[0]


def test_every_file_that_is_linked_is_there() -> None:
    links = set(re.findall(r"\]\(([^)#]+)\)", README))
    assert {link for link in links if not (ROOT / link).exists()} == set()
