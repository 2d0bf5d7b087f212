"""Which tracks and ranges count, and the effect of each."""

from typing import Any

from veridact.schema.manifest import AudioRange, Manifest, Track


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
