"""The commands that look at manifests and answer: `validate`, `diff`."""

import json
from pathlib import Path

import click

from schema import digests, reading
from schema.tools import diff as differ
from schema.tools.command import MANIFEST, SETTINGS, emit


@click.command(context_settings=SETTINGS)
@click.argument("manifest", type=MANIFEST)
def validate(manifest: Path) -> None:
    """Check a manifest and print its three digests; an invalid one is named with the place and the reason."""
    read = reading.read_path(manifest)
    lines = {
        "file_sha256": digests.sha256_hex(read.raw),
        "manifest_sha256": digests.manifest_sha256(read.manifest),
        "plan_sha256": digests.plan_sha256(read.manifest),
    }
    emit("".join(f"{name} {value}\n" for name, value in lines.items()).encode(), None)


@click.command(context_settings=SETTINGS)
@click.argument("a", type=MANIFEST)
@click.argument("b", type=MANIFEST)
@click.option("--json", "as_json", is_flag=True, help="The changes as JSON.")
def diff(a: Path, b: Path, as_json: bool) -> int:
    """Say what changes for a viewer and a listener from A to B; exit 1 when anything is newly visible or audible."""
    changes = differ.compare(reading.read_path(a).manifest, reading.read_path(b).manifest)
    revealed = differ.reveals(changes)
    if as_json:
        tree = {"reveals": revealed, "changes": [c.document() for c in changes]}
        emit((json.dumps(tree, indent=2, ensure_ascii=False) + "\n").encode(), None)
    else:
        emit(differ.report(changes).encode(), None)
    return 1 if revealed else 0
