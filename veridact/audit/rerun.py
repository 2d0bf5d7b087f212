"""Rendering again to check a receipt: what the same input and manifest give here, and why the receipt differs.

output   head                                          which of three it is
same     same                                          same bytes and same receipt
same     same once the toolchain entries are replaced  same bytes, made by another toolchain
other    other                                         other bytes
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from veridact.atomic_write import own_folder
from veridact.audit import receipt_toolchain
from veridact.audit.disclosure import disclosed
from veridact.errors import AuditError
from veridact.media.containers import SUFFIXES
from veridact.progress import silently
from veridact.render import pipeline
from veridact.schema import receipt
from veridact.schema.receipt import Entry
from veridact.tools import manifest_file


@dataclass(frozen=True)
class Repeated:
    """What rendering again gave: the digest of the output and the entries of its receipt."""

    output_sha256: str
    entries: Sequence[Entry]


@dataclass(frozen=True)
class HeadComparison:
    """Whether the head of a receipt is that of the repeated render, and why it is or is not."""

    same: bool
    detail: str


def repeat(media: Path, manifest: Path) -> Repeated:
    """Renders into a private folder that is gone afterwards; raises what `render` raises."""
    read = manifest_file.read_path(manifest)
    with own_folder() as folder:
        output = folder / f"again{SUFFIXES[read.manifest.output.container][0]}"
        audit = output.with_suffix(".jsonl")
        done = pipeline.render(media, read, output, audit, pipeline.RERUN_OPTIONS, silently)
        return Repeated(done.output_sha256, receipt.read(audit.read_bytes())[1])


def toolchain_difference(checked: Sequence[Entry], repeated: Repeated) -> str:
    """The packages in which the two toolchains differ, as text; empty where they are the same.

    Raises `AuditError` where the genesis entry of the receipt is not one that veridact writes.
    """
    ours = receipt_toolchain.toolchain_of(repeated.entries)
    return "; ".join(receipt_toolchain.toolchain_of(checked).differences(ours))


def compare_heads(checked: Sequence[Entry], repeated: Repeated, salt: bytes | None) -> HeadComparison:
    """Holds the head of a receipt against that of the repeated render, then against that under its own toolchain.

    `salt` is given where the receipt is a disclosed one.
    """
    head, ours = receipt.head(checked), _head(repeated.entries, salt)
    if ours == head:
        return HeadComparison(True, "the same receipt")
    try:
        difference = toolchain_difference(checked, repeated)
        theirs = receipt_toolchain.with_toolchain(repeated.entries, receipt_toolchain.toolchain_of(checked))
    except AuditError as e:
        return HeadComparison(False, f"gives the head {ours}; {e}")
    if not difference:
        return HeadComparison(False, f"gives the head {ours}, with the same toolchain")
    if _head(receipt.read(theirs)[1], salt) == head:
        return HeadComparison(True, f"the same receipt but for the toolchain: {difference}")
    return HeadComparison(False, f"gives the head {ours}, and more differs than the toolchain: {difference}")


def _head(entries: Sequence[Entry], salt: bytes | None) -> str:
    return receipt.head(receipt.read(disclosed(entries, salt))[1] if salt is not None else entries)
