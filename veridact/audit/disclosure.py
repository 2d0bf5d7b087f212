"""A receipt for handing out: the same entries, without any value against which guesses could be tested.

Whoever holds a redacted plate can try every plate, paint each into the picture and compare digests with the receipt.
So in the disclosed chain the digests of input, timelines and manifest become HMACs under a salt that stays with the
original, and the size of the input is left out. The chain has its own version, so neither passes for the other.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from veridact import atomic_write
from veridact.errors import AuditError, UsageError
from veridact.schema import receipt
from veridact.schema.receipt import DISCLOSED, Entry, EntryType

SALT_BYTES = 32


def salted(salt: bytes, name: str, value: str) -> str:
    """HMAC-SHA256 of a named digest under the salt."""
    return hmac.new(salt, f"veridact.disclosed/1\0{name}\0{value}".encode(), hashlib.sha256).hexdigest()


def hmac_name(name: str) -> str:
    """The field of a disclosed receipt that holds the HMAC of a digest."""
    return f"{name.removesuffix('_sha256')}_hmac"


def _body(kind: EntryType, body: dict[str, Any], salt: bytes) -> dict[str, Any]:
    if kind == "input":
        timelines = [
            {"index": t["index"], "frames": t["frames"], "pts_hmac": salted(salt, f"pts {t['index']}", t["pts_sha256"])}
            for t in body["timelines"]
        ]
        return {hmac_name("sha256"): salted(salt, "sha256", body["sha256"]), "timelines": timelines}
    if kind == "manifest":
        return {hmac_name(name): salted(salt, name, value) for name, value in body.items()}
    return body


def disclosed(entries: Iterable[Entry], salt: bytes) -> bytes:
    """The disclosed receipt of the entries of an original one."""

    def bodies() -> Iterator[tuple[EntryType, dict[str, Any]]]:
        for entry in entries:
            if entry.type == "seal":
                continue
            try:
                body = _body(entry.type, entry.body, salt)
            except (KeyError, TypeError, AttributeError):
                raise AuditError(f"the {entry.type} entry is not one that veridact writes") from None
            yield entry.type, body

    return receipt.chain(bodies(), DISCLOSED)


def read_salt(path: Path) -> bytes:
    """The salt in a file; raises `UsageError` when there is none."""
    try:
        salt = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{path}: no such salt file") from None
    if len(salt) != SALT_BYTES:
        raise UsageError(f"{path} is no salt file: it must hold {SALT_BYTES} bytes")
    return salt


def salt_of(path: Path) -> bytes:
    """The salt in a file, made (mode 0600) where there is none yet."""
    if not path.exists():
        atomic_write.write_new(path, secrets.token_bytes(SALT_BYTES), 0o600)
    return read_salt(path)
