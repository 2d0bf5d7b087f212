"""The command `veridact combine`."""

from pathlib import Path

import click

from veridact.cli.output import MANIFEST, OUTPUT_OPTION, SETTINGS, emit, remark
from veridact.schema import writer
from veridact.tools import manifest_file
from veridact.tools import merge as combiner


@click.command(context_settings=SETTINGS)
@click.argument("a", type=MANIFEST)
@click.argument("b", type=MANIFEST)
@OUTPUT_OPTION
def combine(a: Path, b: Path, out: Path | None) -> None:
    """Add what a new run of locate found to a reviewed manifest.

    A is the reviewed manifest, of which nothing changes, B that of the new run.
    """
    combined = combiner.combine(manifest_file.read_path(a).manifest, manifest_file.read_path(b).manifest)
    emit(writer.write(combined.manifest), out)
    remark(f"{combined.new} new, {combined.known} already known")
