"""What people do to manifests: select, edit, compare, check, draw, combine, and carry to other tools and back.

Each tool is a pure function on manifests; the `cli_*` modules put a command over it and are the only ones that print.
"""
