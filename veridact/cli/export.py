"""The commands that make a manifest of another: `upgrade`, `combine`, `export`, `import`."""

from collections.abc import Sequence
from pathlib import Path

import click

from veridact.cli.output import FILE, MANIFEST, SETTINGS, emit, remark
from veridact.tools import manifest_file
from veridact.tools.formats import registry

_OUT = click.option("-o", "--output", "out", type=FILE, help="A new file for the result; standard output by default.")


def _tell_lost(what: str, lost: Sequence[str]) -> None:
    for line in lost:
        remark(f"{what}: {line}")


@click.command(context_settings=SETTINGS)
@click.argument("manifest", type=MANIFEST)
@click.option("--format", "name", type=click.Choice(list(registry.EXPORTS)), required=True)
@click.option("--media", type=FILE, help="The footage, for exact times where the frame rate is not constant.")
@_OUT
def export(manifest: Path, name: str, media: Path | None, out: Path | None) -> None:
    """Write a manifest for another tool, or as the log of a disclosure; what the format cannot hold is listed."""
    exported = registry.export(manifest_file.read_path(manifest).manifest, name, media)
    emit(exported.data, out)
    _tell_lost(f"{name} does not hold", exported.lost)
