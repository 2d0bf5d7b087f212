"""Decoded frames: what is cropped, what travels beside their pixels, and what must hold of them."""
