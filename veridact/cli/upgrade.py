"""The command `veridact upgrade`."""

from pathlib import Path

import click

from veridact.cli.export import _OUT
from veridact.cli.output import MANIFEST, SETTINGS, emit
from veridact.schema import upgrade as upgrader
from veridact.schema import writer
from veridact.tools import manifest_file


@click.command(context_settings=SETTINGS)
@click.argument("manifest", type=MANIFEST)
@_OUT
def upgrade(manifest: Path, out: Path | None) -> None:
    """Bring a manifest of an older major version to today's."""
    emit(writer.write(upgrader.upgrade(manifest_file.read_bytes(manifest))), out)
