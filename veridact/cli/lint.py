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


def _audio_findings(manifest: Manifest, media: Path) -> Sequence[linter.Finding]:
    """The findings that need the media file; raises `BindingError` for a file that is not the manifest's source."""
    with open_media(media) as file:
        check_source(file, manifest.source.sha256)

        def inspect() -> list[dict[str, Any]]:
            return [asdict(f) for f in lint_audio.inspect(manifest, file)]

        found = child.call(inspect, file.fd)
        return [linter.Finding(**{**fields, "words": protocol.printable(fields["words"])}) for fields in found]


@click.command(context_settings=SETTINGS)
@click.argument("manifest", type=MANIFEST)
@click.argument("media", type=FILE, required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the queue as JSON.")
def lint(manifest: Path, media: Path | None, as_json: bool) -> int:
    """List doubtful places of a manifest, greatest risk first.

    With MEDIA, the file of the manifest, ranges of sound that cut a word are found too. Exits with 1 if there are any
    findings.
    """
    read = reader.read_without_rules(manifest_file.read_bytes(manifest))
    clocks = timeline.clocks(read, media)
    findings = linter.inspect(linter.Subject(read, clocks), () if media is None else _audio_findings(read, media))
    if as_json:
        not_run = [] if media is not None else ["cut-word"]
        tree = {"findings": [f.document() for f in findings], "not_run": not_run}
        emit((json.dumps(tree, indent=2, ensure_ascii=False) + "\n").encode(), None)
    else:
        emit(linter.report(findings).encode(), None)
    return 1 if findings else 0
