"""Checking a receipt, level by level: each check passes, fails or was not run, and says why."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from render import attest, pipeline
from schema import digests, reading, receipt
from schema.errors import AuditError, VeridactError
from schema.media import hash_descriptor, open_regular
from schema.receipt import Entry

Status = Literal["pass", "fail", "not run"]
Level = Literal["chain", "anchor", "files", "content", "rerun"]
LEVELS: tuple[Level, ...] = ("chain", "anchor", "files", "content", "rerun")


@dataclass(frozen=True)
class Check:
    """The outcome of one check."""

    level: Level
    name: str
    status: Status
    detail: str


@dataclass(frozen=True)
class Asked:
    """What the auditor has in hand and wants to know."""

    audit: Path
    input: Path | None = None
    manifest: Path | None = None
    output: Path | None = None
    head: str | None = None
    key: Path | None = None
    attestation: Path | None = None
    content: bool = False
    rerun: bool = False


def verify(asked: Asked) -> list[Check]:
    """Every check in the order of the levels; those whose files were not given are `not run`."""
    raw = _read_all(asked.audit)
    try:
        _, entries = receipt.read(raw)
    except AuditError as e:
        rest = [Check(level, level, "not run", "the chain does not hold") for level in LEVELS[1:]]
        return [Check("chain", "chain", "fail", str(e)), *rest]
    checks = [Check("chain", "chain", "pass", f"{len(entries)} entries, head {receipt.head(entries)}")]
    for level in (_anchor, _files, _content, _rerun):
        checks += level(asked, entries)
    return checks


def passed(checks: Sequence[Check]) -> bool:
    """Whether nothing that was asked for failed."""
    return all(c.status != "fail" for c in checks)


def _read_all(path: Path) -> bytes:
    fd = open_regular(path)
    with open(fd, "rb") as file:
        return file.read(receipt.MAX_BYTES + 1)


def _judge(level: Level, name: str, holds: bool, good: str, bad: str) -> Check:
    return Check(level, name, "pass" if holds else "fail", good if holds else bad)


def _anchor(asked: Asked, entries: Sequence[Entry]) -> Iterator[Check]:
    head = receipt.head(entries)
    if asked.head is None and asked.attestation is None:
        yield Check("anchor", "anchor", "not run", "give --head, or --key and --attestation")
    if asked.head is not None:
        yield _judge(
            "anchor", "head", asked.head.lower() == head, "the head is the expected one", f"the head is {head}"
        )
    if asked.attestation is not None and asked.key is not None:
        yield _attested(asked.attestation, asked.key, entries)


def _attested(attestation: Path, key: Path, entries: Sequence[Entry]) -> Check:
    try:
        body = attest.opened(_read_all(attestation), attest.public_key(key))
    except AuditError as e:
        return Check("anchor", "attestation", "fail", str(e))
    output = receipt.bodies(entries, "output")[0].get("sha256")
    named = attest.names(body)
    return _judge(
        "anchor",
        "attestation",
        named == (output, receipt.head(entries)),
        "signed with this key, and names this output and this head",
        "it is signed, but names another output or receipt",
    )


def _sha256_of(path: Path) -> str:
    with open(open_regular(path), "rb") as file:
        return hash_descriptor(file.fileno())


def _files(asked: Asked, entries: Sequence[Entry]) -> Iterator[Check]:
    for name, path in (("input", asked.input), ("output", asked.output)):
        if path is None:
            yield Check("files", name, "not run", f"give --{name}")
            continue
        expected = receipt.bodies(entries, "input" if name == "input" else "output")[0].get("sha256")
        found = _sha256_of(path)
        yield _judge(
            "files", name, found == expected, f"sha256 {found}", f"sha256 is {found}, the receipt says {expected}"
        )
    if asked.manifest is None:
        yield Check("files", "manifest", "not run", "give --manifest")
    else:
        yield from _manifest(asked.manifest, receipt.bodies(entries, "manifest")[0])


def _manifest(path: Path, body: dict[str, Any]) -> Iterator[Check]:
    raw = reading.read_bytes(path)
    found: dict[str, Callable[[], str]] = {
        "file_sha256": lambda: digests.sha256_hex(raw),
        "manifest_sha256": lambda: digests.manifest_sha256(reading.read(raw).manifest),
        "plan_sha256": lambda: digests.plan_sha256(reading.read(raw).manifest),
    }
    for name, digest in found.items():
        try:
            value = digest()
        except VeridactError as e:
            yield Check("files", f"manifest {name}", "fail", str(e))
            continue
        expected = body.get(name)
        yield _judge("files", f"manifest {name}", value == expected, value, f"is {value}, the receipt says {expected}")


def _content(asked: Asked, entries: Sequence[Entry]) -> Iterator[Check]:
    yield Check("content", "content", "not run", "give --content with --output and --manifest")


def _rerun(asked: Asked, entries: Sequence[Entry]) -> Iterator[Check]:
    if not asked.rerun:
        yield Check("rerun", "rerun", "not run", "give --rerun with --input and --manifest")
        return
    if asked.input is None or asked.manifest is None:
        yield Check("rerun", "rerun", "fail", "needs --input and --manifest")
        return
    try:
        again = _render_again(asked.input, asked.manifest)
    except VeridactError as e:
        yield Check("rerun", "rerun", "fail", f"the render does not repeat: {e}")
        return
    expected = receipt.bodies(entries, "output")[0].get("sha256")
    yield _judge("rerun", "output", again.output_sha256 == expected, "the same bytes", f"gives {again.output_sha256}")
    yield _judge(
        "rerun", "head", again.head == receipt.head(entries), "the same receipt", f"gives the head {again.head}"
    )


def _render_again(media: Path, manifest: Path) -> pipeline.Done:
    """Renders into a private folder that is gone afterwards; the digest of the output and the head of the receipt."""
    read = reading.read_path(manifest)
    with tempfile.TemporaryDirectory(prefix="veridact-") as folder:
        output = Path(folder) / f"again{pipeline.SUFFIXES[read.manifest.output.container][0]}"
        return pipeline.render(media, read, output, output.with_suffix(".jsonl"), pipeline.REPEAT, pipeline.silently)
