"""The command `veridact lint`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from veridact.cli.output import FILE, MANIFEST, SETTINGS, emit
from veridact.media import timeline
from veridact.media.video import check_source, open_media
from veridact.sandbox import child, protocol
from veridact.schema import reader
from veridact.schema.manifest import Manifest
from veridact.tools import lint as linter
from veridact.tools import lint_audio, manifest_file


def _heard(manifest: Manifest, media: Path) -> Sequence[linter.Finding]:
    """The findings that need the footage; raises `BindingError` when it is another file."""
    with open_media(media) as file:
        check_source(file, manifest.source.sha256)

        def listened() -> list[dict[str, Any]]:
            return [asdict(f) for f in lint_audio.inspect(manifest, file)]

        heard = child.call(listened, file.fd)
        return [linter.Finding(**{**found, "words": protocol.printable(found["words"])}) for found in heard]


@click.command(context_settings=SETTINGS)
@click.argument("manifest", type=MANIFEST)
@click.argument("media", type=FILE, required=False)
@click.option("--json", "as_json", is_flag=True, help="The queue as JSON.")
def lint(manifest: Path, media: Path | None, as_json: bool) -> int:
    """List what deserves a look, the greatest risk first; exit 1 when there is anything.

    With MEDIA, ranges of sound that cut a word are found too.
    """
    read = reader.read_without_rules(manifest_file.read_bytes(manifest))
    clocks = timeline.clocks(read, media)
    findings = linter.inspect(linter.Subject(read, clocks), () if media is None else _heard(read, media))
    if as_json:
        not_run = [] if media is not None else ["cut-word"]
        tree = {"findings": [f.document() for f in findings], "not_run": not_run}
        emit((json.dumps(tree, indent=2, ensure_ascii=False) + "\n").encode(), None)
    else:
        emit(linter.report(findings).encode(), None)
    return 1 if findings else 0
