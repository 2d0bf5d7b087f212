"""The command `veridact upgrade`."""

from pathlib import Path

import click

from veridact.cli.output import MANIFEST, OUTPUT_OPTION, SETTINGS, emit
from veridact.schema import upgrade as upgrader
from veridact.schema import writer
from veridact.tools import manifest_file


@click.command(context_settings=SETTINGS)
@click.argument("manifest", type=MANIFEST)
@OUTPUT_OPTION
def upgrade(manifest: Path, out: Path | None) -> None:
    """Convert a manifest of an older major version to the current."""
    emit(writer.write(upgrader.upgrade(manifest_file.read_bytes(manifest))), out)
