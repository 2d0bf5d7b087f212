"""The receipt `veridact.audit/1`: a hash chain of canonical JSON lines, each with the hash of the previous one.

    hash    = SHA-256("veridact.audit/1\\0entry\\0" ‖ RFC 8785 form of the entry without "hash")
    prev(0) = SHA-256("veridact.audit/1\\0genesis\\0")

The head of a receipt is the hash of its last entry, the seal. A receipt contains no time, host, user, path or process.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from veridact.errors import AuditError
from veridact.schema.digests import canonical

AUDIT = "veridact.audit/1"
DISCLOSED = "veridact.audit/1+disclosed"
MAX_BYTES = 256 * 1024 * 1024
EntryType = Literal["genesis", "input", "manifest", "stream", "track", "audio", "warning", "output", "seal"]


class Entry(BaseModel):
    """One entry of a receipt, stored as one line."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    body: dict[str, Any]
    hash: str
    prev: str
    seq: int
    type: EntryType
    v: Annotated[int, Field(ge=1, le=1)]


def genesis_prev(version: str = AUDIT) -> str:
    """The `prev` of the first entry."""
    return hashlib.sha256(f"{version}\0genesis\0".encode()).hexdigest()


def entry_hash(entry: dict[str, Any], version: str = AUDIT) -> str:
    """The hash of an entry that does not yet have its `hash` field."""
    return hashlib.sha256(f"{version}\0entry\0".encode() + canonical(entry)).hexdigest()


def chain(bodies: Iterable[tuple[EntryType, dict[str, Any]]], version: str = AUDIT) -> bytes:
    """Chains the bodies in order into a receipt, closed by a seal with their numbers."""
    lines: list[bytes] = []
    prev = genesis_prev(version)
    totals: dict[str, int] = {}

    def add(kind: EntryType, body: dict[str, Any]) -> None:
        nonlocal prev
        entry = {"body": body, "prev": prev, "seq": len(lines), "type": kind, "v": 1}
        prev = entry_hash(entry, version)
        lines.append(canonical({**entry, "hash": prev}) + b"\n")

    for kind, body in bodies:
        totals[kind] = totals.get(kind, 0) + 1
        add(kind, body)
    add("seal", {"entries": len(lines) + 1, "totals": totals})
    return b"".join(lines)


def _strict_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; raises `ValueError` for a member name that occurs twice."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member name occurs twice")
    return members


def _no_number(text: str) -> Any:
    """Refuses a number that is not an integer."""
    raise ValueError(f"{text[:20]} is not an integer")


def _parse_line(line: bytes, number: int) -> Entry:
    """Line `number`, counted from 0, as an entry; raises `AuditError` where it is none or not canonical."""
    where = f"line {number + 1}"
    try:
        tree = json.loads(line, object_pairs_hook=_strict_object, parse_float=_no_number, parse_constant=_no_number)
        entry = Entry.model_validate(tree)
        if canonical(tree) != line:
            raise AuditError(f"{where} is not in canonical form")
    except ValidationError:
        raise AuditError(f"{where} is no entry of a receipt") from None
    except (ValueError, RecursionError) as e:
        raise AuditError(f"{where} is no entry of a receipt: {e}") from None
    return entry


def read(raw: bytes) -> tuple[str, list[Entry]]:
    """The version and entries of a receipt with an intact chain; raises `AuditError` naming the line that breaks it."""
    if len(raw) > MAX_BYTES:
        raise AuditError(f"larger than {MAX_BYTES // 2**20} MiB; this is no receipt")
    if not raw.endswith(b"\n"):
        raise AuditError("the last line is incomplete; the receipt was truncated")
    entries = [_parse_line(line, i) for i, line in enumerate(raw[:-1].split(b"\n"))]
    version = DISCLOSED if entries[0].prev == genesis_prev(DISCLOSED) else AUDIT
    _check_chain(entries, version)
    return version, entries


def _check_chain(entries: Sequence[Entry], version: str) -> None:
    """Raises `AuditError` for the first entry whose number, predecessor or hash is wrong."""
    prev = genesis_prev(version)
    for number, entry in enumerate(entries):
        where = f"line {number + 1}"
        if entry.seq != number:
            raise AuditError(f"{where} says it is entry {entry.seq}; an entry is missing, added or out of order")
        if entry.prev != prev:
            raise AuditError(f"{where} does not follow from the entry before it")
        if entry_hash(entry.model_dump(exclude={"hash"}), version) != entry.hash:
            raise AuditError(f"{where} was changed: its hash is not that of its content")
        prev = entry.hash
    _check_order(entries)


_ORDER = {
    "genesis": 0,
    "input": 1,
    "manifest": 2,
    "stream": 3,
    "track": 4,
    "audio": 5,
    "warning": 6,
    "output": 7,
    "seal": 8,
}
_ONCE: tuple[EntryType, ...] = ("genesis", "input", "manifest", "output", "seal")


def _check_order(entries: Sequence[Entry]) -> None:
    """Raises `AuditError` for entries that are missing, repeated or out of order, or not those the seal counts."""
    kinds = [e.type for e in entries]
    last = entries[-1]
    if last.type != "seal":
        raise AuditError("there is no seal at the end; the receipt was truncated")
    if [_ORDER[k] for k in kinds] != sorted(_ORDER[k] for k in kinds) or any(kinds.count(k) != 1 for k in _ONCE):
        raise AuditError("the entries are not those of one receipt, in their order")
    counted = {k: kinds.count(k) for k in dict.fromkeys(kinds[:-1])}
    if last.body != {"entries": len(entries), "totals": counted}:
        raise AuditError("the seal counts other entries than there are")


def head(entries: Sequence[Entry]) -> str:
    """The hash of the last entry, which identifies the whole receipt."""
    return entries[-1].hash


def bodies(entries: Sequence[Entry], kind: EntryType) -> list[dict[str, Any]]:
    """The bodies of all entries of one type."""
    return [e.body for e in entries if e.type == kind]
