"""docs/api.md and the docstrings say nothing that does not work."""

import doctest
import re
from pathlib import Path
from typing import Any

import pytest

from veridact import api, errors
from veridact.api import calls, manifest, receipt

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "api.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def here(scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with `in.mp4` and `m.json`."""
    pytest.importorskip("onnxruntime", reason="needs the extra `locate`")
    monkeypatch.chdir(tmp_path)
    assert {"in.mp4", "m.json"} <= {path.name for path in tmp_path.iterdir()}
    return tmp_path


@pytest.mark.extra
def test_the_examples_of_the_page_run_as_they_stand(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    assert len(BLOCKS) == TEXT.count("```") // 2 == 5
    for number, block in enumerate(BLOCKS, 1):
        exec(compile(block, f"block {number} of docs/api.md", "exec"), names)  # noqa: S102 - they are ours
    printed = capsys.readouterr().out.splitlines()
    assert "custom-0001 custom added frames 0 to 11, first box (8, 8, 20, 16)" in printed
    assert printed[-1] == "out.mp4 exists; choose another name or give --force 6"
    assert f"# {printed[-1]}" in TEXT
    assert {"proposed.json", "out.mp4", "out.mp4.audit.jsonl"} <= {path.name for path in here.iterdir()}


@pytest.mark.extra
def test_the_examples_of_the_docstrings_run_as_they_stand(here: Path) -> None:
    finder = doctest.DocTestFinder(recurse=True, exclude_empty=True)
    found = [test for module in (api, manifest, receipt, calls) for test in finder.find(module, globs=vars(api).copy())]
    ran = [test.name for test in found if test.examples]
    runner = doctest.DocTestRunner()
    report: list[str] = []
    for test in found:
        runner.run(test, out=report.append)
    assert (runner.failures, "".join(report)) == (0, "")
    assert ran == ["veridact.api", "veridact.api.manifest.Manifest",
                   *(f"veridact.api.calls.{name}" for name in ("edit", "locate", "render", "verify"))]  # fmt: skip


def test_every_error_stands_with_its_code() -> None:
    listed = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", TEXT, re.MULTILINE))
    kinds = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}
    assert {name: str(kind.exit_code) for name, kind in kinds.items() if name != "VeridactError"} == {
        name: code for name, code in listed.items() if name in kinds
    }
    assert set(listed) - set(kinds) == {"OSError", "ChildBugError", "TypeError"}


def test_every_name_is_explained() -> None:
    assert [name for name in api.__all__ if f"`{name}" not in TEXT and name != "ReportProgress"] == []


def test_every_member_of_a_manifest_stands_there() -> None:
    members = [name for name in vars(api.Manifest) if not name.startswith("_") and name != "raw"]
    assert [name for name in (*members, "model") if not re.search(rf"`(Manifest)?\.{name}\b", TEXT)] == []
