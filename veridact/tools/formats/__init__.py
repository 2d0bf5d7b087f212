"""Annotation formats of other tools, one a file, and the table of them in `registry`."""
