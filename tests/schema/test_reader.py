"""Reading from a path: what is no manifest gives one line, and a giant is refused without being read whole."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from veridact.errors import ManifestError, UsageError, VeridactError
from veridact.schema import reader, strict_json
from veridact.tools import manifest_file


def test_a_manifest_is_read_from_a_path_and_from_standard_input(
    manifests: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = manifests / "valid-street.json"
    read = manifest_file.read_path(path)
    assert read.raw == path.read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(read.raw)))
    assert manifest_file.read_path("-") == read


def _fifo(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


NOT_FILES: dict[str, Callable[[Path], Path]] = {
    "missing": lambda folder: folder / "none.json",
    "a folder": lambda folder: folder,
    "a pipe that nobody writes": _fifo,
    "a device": lambda _: Path("/dev/zero"),
    "a name with a zero": lambda folder: folder / "a\0b",
}


@pytest.mark.parametrize("case", NOT_FILES)
def test_what_is_no_file_is_wrong_usage(case: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        manifest_file.read_path(NOT_FILES[case](tmp_path))
    assert "\n" not in str(refused.value)


def test_a_file_of_a_gibibyte_is_refused_without_being_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "giant.json"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    assert len(manifest_file.read_bytes(path)) == strict_json.MAX_BYTES + 1
    with pytest.raises(ManifestError, match="more than 64 MiB"):
        manifest_file.read_path(path)


def test_a_typo_is_named_before_what_it_leaves_missing(document: Callable[[str], dict[str, Any]]) -> None:
    tree = document("street")
    tree["tracks"][0]["lable"] = tree["tracks"][0].pop("label")
    with pytest.raises(ManifestError, match=r"at \$\.tracks\[0\]\.lable: unknown field"):
        reader.validate(tree)


OTHER_MAJORS = {
    "veridact.manifest/0": "run `veridact upgrade`",
    "veridact.manifest/2": "later version",
}


@pytest.mark.parametrize("schema", OTHER_MAJORS)
def test_another_major_says_what_to_do(schema: str, document: Callable[[str], dict[str, Any]]) -> None:
    with pytest.raises(VeridactError, match=OTHER_MAJORS[schema]):
        reader.validate({**document("minimal"), "schema": schema})


_LIMITED = """
import resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
from veridact.errors import ManifestError
from veridact.tools import manifest_file
start = time.process_time()
try:
    read = manifest_file.read_path(sys.argv[1])
    print(sum(len(s.keys) for t in read.manifest.tracks for s in t.segments), end=" ")
except ManifestError as e:
    print(e.layer, end=" ")
print(time.process_time() - start)
"""


def _read_within_limits(raw: bytes, folder: Path) -> tuple[str, float]:
    path = folder / "m.json"
    path.write_bytes(raw)
    done = subprocess.run([sys.executable, "-c", _LIMITED, str(path)], capture_output=True, text=True, check=True)
    answer, seconds = done.stdout.split()
    return answer, float(seconds)


def test_64_mib_and_a_million_keys_are_read_in_a_minute_and_3_gib(
    document: Callable[[str], dict[str, Any]], tmp_path: Path
) -> None:
    tree = document("minimal")
    tree["source"]["streams"][0]["frames"] = 10_000_000
    track = tree["tracks"][0]
    keys = [{"frame": 1000 * k, "box": [412, 96, 64, 80]} for k in range(10_000)]
    segments = [{"end": 10_000_000, "keys": keys}]
    tree["tracks"] = [{**track, "id": f"face-{n:04}", "segments": segments} for n in range(100)]
    raw = json.dumps(tree).encode()
    answer, seconds = _read_within_limits(raw + b" " * (strict_json.MAX_BYTES - len(raw)), tmp_path)
    assert answer == "1000000"
    assert seconds < 60


HOSTILE = {
    "objects with one unknown member": b'{"a":1}',
    "numbers": b"1",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_document_is_refused_within_the_same_limits(case: str, tmp_path: Path) -> None:
    element = HOSTILE[case]
    count = 3_400_000 if element.startswith(b"{") else 11_000_000
    raw = b'{"schema": "veridact.manifest/1", "tracks": [' + (element + b",") * count + element + b"]}"
    answer, seconds = _read_within_limits(raw, tmp_path)
    assert answer == "schema"
    assert seconds < 60
