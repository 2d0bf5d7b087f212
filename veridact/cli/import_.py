"""The command `veridact import`."""

from pathlib import Path
from typing import get_args

import click

from veridact.cli.output import FILE, MANIFEST, OUTPUT_OPTION, SETTINGS, emit, read_file, remark, report_losses
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
@OUTPUT_OPTION
def import_(media: Path, file: Path, name: str, label: str, out: Path | None) -> None:
    """Make a manifest for MEDIA from FILE of another tool.

    What is not imported is listed on stderr.
    """
    manifest, lost = registry.import_file(media, read_file(file, f"{name} file"), name, label)
    emit(writer.write(manifest), out)
    report_losses("not imported", lost)
    rendered = rendered_indexes(manifest)
    for stream in manifest.source.streams:
        if not isinstance(stream, OtherStream) and not stream.searched:
            fate = "kept as it is" if stream.index in rendered else "dropped"
            remark(f"stream {stream.index}: {stream.type} that {name} does not annotate; it is {fate}")
