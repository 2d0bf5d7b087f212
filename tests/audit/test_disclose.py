"""A disclosed receipt: it verifies, and nobody who holds the output can test guesses against it."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from veridact.schema import receipt

PLATE = "K7"
LETTERS, DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
BOX = (20, 16, 40, 20)


def street(plate: str) -> bytes:
    """A picture that anyone can make again from the redacted one: plain, with a plate in the covered place."""
    image = Image.new("RGB", (96, 64), (90, 120, 90))
    ImageDraw.Draw(image).text((28, 20), plate, fill="white")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def guesses_that_fit(receipt_text: str) -> set[str]:
    """What an attacker finds who tries every plate against every number and digest in a receipt."""
    found = set()
    for letter in LETTERS:
        for digit in DIGITS:
            data = street(letter + digit)
            if hashlib.sha256(data).hexdigest() in receipt_text or f'"bytes":{len(data)},' in receipt_text:
                found.add(letter + digit)
    return found


@pytest.fixture
def handed_out(make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path) -> Path:
    source = tmp_path / "in.png"
    source.write_bytes(street(PLATE))
    manifest = saved(make_manifest(source, (make_track(1, BOX, 1, label="custom"),)))
    assert command("render", source, manifest, tmp_path / "out.png")[0] == 0
    audit = tmp_path / "out.png.audit.jsonl"
    assert command("disclose", audit, "--salt-file", tmp_path / "salt", "-o", tmp_path / "disclosed.jsonl")[0] == 0
    return tmp_path


def test_the_attacker_finds_the_plate_in_the_plain_receipt_and_not_in_the_disclosed_one(handed_out: Path) -> None:
    assert PLATE in guesses_that_fit((handed_out / "out.png.audit.jsonl").read_text())
    assert guesses_that_fit((handed_out / "disclosed.jsonl").read_text()) == set()


def test_no_value_of_the_original_that_could_be_tested_is_left(handed_out: Path) -> None:
    plain = (handed_out / "out.png.audit.jsonl").read_bytes()
    _, entries = receipt.read(plain)
    disclosed = (handed_out / "disclosed.jsonl").read_text()
    original = receipt.bodies(entries, "input")[0]
    secrets = [original["sha256"], *receipt.bodies(entries, "manifest")[0].values(), receipt.head(entries)]
    assert not [s for s in secrets if s in disclosed]
    assert f'"bytes":{original["bytes"]}' not in disclosed
    assert all(e.hash not in disclosed for e in entries)


def statuses(command: Any, folder: Path, *more: object) -> tuple[int, dict[str, set[str]]]:
    code, out, _ = command("verify", folder / "disclosed.jsonl", "--json", *more)
    found: dict[str, set[str]] = {}
    for check in json.loads(out)["checks"]:
        found.setdefault(check["level"], set()).add(check["status"])
    return code, found


def test_it_verifies_at_chain_and_anchor_and_with_the_salt_everywhere(handed_out: Path, command: Any) -> None:
    head = receipt.head(receipt.read((handed_out / "disclosed.jsonl").read_bytes())[1])
    files = [
        f"--{n}={handed_out / f}" for n, f in {"input": "in.png", "manifest": "m.json", "output": "out.png"}.items()
    ]
    code, found = statuses(command, handed_out, "--head", head)
    assert (code, found["chain"], found["anchor"]) == (0, {"pass"}, {"pass"})
    assert statuses(command, handed_out, *files)[0] == 1
    code, found = statuses(command, handed_out, *files, "--rerun", "--salt-file", handed_out / "salt")
    assert (code, found["files"], found["rerun"]) == (0, {"pass"}, {"pass"})
    (handed_out / "other").write_bytes(bytes(32))
    code, found = statuses(command, handed_out, *files, "--salt-file", handed_out / "other")
    assert (code, "fail" in found["files"]) == (1, True)


def test_the_salt_is_private_and_the_same_salt_gives_the_same_receipt(handed_out: Path, command: Any) -> None:
    assert (handed_out / "salt").stat().st_mode & 0o777 == 0o600
    again = handed_out / "again.jsonl"
    arguments = ["disclose", handed_out / "out.png.audit.jsonl", "--salt-file", handed_out / "salt", "-o", again]
    assert command(*arguments)[0] == 0
    assert again.read_bytes() == (handed_out / "disclosed.jsonl").read_bytes()
    assert command("disclose", again, "--salt-file", handed_out / "salt", "-o", handed_out / "x.jsonl")[0] == 2


def test_it_can_carry_its_own_attestation(handed_out: Path, command: Any) -> None:
    key, signed = handed_out / "key", handed_out / "disclosed.json"
    assert command("keygen", "-o", key)[0] == 0
    disclosed = handed_out / "signed.jsonl"
    arguments = [handed_out / "out.png.audit.jsonl", "--salt-file", handed_out / "salt", "-o", disclosed]
    assert command("disclose", *arguments, "--attest", signed, "--sign", key)[0] == 0
    pinned = ["--key", f"{key}.pub", "--attestation", signed]
    assert command("verify", disclosed, *pinned)[0] == 0
    assert command("verify", handed_out / "out.png.audit.jsonl", *pinned)[0] == 1
