"""The digests of a manifest: of its bytes, of its content and of what decides the output (SPEC §1.1 rule 11)."""

import hashlib
from typing import Any

import rfc8785

from schema.manifest import AudioRange, Manifest, Track


def sha256_hex(data: bytes) -> str:
    """SHA-256 as lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def canonical(value: Any) -> bytes:
    """RFC 8785 canonical JSON."""
    return bytes(rfc8785.dumps(value))


def manifest_sha256(manifest: Manifest) -> str:
    """The digest of the whole content, however it was formatted."""
    return sha256_hex(canonical(manifest.document()))


def effect_of(item: Track | AudioRange, manifest: Manifest) -> Any:
    """The effect that covers an item: its own, else its label's, else the default; None for a `keep`."""
    if item.label == "keep":
        return None
    if item.effect is not None:
        return item.effect
    effects = manifest.effects.video if isinstance(item, Track) else manifest.effects.audio
    return getattr(effects, item.label, None) or effects.default if effects else None


def counts(item: Track | AudioRange) -> bool:
    """Whether an item decides output bytes: a cover unless rejected, a `keep` only when a person has said so."""
    if item.label == "keep":
        return item.review in {"accepted", "edited", "added"}
    return item.review != "rejected"


def rendered(manifest: Manifest) -> set[int]:
    """The indexes of the streams that the output has: those listed to be rendered, the only one of a picture."""
    if manifest.output.streams is None:
        return {s.index for s in manifest.source.streams}
    return {s.index for s in manifest.output.streams if s.disposition == "render"}


def _cover(item: Track | AudioRange, manifest: Manifest) -> dict[str, Any]:
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
    """Just what decides output bytes: stream dispositions, covers, audio ranges, effects, container and profile."""
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
    """The digest of `plan_document`: equal for manifests that render the same bytes."""
    return sha256_hex(canonical(plan_document(manifest)))
