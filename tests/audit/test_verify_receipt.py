"""Verification: a flipped byte anywhere fails, and the check that failed is named."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from veridact.errors import AuditError
from veridact.schema import receipt

BOX = (8, 8, 20, 16)
FILES = {"receipt": "out.mp4.audit.jsonl", "manifest": "m.json", "output": "out.mp4", "input": "in.mp4"}


@pytest.fixture
def done(clip: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path) -> Path:
    """A folder with one render: in.mp4, m.json, out.mp4 and its receipt."""
    source = clip("in.mp4", frames=20, audio="aac")
    assert (
        command("render", source, saved(make_manifest(source, (make_track(1, BOX, 20),))), tmp_path / "out.mp4")[0] == 0
    )
    return tmp_path


def verify(command: Any, folder: Path, *more: str) -> tuple[int, list[dict[str, str]]]:
    """Exit code and checks of `verify` with all files given."""
    files = [f"--{name}={folder / file}" for name, file in FILES.items() if name != "receipt"]
    code, out, _ = command("verify", folder / FILES["receipt"], *files, "--json", *more)
    return code, json.loads(out)["checks"]


def failed(checks: list[dict[str, str]]) -> set[str]:
    return {c["level"] for c in checks if c["status"] == "fail"}


def test_an_untouched_render_passes_every_level_asked_for(done: Path, command: Any) -> None:
    code, checks = verify(command, done, "--rerun")
    assert (code, failed(checks)) == (0, set())
    assert {c["level"] for c in checks if c["status"] == "pass"} == {"chain", "files", "rerun"}


def test_levels_without_their_files_are_not_run(done: Path, command: Any) -> None:
    code, out, _ = command("verify", done / FILES["receipt"], "--json")
    checks = json.loads(out)["checks"]
    assert code == 0
    assert {c["level"]: c["status"] for c in checks} == {
        "chain": "pass", "anchor": "not run", "files": "not run", "content": "not run", "rerun": "not run",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "level"), [("receipt", "chain"), ("manifest", "files"), ("output", "files"), ("input", "files")]
)
def test_any_flipped_byte_fails_at_its_level(name: str, level: str, done: Path, command: Any) -> None:
    path = done / FILES[name]
    data = path.read_bytes()
    places = random.Random(5).sample(range(len(data)), 40)
    for at in (0, len(data) - 1, *places):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        code, checks = verify(command, done)
        assert (code, level in failed(checks)) == (1, True), at
    path.write_bytes(data)


def test_every_single_byte_of_the_receipt_counts(done: Path) -> None:
    data = (done / FILES["receipt"]).read_bytes()
    receipt.read(data)
    for at in range(len(data)):
        for flip in (1, 0x20, 0x80):
            with pytest.raises(AuditError):
                receipt.read(data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :])


def test_truncation_at_every_line_is_noticed(done: Path) -> None:
    lines = (done / FILES["receipt"]).read_bytes().splitlines(keepends=True)
    for kept in range(len(lines)):
        with pytest.raises(AuditError):
            receipt.read(b"".join(lines[:kept]))


def rewritten(done: Path, change: Any) -> None:
    """Rewrites the receipt whole, so that its chain holds again."""
    path = done / FILES["receipt"]
    _, entries = receipt.read(path.read_bytes())
    bodies = [(e.type, e.body) for e in entries[:-1]]
    change(dict(bodies))
    path.write_bytes(receipt.chain(bodies))


def test_a_receipt_rewritten_whole_is_caught_by_the_head(done: Path, command: Any) -> None:
    head = receipt.head(receipt.read((done / FILES["receipt"]).read_bytes())[1])
    assert verify(command, done, "--head", head)[0] == 0
    rewritten(done, lambda b: b["track"].update(frames=19))
    code, checks = verify(command, done, "--head", head)
    assert (code, failed(checks)) == (1, {"anchor"})
    code, checks = verify(command, done, "--rerun")
    assert (code, failed(checks)) == (1, {"rerun"})


def test_the_attestation_names_output_and_head_under_the_pinned_key(done: Path, command: Any) -> None:
    def key(name: str) -> Path:
        assert command("keygen", "-o", done / name)[0] == 0
        return done / name

    mine, other = key("mine"), key("other")
    assert (mine.stat().st_mode & 0o777, (done / "mine.pub").exists()) == (0o600, True)
    files = [done / "in.mp4", done / "m.json"]
    out, statement = done / "signed.mp4", done / "signed.json"
    assert command("render", *files, out, "--attest", statement, "--sign", mine)[0] == 0

    def anchor(audit: Path, public: Path) -> tuple[int, str]:
        code, text, _ = command("verify", audit, "--key", public, "--attestation", statement, "--json")
        return code, next(c["status"] for c in json.loads(text)["checks"] if c["level"] == "anchor")

    audit = done / "signed.mp4.audit.jsonl"
    assert anchor(audit, done / "mine.pub") == (0, "pass")
    assert anchor(audit, done / f"{other.name}.pub") == (1, "fail")
    tree = json.loads((done / "m.json").read_text())
    tree["tracks"][0]["segments"][0]["keys"][0]["box"] = [20, 20, 9, 9]
    (done / "n.json").write_text(json.dumps(tree))
    assert command("render", done / "in.mp4", done / "n.json", done / "other.mp4")[0] == 0
    assert anchor(done / "other.mp4.audit.jsonl", done / "mine.pub") == (1, "fail")


def test_a_note_changes_the_manifest_but_not_the_plan(done: Path, command: Any) -> None:
    tree = json.loads((done / "m.json").read_text())
    tree["tracks"][0]["note"] = "seen by two people"
    shutil.copy(done / "m.json", done / "original.json")
    (done / "m.json").write_text(json.dumps(tree))
    code, checks = verify(command, done)
    found = {c["name"]: c["status"] for c in checks if c["name"].startswith("manifest")}
    assert (code, found) == (
        1,
        {"manifest file_sha256": "fail", "manifest manifest_sha256": "fail", "manifest plan_sha256": "pass"},
    )
