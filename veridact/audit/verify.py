"""Checking a receipt, level by level: each check passes, fails or was not run, and says why."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Literal

from veridact.audit import attestation as signing
from veridact.audit import rerun
from veridact.audit.checks import LEVELS, Check, Level
from veridact.audit.content import check_content
from veridact.audit.disclosure import hmac_name, salted
from veridact.errors import AuditError, MediaError, VeridactError
from veridact.files import open_regular
from veridact.media.reader import hash_descriptor
from veridact.media.video import MediaFile, open_media
from veridact.progress import ReportProgress, silently
from veridact.render import pipeline
from veridact.sandbox import child, protocol
from veridact.sandbox.policy import Policy
from veridact.schema import digests, reader, receipt
from veridact.schema.manifest import AudioStream, Manifest, VideoStream
from veridact.schema.plan.dispositions import rendered_indexes
from veridact.schema.receipt import Entry
from veridact.tools import manifest_file

CONTENT_BYTES_A_PIXEL = 1600
"""What the content check may take of memory for each pixel of a frame; most for 64 cells over all of it."""

NEEDS_SALT = "this receipt is a disclosed one; give --salt-file"


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
    salt: bytes | None = None

    @property
    def levels(self) -> frozenset[Level]:
        """The levels that were asked for: by their files, or by name."""
        wanted: dict[Level, bool] = {
            "chain": True,
            "anchor": self.head is not None or self.attestation is not None,
            "files": any(path is not None for path in (self.input, self.manifest, self.output)),
            "content": self.content,
            "rerun": self.rerun,
        }
        return frozenset(level for level in LEVELS if wanted[level])


def verify(asked: Asked) -> list[Check]:
    """Every check in the order of the levels; those whose files were not given are `not run`."""
    raw = read_receipt(asked.audit)
    try:
        version, entries = receipt.read(raw)
    except AuditError as e:
        reason = "the chain does not hold"
        rest = [Check(level, level, "not run", reason, level in asked.levels) for level in LEVELS[1:]]
        return [Check("chain", "chain", "fail", str(e)), *rest]
    checks = [Check("chain", "chain", "pass", f"{len(entries)} entries, head {receipt.head(entries)}")]
    checked = CheckedReceipt(entries, version == receipt.DISCLOSED, asked.salt)
    for level in (_anchor, _files, _content, _rerun):
        checks += level(asked, checked)
    return checks


@dataclass(frozen=True)
class CheckedReceipt:
    """The entries of a receipt whose chain holds, and the salt under which a disclosed one hides its digests."""

    entries: Sequence[Entry]
    disclosed: bool
    salt: bytes | None

    @property
    def head(self) -> str:
        """The hash that stands for the whole receipt."""
        return receipt.head(self.entries)

    @property
    def output_sha256(self) -> object:
        """What the receipt gives as the digest of the output; None where it gives none."""
        return receipt.bodies(self.entries, "output")[0].get("sha256")

    @property
    def begins(self) -> Fraction:
        """How many seconds after 0 ms of the manifest the output begins; raises `AuditError` for what is no time."""
        match receipt.bodies(self.entries, "output")[0].get("begins", [0, 1]):
            case [int(ticks), int(rate)] if ticks >= 0 and 0 < rate < 2**53:
                return Fraction(ticks, rate)
        raise AuditError("the output entry begins at no time that veridact writes")

    @property
    def lacks_salt(self) -> bool:
        """Whether digests cannot be compared, because the receipt is disclosed and no salt was given."""
        return self.disclosed and self.salt is None

    def expected(self, kind: Literal["input", "manifest"], name: str) -> object:
        """What the receipt gives as a digest: itself, or its HMAC in a disclosed receipt."""
        body = receipt.bodies(self.entries, kind)[0]
        return body.get(hmac_name(name) if self.disclosed else name)

    def in_its_form(self, name: str, digest: str) -> str:
        """A digest of a file in the form in which this receipt gives digests."""
        return salted(self.salt, name, digest) if self.disclosed and self.salt else digest


def read_receipt(path: Path) -> bytes:
    """The bytes of a receipt or attestation, never more than a receipt may have."""
    fd = open_regular(path)
    with os.fdopen(fd, "rb") as file:
        return file.read(receipt.MAX_BYTES + 1)


def _judge(level: Level, name: str, holds: bool, good: str, bad: str) -> Check:
    return Check(level, name, "pass" if holds else "fail", good if holds else bad)


def _not_asked(level: Level, name: str, advice: str) -> Check:
    return Check(level, name, "not run", advice, asked=False)


def _cannot_run(level: Level, name: str, reason: str) -> Check:
    return Check(level, name, "not run", reason)


def _anchor(asked: Asked, checked: CheckedReceipt) -> Iterator[Check]:
    head = checked.head
    if asked.head is None and asked.attestation is None:
        yield _not_asked("anchor", "anchor", "give --head, or --key and --attestation")
    if asked.head is not None:
        same = asked.head.lower() == head
        yield _judge("anchor", "head", same, "the head is the expected one", f"the head is {head}")
    if asked.attestation is not None and asked.key is not None:
        yield _attested(asked.attestation, asked.key, checked)


def _attested(attestation: Path, key: Path, checked: CheckedReceipt) -> Check:
    try:
        body = signing.opened(read_receipt(attestation), signing.public_key(key))
    except AuditError as e:
        return Check("anchor", "attestation", "fail", str(e))
    return _judge(
        "anchor",
        "attestation",
        signing.names(body) == (checked.output_sha256, checked.head),
        "signed with this key, and names this output and this head",
        "it is signed, but names another output or receipt",
    )


def _sha256_of(path: Path) -> str:
    with os.fdopen(open_regular(path), "rb") as file:
        return hash_descriptor(file.fileno())


def _files(asked: Asked, checked: CheckedReceipt) -> Iterator[Check]:
    if asked.input is None:
        yield _not_asked("files", "input", "give --input")
    elif checked.lacks_salt:
        yield _cannot_run("files", "input", NEEDS_SALT)
    else:
        found = checked.in_its_form("sha256", _sha256_of(asked.input))
        yield _compared("input", found, checked.expected("input", "sha256"))
    if asked.output is None:
        yield _not_asked("files", "output", "give --output")
    else:
        yield _compared("output", _sha256_of(asked.output), checked.output_sha256)
    if asked.manifest is None:
        yield _not_asked("files", "manifest", "give --manifest")
    elif checked.lacks_salt:
        yield _cannot_run("files", "manifest", NEEDS_SALT)
    else:
        yield from _manifest(asked.manifest, checked)


def _compared(name: str, found: str, expected: object) -> Check:
    same = found == expected
    return _judge("files", name, same, f"sha256 {found}", f"is {found}, the receipt says {_shown(expected)}")


def _shown(value: object) -> str:
    """A value of a receipt as it may be printed; a digest that veridact writes stays as it is."""
    return protocol.printable(str(value))


def _manifest(path: Path, checked: CheckedReceipt) -> Iterator[Check]:
    raw = manifest_file.read_bytes(path)
    found: dict[str, Callable[[], str]] = {
        "file_sha256": lambda: digests.sha256_hex(raw),
        "manifest_sha256": lambda: digests.manifest_sha256(reader.read(raw).manifest),
        "plan_sha256": lambda: digests.plan_sha256(reader.read(raw).manifest),
    }
    for name, digest in found.items():
        try:
            value = checked.in_its_form(name, digest())
        except VeridactError as e:
            yield Check("files", f"manifest {name}", "fail", str(e))
            continue
        expected = checked.expected("manifest", name)
        bad = f"is {value}, the receipt says {_shown(expected)}"
        yield _judge("files", f"manifest {name}", value == expected, value, bad)


def _drops_a_stream(manifest: Manifest) -> bool:
    """Whether footage or sound of the source is left out, so that the output may begin later than 0 ms."""
    presented = {s.index for s in manifest.source.streams if isinstance(s, VideoStream | AudioStream)}
    return not presented <= set(rendered_indexes(manifest))


def _findings(
    media: MediaFile, manifest: Manifest, begins: Fraction, report: ReportProgress
) -> list[dict[str, object]]:
    """The findings on an output as JSON values."""
    return [asdict(finding) for finding in check_content(media, manifest, begins)]


def _content(asked: Asked, checked: CheckedReceipt) -> Iterator[Check]:
    if not asked.content:
        yield _not_asked("content", "content", "give --content with --output and --manifest")
        return
    if asked.output is None or asked.manifest is None:
        yield _cannot_run("content", "content", "needs --output and --manifest")
        return
    try:
        manifest, begins = manifest_file.read_path(asked.manifest).manifest, checked.begins
        if begins and not _drops_a_stream(manifest):
            raise AuditError("the receipt moves 0 ms although no stream is dropped; it is not of this manifest")
        with open_media(asked.output) as media:
            policy = Policy(pipeline.memory_bytes(manifest, CONTENT_BYTES_A_PIXEL))
            child_options = child.ChildOptions(policy, keep=(media.fd,))
            found = child.run(partial(_findings, media, manifest, begins), child_options, silently).value
        for finding in found:
            name, detail = (protocol.printable(str(finding[field])) for field in ("name", "detail"))
            yield _judge("content", name, finding["holds"] is True, detail, detail)
    except (AuditError, MediaError) as e:  # the output is not what the manifest and the receipt say
        yield Check("content", "content", "fail", str(e))
    except VeridactError as e:
        yield _cannot_run("content", "content", f"cannot be checked here: {e}")


def _rerun(asked: Asked, checked: CheckedReceipt) -> Iterator[Check]:
    if not asked.rerun:
        yield _not_asked("rerun", "rerun", "give --rerun with --input and --manifest")
        return
    if asked.input is None or asked.manifest is None:
        yield _cannot_run("rerun", "rerun", "needs --input and --manifest")
        return
    if checked.lacks_salt:
        yield _cannot_run("rerun", "rerun", NEEDS_SALT)
        return
    try:
        repeated = rerun.repeat(asked.input, asked.manifest)
    except VeridactError as e:
        yield _cannot_run("rerun", "rerun", f"cannot be rendered again here: {e}")
        return
    same = repeated.output_sha256 == checked.output_sha256
    yield _judge("rerun", "output", same, "the same bytes", _other_bytes(checked, repeated))
    heads = rerun.compare_heads(checked.entries, repeated, checked.salt if checked.disclosed else None)
    yield _judge("rerun", "head", heads.same, heads.detail, heads.detail)


def _other_bytes(checked: CheckedReceipt, repeated: rerun.Repeated) -> str:
    try:
        difference = rerun.toolchain_difference(checked.entries, repeated)
    except AuditError as e:
        difference = str(e)
    return f"other bytes, sha256 {repeated.output_sha256}; " + (difference or "made with the same toolchain")
