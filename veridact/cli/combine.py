"""The command `veridact combine`."""

from pathlib import Path

import click

from veridact.cli.export import _OUT
from veridact.cli.output import MANIFEST, SETTINGS, emit, remark
from veridact.schema import writer
from veridact.tools import manifest_file
from veridact.tools import merge as combiner


@click.command(context_settings=SETTINGS)
@click.argument("a", type=MANIFEST)
@click.argument("b", type=MANIFEST)
@_OUT
def combine(a: Path, b: Path, out: Path | None) -> None:
    """Add to A, which people have reviewed, what the new search B found besides; everything in A stays as it is."""
    combined = combiner.combine(manifest_file.read_path(a).manifest, manifest_file.read_path(b).manifest)
    emit(writer.write(combined.manifest), out)
    remark(f"{combined.new} new, {combined.known} already known")
