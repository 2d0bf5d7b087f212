"""The commands that make a manifest of another: `upgrade`, `combine`, `export`, `import`."""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import click

from schema import formatter, reading
from schema import upgrade as upgrader
from schema.manifest import OtherStream, VideoLabel
from schema.tools import combine as combiner
from schema.tools import interchange
from schema.tools.cli_output import FILE, MANIFEST, SETTINGS, emit, read_file, remark

_OUT = click.option("-o", "--output", "out", type=FILE, help="A new file for the result; standard output by default.")


_LABELS = [name for name in get_args(VideoLabel) if name != "keep"]


def _tell_lost(what: str, lost: Sequence[str]) -> None:
    for line in lost:
        remark(f"{what}: {line}")


@click.command(context_settings=SETTINGS)
@click.argument("manifest", type=MANIFEST)
@_OUT
def upgrade(manifest: Path, out: Path | None) -> None:
    """Bring a manifest of an older major version to today's."""
    emit(formatter.write(upgrader.upgrade(reading.read_bytes(manifest))), out)


@click.command(context_settings=SETTINGS)
@click.argument("a", type=MANIFEST)
@click.argument("b", type=MANIFEST)
@_OUT
def combine(a: Path, b: Path, out: Path | None) -> None:
    """Add to A, which people have reviewed, what the new search B found besides; everything in A stays as it is."""
    combined = combiner.combine(reading.read_path(a).manifest, reading.read_path(b).manifest)
    emit(formatter.write(combined.manifest), out)
    remark(f"{combined.new} new, {combined.known} already known")


@click.command(context_settings=SETTINGS)
@click.argument("manifest", type=MANIFEST)
@click.option("--format", "name", type=click.Choice(list(interchange.EXPORTS)), required=True)
@click.option("--media", type=FILE, help="The footage, for exact times where the frame rate is not constant.")
@_OUT
def export(manifest: Path, name: str, media: Path | None, out: Path | None) -> None:
    """Write a manifest for another tool, or as the log of a disclosure; what the format cannot hold is listed."""
    exported = interchange.export(reading.read_path(manifest).manifest, name, media)
    emit(exported.data, out)
    _tell_lost(f"{name} does not hold", exported.lost)


@click.command("import", context_settings=SETTINGS)
@click.argument("media", type=FILE)
@click.argument("file", type=MANIFEST)
@click.option("--format", "name", type=click.Choice(list(interchange.IMPORTS)), required=True)
@click.option("--label", type=click.Choice(_LABELS), default="custom", help="The label of MOT's boxes.")
@_OUT
def import_(media: Path, file: Path, name: str, label: str, out: Path | None) -> None:
    """Make a manifest for MEDIA of what another tool wrote in FILE; what is not taken over is listed."""
    manifest, lost = interchange.import_file(media, read_file(file, f"{name} file"), name, label)
    emit(formatter.write(manifest), out)
    _tell_lost("not taken over", lost)
    dropped = {s.index for s in manifest.output.streams or () if s.disposition == "drop"}
    for stream in manifest.source.streams:
        if not isinstance(stream, OtherStream) and not stream.searched:
            fate = "dropped" if stream.index in dropped else "kept as it is"
            remark(f"stream {stream.index}: {stream.type} that {name} says nothing about; it is {fate}")
