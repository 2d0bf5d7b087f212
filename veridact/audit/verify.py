"""Checking a receipt, level by level: each check passes, fails or was not run, and says why."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Literal

from veridact.atomic_write import own_folder
from veridact.audit import attestation as signing
from veridact.audit.checks import LEVELS, Check, Level
from veridact.audit.content import check_content
from veridact.audit.disclosure import disclosed, hmac_name, salted
from veridact.errors import AuditError, VeridactError
from veridact.files import open_regular
from veridact.media.containers import SUFFIXES
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

LOOK_BYTES_A_PIXEL = 1600
"""What looking at an output may take for each pixel of a frame: a cover of 64 cells over all of it takes most."""


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


def verify(asked: Asked) -> list[Check]:
    """Every check in the order of the levels; those whose files were not given are `not run`."""
    raw = read_receipt(asked.audit)
    try:
        version, entries = receipt.read(raw)
    except AuditError as e:
        rest = [Check(level, level, "not run", "the chain does not hold") for level in LEVELS[1:]]
        return [Check("chain", "chain", "fail", str(e)), *rest]
    checks = [Check("chain", "chain", "pass", f"{len(entries)} entries, head {receipt.head(entries)}")]
    known = Known(entries, version == receipt.DISCLOSED, asked.salt)
    for level in (_anchor, _files, _content, _rerun):
        checks += level(asked, known)
    return checks


@dataclass(frozen=True)
class Known:
    """The entries of a receipt, and the salt under which a disclosed one hides its digests."""

    entries: Sequence[Entry]
    disclosed: bool
    salt: bytes | None

    @property
    def head(self) -> str:
        return receipt.head(self.entries)

    @property
    def output_sha256(self) -> object:
        return receipt.bodies(self.entries, "output")[0].get("sha256")

    @property
    def begins(self) -> Fraction:
        """How many seconds after 0 ms of the manifest the output begins; raises `AuditError` for what is no time."""
        match receipt.bodies(self.entries, "output")[0].get("begins", [0, 1]):
            case [int(ticks), int(rate)] if ticks >= 0 and 0 < rate < 2**53:
                return Fraction(ticks, rate)
        raise AuditError("the output entry begins at no time that veridact writes")

    @property
    def sealed_away(self) -> bool:
        """Whether digests cannot be compared, because the salt is not there."""
        return self.disclosed and self.salt is None

    def expected(self, kind: Literal["input", "manifest"], name: str) -> object:
        """What the receipt says of a digest: itself, or its HMAC in a disclosed receipt."""
        body = receipt.bodies(self.entries, kind)[0]
        return body.get(hmac_name(name) if self.disclosed else name)

    def as_told(self, name: str, digest: str) -> str:
        """A digest in the form in which this receipt tells it."""
        return salted(self.salt, name, digest) if self.disclosed and self.salt else digest


def read_receipt(path: Path) -> bytes:
    """The bytes of a receipt or attestation, never more than a receipt may have."""
    fd = open_regular(path)
    with open(fd, "rb") as file:
        return file.read(receipt.MAX_BYTES + 1)


def _judge(level: Level, name: str, holds: bool, good: str, bad: str) -> Check:
    return Check(level, name, "pass" if holds else "fail", good if holds else bad)


def _anchor(asked: Asked, known: Known) -> Iterator[Check]:
    head = known.head
    if asked.head is None and asked.attestation is None:
        yield Check("anchor", "anchor", "not run", "give --head, or --key and --attestation")
    if asked.head is not None:
        yield _judge(
            "anchor", "head", asked.head.lower() == head, "the head is the expected one", f"the head is {head}"
        )
    if asked.attestation is not None and asked.key is not None:
        yield _attested(asked.attestation, asked.key, known)


def _attested(attestation: Path, key: Path, known: Known) -> Check:
    try:
        body = signing.opened(read_receipt(attestation), signing.public_key(key))
    except AuditError as e:
        return Check("anchor", "attestation", "fail", str(e))
    return _judge(
        "anchor",
        "attestation",
        signing.names(body) == (known.output_sha256, known.head),
        "signed with this key, and names this output and this head",
        "it is signed, but names another output or receipt",
    )


def _sha256_of(path: Path) -> str:
    with open(open_regular(path), "rb") as file:
        return hash_descriptor(file.fileno())


def _files(asked: Asked, known: Known) -> Iterator[Check]:
    yield _compared(known, "input", asked.input, "give --input")
    if asked.output is None:
        yield Check("files", "output", "not run", "give --output")
    else:
        found = _sha256_of(asked.output)
        expected = known.output_sha256
        yield _judge(
            "files", "output", found == expected, f"sha256 {found}", f"is {found}, the receipt says {expected}"
        )
    if asked.manifest is None:
        yield Check("files", "manifest", "not run", "give --manifest")
    else:
        yield from _manifest(asked.manifest, known)


NEEDS_SALT = "this receipt is a disclosed one; give --salt-file"


def _compared(known: Known, name: Literal["input"], path: Path | None, advice: str) -> Check:
    if path is None:
        return Check("files", name, "not run", advice)
    if known.sealed_away:
        return Check("files", name, "fail", NEEDS_SALT)
    found, expected = known.as_told("sha256", _sha256_of(path)), known.expected("input", "sha256")
    return _judge("files", name, found == expected, f"sha256 {found}", f"is {found}, the receipt says {expected}")


def _manifest(path: Path, known: Known) -> Iterator[Check]:
    if known.sealed_away:
        yield Check("files", "manifest", "fail", NEEDS_SALT)
        return
    raw = manifest_file.read_bytes(path)
    found: dict[str, Callable[[], str]] = {
        "file_sha256": lambda: digests.sha256_hex(raw),
        "manifest_sha256": lambda: digests.manifest_sha256(reader.read(raw).manifest),
        "plan_sha256": lambda: digests.plan_sha256(reader.read(raw).manifest),
    }
    for name, digest in found.items():
        try:
            value = known.as_told(name, digest())
        except VeridactError as e:
            yield Check("files", f"manifest {name}", "fail", str(e))
            continue
        expected = known.expected("manifest", name)
        yield _judge("files", f"manifest {name}", value == expected, value, f"is {value}, the receipt says {expected}")


def _drops_a_stream(manifest: Manifest) -> bool:
    """Whether footage or sound of the source is left out, so that the output may begin later than 0 ms."""
    presented = {s.index for s in manifest.source.streams if isinstance(s, VideoStream | AudioStream)}
    return not presented <= set(rendered_indexes(manifest))


def _found(media: MediaFile, manifest: Manifest, begins: Fraction, report: ReportProgress) -> list[dict[str, object]]:
    """The findings on an output as JSON values."""
    return [asdict(finding) for finding in check_content(media, manifest, begins)]


def _content(asked: Asked, known: Known) -> Iterator[Check]:
    if not asked.content:
        yield Check("content", "content", "not run", "give --content with --output and --manifest")
        return
    if asked.output is None or asked.manifest is None:
        yield Check("content", "content", "fail", "needs --output and --manifest")
        return
    try:
        manifest, begins = manifest_file.read_path(asked.manifest).manifest, known.begins
        if begins and not _drops_a_stream(manifest):
            raise AuditError("the receipt moves 0 ms although no stream is dropped; it is not of this manifest")
        with open_media(asked.output) as media:
            policy = Policy(pipeline.memory_bytes(manifest, LOOK_BYTES_A_PIXEL))
            child_options = child.ChildOptions(policy, keep=(media.fd,))
            found = child.run(partial(_found, media, manifest, begins), child_options, silently).value
        for finding in found:
            name, detail = (protocol.printable(str(finding[field])) for field in ("name", "detail"))
            yield _judge("content", name, finding["holds"] is True, detail, detail)
    except VeridactError as e:
        yield Check("content", "content", "fail", str(e))


def _rerun(asked: Asked, known: Known) -> Iterator[Check]:
    if not asked.rerun:
        yield Check("rerun", "rerun", "not run", "give --rerun with --input and --manifest")
        return
    if asked.input is None or asked.manifest is None:
        yield Check("rerun", "rerun", "fail", "needs --input and --manifest")
        return
    if known.sealed_away:
        yield Check("rerun", "rerun", "fail", NEEDS_SALT)
        return
    try:
        again, lines = _render_again(asked.input, asked.manifest)
    except VeridactError as e:
        yield Check("rerun", "rerun", "fail", f"the render does not repeat: {e}")
        return
    if known.disclosed and known.salt:
        lines = disclosed(receipt.read(lines)[1], known.salt)
    head = receipt.head(receipt.read(lines)[1])
    same = again.output_sha256 == known.output_sha256
    yield _judge("rerun", "output", same, "the same bytes", f"gives {again.output_sha256}")
    yield _judge("rerun", "head", head == known.head, "the same receipt", f"gives the head {head}")


def _render_again(media: Path, manifest: Path) -> tuple[pipeline.Done, bytes]:
    """Renders into a private folder that is gone afterwards; what it made, and the receipt."""
    read = manifest_file.read_path(manifest)
    with own_folder() as folder:
        output = folder / f"again{SUFFIXES[read.manifest.output.container][0]}"
        audit = output.with_suffix(".jsonl")
        done = pipeline.render(media, read, output, audit, pipeline.REPEAT, silently)
        return done, audit.read_bytes()
