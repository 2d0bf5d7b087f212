"""Which tracks and ranges count, the effect of each, which effect is the stronger, and how many cells it has."""

from collections.abc import Iterator
from typing import Any

from veridact.schema.manifest import AudioEffect, AudioRange, Cells, Manifest, Track, VideoEffect

_KIND_STRENGTH = {"blur": 0, "mosaic": 1, "solid": 2}


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


def counted_tracks(manifest: Manifest, stream: int) -> Iterator[tuple[int, Track, VideoEffect | None]]:
    """The tracks of a stream that count, each with its number in the manifest and its effect, None for a `keep`."""
    for number, track in enumerate(manifest.tracks):
        if track.stream == stream and counts(track):
            yield number, track, effect_of(track, manifest)


def counted_ranges(manifest: Manifest, stream: int) -> Iterator[tuple[int, AudioRange, AudioEffect | None]]:
    """The ranges on an audio stream that count, each with its number in the manifest and its effect, None for a `keep`.

    A range whose `stream` is null is on every audio stream.
    """
    for number, item in enumerate(manifest.audio):
        if item.stream in {None, stream} and counts(item):
            yield number, item, effect_of(item, manifest)


def effect_over_everything(manifest: Manifest) -> VideoEffect | None:
    """The effect over all that is not kept in scope `everything`; None in scope `listed`."""
    video = manifest.effects.video
    return video.default if video is not None and manifest.scope == "everything" else None


def strength(effect: VideoEffect) -> tuple[int, int]:
    """Greater is stronger: solid over mosaic over blur, then fewer cells (SPEC §3)."""
    return _KIND_STRENGTH[effect.effect], -effect.cells if isinstance(effect, Cells) else 0


def cell_grid(track: Track, effect: VideoEffect | None) -> tuple[int, int]:
    """How many cells a track has across and down the displayed picture, the same on all its frames.

    The long side of the track's largest box has `cells` of them, the short side as many as keep them square. A grid
    chosen anew on every frame would let several frames together show more detail than one.
    """
    if not isinstance(effect, Cells):
        return (1, 1)
    boxes = (key.box for segment in track.segments for key in segment.keys)
    _, _, w, h = max(boxes, key=lambda box: box[2] * box[3])
    long, short = max(w, h), min(w, h)
    fewer = max(1, (2 * effect.cells * short + long) // (2 * long))
    return (effect.cells, fewer) if w >= h else (fewer, effect.cells)
