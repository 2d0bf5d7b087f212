"""Rendering of still and animated pictures."""
