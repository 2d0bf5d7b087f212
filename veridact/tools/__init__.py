"""Tools for people who work on manifests: edit, diff, lint, score, draw, merge, export and import.

Each is a function on manifests that prints nothing; `veridact.cli` has the command for it. `lint_audio`, `draw` and
`formats.registry` also read the media.
"""
