"""The command `veridact export`."""

from pathlib import Path

import click

from veridact.cli.output import FILE, MANIFEST, OUTPUT_OPTION, SETTINGS, emit, report_losses
from veridact.tools import manifest_file
from veridact.tools.formats import registry


@click.command(context_settings=SETTINGS)
@click.argument("manifest", type=MANIFEST)
@click.option("--format", "name", type=click.Choice(list(registry.EXPORTS)), required=True)
@click.option("--media", type=FILE, help="The media file, for exact times where the frame rate is not constant.")
@OUTPUT_OPTION
def export(manifest: Path, name: str, media: Path | None, out: Path | None) -> None:
    """Write a manifest in another tool's format or as a redaction log.

    What the format cannot hold is listed on stderr.
    """
    exported = registry.export(manifest_file.read_path(manifest).manifest, name, media)
    emit(exported.data, out)
    report_losses(f"{name} does not hold", exported.lost)
