"""The command `veridact diff`."""

import json
from pathlib import Path

import click

from veridact.cli.output import MANIFEST, SETTINGS, emit
from veridact.tools import diff as differ
from veridact.tools import manifest_file


@click.command(context_settings=SETTINGS)
@click.argument("a", type=MANIFEST)
@click.argument("b", type=MANIFEST)
@click.option("--json", "as_json", is_flag=True, help="Print the changes as JSON.")
def diff(a: Path, b: Path, as_json: bool) -> int:
    """Show what changes for a viewer and a listener from A to B.

    Exits with 1 if anything is newly visible or audible, or covered more weakly.
    """
    changes = differ.compare(manifest_file.read_path(a).manifest, manifest_file.read_path(b).manifest)
    revealed = differ.reveals(changes)
    if as_json:
        tree = {"reveals": revealed, "changes": [c.document() for c in changes]}
        emit((json.dumps(tree, indent=2, ensure_ascii=False) + "\n").encode(), None)
    else:
        emit(differ.report(changes).encode(), None)
    return 1 if revealed else 0
