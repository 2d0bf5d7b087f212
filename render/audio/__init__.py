"""Sound: which samples are covered, and the packets that carry the covered stream (see docs/sound-render.md)."""
