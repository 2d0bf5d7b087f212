"""Others agree: a verifier of eighty lines, a DSSE library and an in-toto library that are not ours."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from google.protobuf.json_format import ParseDict
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from veridact.schema import receipt

SCRIPT = Path(__file__).parents[2] / "docs" / "verify_receipt.py"
BOX = (8, 8, 20, 16)


@pytest.fixture
def done(clip: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path) -> Path:
    source = clip("in.mp4", frames=10)
    assert command("keygen", "-o", tmp_path / "key")[0] == 0
    assert command("keygen", "-o", tmp_path / "other")[0] == 0
    manifest = saved(make_manifest(source, (make_track(1, BOX, 10),)))
    signed = ["--attest", tmp_path / "attestation", "--sign", tmp_path / "key"]
    assert command("render", source, manifest, tmp_path / "out.mp4", *signed)[0] == 0
    return tmp_path


def outside(*arguments: object) -> tuple[int, str]:
    run = [sys.executable, "-I", str(SCRIPT), *map(str, arguments)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_outside_verifier_is_short_and_needs_only_the_standard_library() -> None:
    text = SCRIPT.read_text()
    assert len(text.splitlines()) <= 80
    imported = {line.split()[1] for line in text.splitlines() if line.startswith(("import ", "from "))}
    assert imported <= sys.stdlib_module_names


def test_the_outside_verifier_checks_chain_and_files(done: Path) -> None:
    files = ["--input", done / "in.mp4", "--manifest", done / "m.json", "--output", done / "out.mp4"]
    head = receipt.head(receipt.read((done / "out.mp4.audit.jsonl").read_bytes())[1])
    code, said = outside(done / "out.mp4.audit.jsonl", *files, "--head", head)
    assert (code, head in said) == (0, True)
    assert outside(done / "out.mp4.audit.jsonl", "--head", "0" * 64)[0] == 1
    (done / "out.mp4").write_bytes(b"other")
    assert outside(done / "out.mp4.audit.jsonl", *files)[0] == 1


def test_the_outside_verifier_agrees_on_every_flipped_byte_it_is_shown(done: Path) -> None:
    path = done / "out.mp4.audit.jsonl"
    data = path.read_bytes()
    for at in range(0, len(data), len(data) // 12):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        code, said = outside(path)
        assert (code, "Traceback" in said) == (1, False), at


def test_the_envelope_verifies_with_another_dsse_library(done: Path) -> None:
    envelope = Envelope.from_dict(json.loads((done / "attestation").read_text()))

    def key(name: str) -> SSlibKey:
        return SSlibKey.from_crypto(load_pem_public_key((done / name).read_bytes()), envelope_key_id(envelope))

    assert envelope.verify([key("key.pub")], 1)
    with pytest.raises(VerificationError):
        envelope.verify([key("other.pub")], 1)


def envelope_key_id(envelope: Envelope) -> str:
    return next(iter(envelope.signatures))


def test_the_statement_validates_with_another_in_toto_library(done: Path) -> None:
    envelope = Envelope.from_dict(json.loads((done / "attestation").read_text()))
    body = json.loads(envelope.payload)
    message = ParseDict(body, StatementMessage())
    Statement.copy_from_pb(message).validate()
    _, entries = receipt.read((done / "out.mp4.audit.jsonl").read_bytes())
    assert body["predicate"]["receiptHead"] == receipt.head(entries)
    assert body["subject"][0]["digest"]["sha256"] == receipt.bodies(entries, "output")[0]["sha256"]
