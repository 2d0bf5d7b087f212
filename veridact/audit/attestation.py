"""Run facts, signed apart from the receipt: a DSSE envelope over an in-toto statement, with an Ed25519 key.

The receipt is the same for everyone who renders; who did it, when and on what machine stands here.
Sources: DSSE v1 (pre-authentication encoding), in-toto Statement v1.
"""

import base64
import binascii
import hashlib
import json
import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from veridact import __version__, atomic_write
from veridact.errors import AuditError, UsageError
from veridact.progress import ReportProgress, silently
from veridact.sandbox import child
from veridact.sandbox.policy import GIB, Active, Policy

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://veridact.dev/run/v1"
MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class Run:
    """When a render ran, what it made, and in what sandbox; None where nothing was decoded."""

    started: datetime
    ended: datetime
    output_sha256: str
    head: str
    sandbox: Active | None = None


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """What is signed: DSSEv1 SP len(type) SP type SP len(payload) SP payload."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def statement(run: Run) -> dict[str, Any]:
    """The in-toto statement of a run; it names the output by digest, never by path."""
    sandbox = {} if run.sandbox is None else {"sandbox": _told(run.sandbox)}
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": "output", "digest": {"sha256": run.output_sha256}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "receiptHead": run.head,
            "tool": f"veridact {__version__}",
            "startedOn": run.started.astimezone(UTC).isoformat(timespec="seconds"),
            "finishedOn": run.ended.astimezone(UTC).isoformat(timespec="seconds"),
            "operator": os.environ.get("LOGNAME") or os.environ.get("USER") or str(os.getuid()),
            "host": platform.node(),
            "machine": platform.machine(),
            "kernel": platform.release(),
            **sandbox,
        },
    }


def _told(sandbox: Active) -> dict[str, Any]:
    return {"layers": sandbox.layers, "landlockAbi": sandbox.landlock_abi, "missing": sandbox.missing}


def key_id(public: Ed25519PublicKey) -> str:
    """SHA-256 of the raw public key."""
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()


def envelope(body: dict[str, Any], key: Ed25519PrivateKey) -> bytes:
    """The signed DSSE envelope of a statement."""
    payload = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    signature = key.sign(pre_authentication_encoding(PAYLOAD_TYPE, payload))
    signed = {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"keyid": key_id(key.public_key()), "sig": base64.b64encode(signature).decode()}],
    }
    return json.dumps(signed, indent=2).encode() + b"\n"


def opened(raw: bytes, public: Ed25519PublicKey) -> dict[str, Any]:
    """The statement in an envelope that `public` signed; raises `AuditError` when it did not."""
    try:
        outer = json.loads(raw)
        payload = base64.b64decode(outer["payload"], validate=True)
        signatures = [base64.b64decode(s["sig"], validate=True) for s in outer["signatures"]]
        kind = str(outer["payloadType"])
    except (ValueError, KeyError, TypeError, binascii.Error, RecursionError):
        raise AuditError("the attestation is no DSSE envelope") from None
    if kind != PAYLOAD_TYPE or not any(_signed(public, s, kind, payload) for s in signatures):
        raise AuditError("the attestation was not signed with this key")
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError):
        raise AuditError("the attestation holds no statement") from None
    if not isinstance(body, dict) or body.get("_type") != STATEMENT_TYPE or body.get("predicateType") != PREDICATE_TYPE:
        raise AuditError("the attestation holds no statement of a veridact run")
    return body


def _signed(public: Ed25519PublicKey, signature: bytes, kind: str, payload: bytes) -> bool:
    try:
        public.verify(signature, pre_authentication_encoding(kind, payload))
    except InvalidSignature:
        return False
    return True


def names(body: dict[str, Any]) -> tuple[str | None, str | None]:
    """The output digest and the receipt's head that a statement names; None where it names none."""
    subject, predicate = body.get("subject"), body.get("predicate")
    first = subject[0] if isinstance(subject, list) and len(subject) == 1 and isinstance(subject[0], dict) else {}
    digest = first.get("digest")
    head = predicate.get("receiptHead") if isinstance(predicate, dict) else None
    return (digest.get("sha256") if isinstance(digest, dict) else None, head)


def new_key(path: Path) -> Path:
    """Writes a private key to `path` (mode 0600) and its public key to `path`.pub; returns the latter."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    public_path = path.with_name(path.name + ".pub")
    with atomic_write.new_file(path, 0o600) as secret, atomic_write.new_file(public_path, 0o644) as public_file:
        secret.write(private)
        public_file.write(public)
    return public_path


def private_key(path: Path) -> Ed25519PrivateKey:
    """An Ed25519 private key from PEM."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm, FileNotFoundError):
        raise UsageError(f"{path} is no private key; make one with `veridact keygen -o FILE`") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{path} is no Ed25519 key; make one with `veridact keygen -o FILE`")
    return key


def check_private_key(path: Path) -> None:
    """Raises `UsageError` for what `private_key` would refuse. A process that ends at once reads it: the one that will
    decode inherits the memory of this one."""

    def read(report: ReportProgress) -> None:
        private_key(path)

    child.run(read, child.ChildOptions(Policy(GIB), "off"), silently)


def public_key(path: Path) -> Ed25519PublicKey:
    """An Ed25519 public key from PEM."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (ValueError, TypeError, UnsupportedAlgorithm, FileNotFoundError):
        raise UsageError(f"{path} is no public key") from None
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"{path} is no Ed25519 public key")
    return key
