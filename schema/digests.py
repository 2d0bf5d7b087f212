"""The digests of a manifest: of its bytes, its content, and the part that decides the output (SPEC §1.1 rule 11)."""

import hashlib
from typing import Any

import rfc8785

from veridact.schema.manifest import AudioRange, Manifest, Track
from veridact.schema.plan.effects import counts, effect_of


def sha256_hex(data: bytes) -> str:
    """SHA-256 as lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def canonical(value: Any) -> bytes:
    """RFC 8785 canonical JSON."""
    return bytes(rfc8785.dumps(value))


def manifest_sha256(manifest: Manifest) -> str:
    """The digest of the whole content, independent of formatting."""
    return sha256_hex(canonical(manifest.document()))


def _cover(item: Track | AudioRange, manifest: Manifest) -> dict[str, Any]:
    """What an item contributes to the plan: its stream, effect (`keep` for none) and extent."""
    effect = effect_of(item, manifest)
    extent: dict[str, Any] = (
        {"segments": [s.model_dump(mode="json") for s in item.segments]}
        if isinstance(item, Track)
        else {"start_ms": item.start_ms, "end_ms": item.end_ms}
    )
    return {
        "stream": item.stream,
        "effect": effect.model_dump(mode="json") if effect is not None else "keep",
        **extent,
    }


def plan_document(manifest: Manifest) -> dict[str, Any]:
    """The part of a manifest that decides output bytes: dispositions, covers, ranges, effects, container, profile."""
    return {
        "source": {"sha256": manifest.source.sha256},
        "output": manifest.output.model_dump(mode="json", exclude_none=True),
        "scope": manifest.scope,
        "everything": manifest.effects.model_dump(mode="json", include={"video": {"default"}, "audio": {"default"}})
        if manifest.scope == "everything"
        else None,
        "covers": [_cover(t, manifest) for t in manifest.tracks if counts(t)],
        "audio": [_cover(a, manifest) for a in manifest.audio if counts(a)],
    }


def plan_sha256(manifest: Manifest) -> str:
    """The digest of `plan_document`; manifests with equal digests render the same bytes."""
    return sha256_hex(canonical(plan_document(manifest)))
