"""Rendering of audio streams: copied, spliced or re-encoded without loss (docs/sound-render.md)."""
