"""Colours and modes of pixels: what a file says of them, and how they become what is painted or shown."""
