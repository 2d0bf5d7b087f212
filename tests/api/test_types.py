"""A program that uses `veridact.api` passes `mypy --strict`, and one that misuses it does not."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

CLIENT = """
import os
from pathlib import Path

from veridact.api import Check, Manifest, Receipt, VeridactError, edit, locate, passed, render, verify

def redact(media: Path, folder: Path) -> str | None:
    def report(unit: str, done: int, total: int) -> None:
        del unit, done, total

    remarks: list[str] = []
    try:
        manifest: Manifest = locate(media, labels=["face"], thresholds={"face": 0.5}, stride=2, remark=remarks.append)
        manifest = edit(manifest, ["accept face-0001"], reviewer="r1", media=os.fspath(media))
        manifest.write(folder / "m.json", overwrite=True)
        receipt: Receipt = render(media, manifest, folder / "out.mp4", jobs=2, sandbox="require", report=report)
    except VeridactError as error:
        code: int = error.exit_code
        return f"{code}: {error}"
    checks: list[Check] = verify(receipt.path, input=media, output=folder / "out.mp4", content=True)
    boxes: list[tuple[int, int, int, int]] = [
        key.box for track in manifest.tracks for segment in track.segments for key in segment.keys
    ]
    heard: list[range] = [range(found.start_ms, found.end_ms) for found in manifest.audio]
    digest: str = manifest.plan_sha256 + receipt.head + str(receipt.entries[0].body) + str(len(boxes) + len(heard))
    return digest if passed(checks) else None
"""

MISUSE = {
    'locate("in.mp4", stride="often")': 'Argument "stride" to "locate" has incompatible type',
    'render("in.mp4", "m.json", "out.mp4")': 'Argument 2 to "render" has incompatible type "str"; expected "Manifest"',
    'render("in.mp4", manifest, "out.mp4", sandbox="on")': 'Argument "sandbox" to "render" has incompatible type',
    'render("in.mp4", manifest, "out.mp4", colour="red")': 'Unexpected keyword argument "colour" for "render"',
    'render("in.mp4", manifest, "out.mp4").tail': '"Receipt" has no attribute "tail"',
    "manifest.tracks[0].segments[0].keys[0].box.left": 'has no attribute "left"',
    "manifest.raw = b''": 'Property "raw" defined in "Manifest" is read-only',
    "edit(manifest, 5)": 'Argument 2 to "edit" has incompatible type "int"',
    "verify('audit')[0].result": '"Check" has no attribute "result"',
}


def errors_in(program: Path) -> list[str]:
    """What mypy finds in a program, a message a line."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--config-file", os.devnull,
         "--cache-dir", ROOT / ".mypy_cache" / "client", "--ignore-missing-imports", program],
        env={**os.environ, "MYPYPATH": str(ROOT)}, cwd=program.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stderr
    return [line for line in done.stdout.splitlines() if f"{program.name}:" in line and ": error: " in line]


def test_a_client_is_typed(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    (program := tmp_path / "client.py").write_text(CLIENT)
    assert errors_in(program) == []


def test_misuse_is_found(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    (program := tmp_path / "misuse.py").write_text(
        "from veridact.api import Manifest, edit, locate, render, verify\n"
        'manifest = Manifest.read("m.json")\n' + "\n".join(MISUSE) + "\n"
    )
    found = {int(re.findall(r":(\d+): error: ", line)[0]): line for line in errors_in(program)}
    for number, (line, message) in enumerate(MISUSE.items(), 3):
        assert message in found.pop(number, ""), line
    assert found == {}


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "veridact" / "py.typed").exists()
