"""The command `veridact import`."""

from pathlib import Path
from typing import get_args

import click

from veridact.cli.export import _OUT, _tell_lost
from veridact.cli.output import FILE, MANIFEST, SETTINGS, emit, read_file, remark
from veridact.schema import writer
from veridact.schema.manifest import OtherStream, VideoLabel
from veridact.schema.plan.dispositions import rendered_indexes
from veridact.tools.formats import registry

_LABELS = [name for name in get_args(VideoLabel) if name != "keep"]


@click.command("import", context_settings=SETTINGS)
@click.argument("media", type=FILE)
@click.argument("file", type=MANIFEST)
@click.option("--format", "name", type=click.Choice(list(registry.IMPORTS)), required=True)
@click.option("--label", type=click.Choice(_LABELS), default="custom", help="The label of MOT's boxes.")
@_OUT
def import_(media: Path, file: Path, name: str, label: str, out: Path | None) -> None:
    """Make a manifest for MEDIA of what another tool wrote in FILE; what is not taken over is listed."""
    manifest, lost = registry.import_file(media, read_file(file, f"{name} file"), name, label)
    emit(writer.write(manifest), out)
    _tell_lost("not taken over", lost)
    rendered = rendered_indexes(manifest)
    for stream in manifest.source.streams:
        if not isinstance(stream, OtherStream) and not stream.searched:
            fate = "kept as it is" if stream.index in rendered else "dropped"
            remark(f"stream {stream.index}: {stream.type} that {name} says nothing about; it is {fate}")
