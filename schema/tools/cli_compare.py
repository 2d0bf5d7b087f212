"""The commands that look at manifests and answer: `validate`, `lint`, `diff`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from schema import contained, digests, reading
from schema.manifest import Manifest
from schema.media import check_source, open_media
from schema.tools import clock, lint_sound
from schema.tools import diff as differ
from schema.tools import lint as linter
from schema.tools.cli_output import FILE, MANIFEST, SETTINGS, emit


@click.command(context_settings=SETTINGS)
@click.argument("manifest", type=MANIFEST)
def validate(manifest: Path) -> None:
    """Check a manifest and print its three digests; an invalid one is named with the place and the reason."""
    read = reading.read_path(manifest)
    lines = {
        "file_sha256": digests.sha256_hex(read.raw),
        "manifest_sha256": digests.manifest_sha256(read.manifest),
        "plan_sha256": digests.plan_sha256(read.manifest),
    }
    emit("".join(f"{name} {value}\n" for name, value in lines.items()).encode(), None)


def _heard(manifest: Manifest, media: Path) -> Sequence[linter.Finding]:
    """The findings that need the footage; raises `BindingError` when it is another file."""
    with open_media(media) as file:
        check_source(file, manifest.source.sha256)

        def listened() -> list[dict[str, Any]]:
            return [asdict(f) for f in lint_sound.inspect(manifest, file)]

        heard = contained.look(listened, file.fd)
        return [linter.Finding(**{**found, "words": contained.printable(found["words"])}) for found in heard]


@click.command(context_settings=SETTINGS)
@click.argument("manifest", type=MANIFEST)
@click.argument("media", type=FILE, required=False)
@click.option("--json", "as_json", is_flag=True, help="The queue as JSON.")
def lint(manifest: Path, media: Path | None, as_json: bool) -> int:
    """List what deserves a look, the greatest risk first; exit 1 when there is anything.

    With MEDIA, ranges of sound that cut a word are found too.
    """
    read = reading.read_without_rules(reading.read_bytes(manifest))
    clocks = clock.clocks(read, media)
    findings = linter.inspect(linter.Subject(read, clocks), () if media is None else _heard(read, media))
    if as_json:
        not_run = [] if media is not None else ["cut-word"]
        tree = {"findings": [f.document() for f in findings], "not_run": not_run}
        emit((json.dumps(tree, indent=2, ensure_ascii=False) + "\n").encode(), None)
    else:
        emit(linter.report(findings).encode(), None)
    return 1 if findings else 0


@click.command(context_settings=SETTINGS)
@click.argument("a", type=MANIFEST)
@click.argument("b", type=MANIFEST)
@click.option("--json", "as_json", is_flag=True, help="The changes as JSON.")
def diff(a: Path, b: Path, as_json: bool) -> int:
    """Say what changes for a viewer and a listener from A to B.

    Exits 1 when anything is newly visible or audible, or covered more weakly.
    """
    changes = differ.compare(reading.read_path(a).manifest, reading.read_path(b).manifest)
    revealed = differ.reveals(changes)
    if as_json:
        tree = {"reveals": revealed, "changes": [c.document() for c in changes]}
        emit((json.dumps(tree, indent=2, ensure_ascii=False) + "\n").encode(), None)
    else:
        emit(differ.report(changes).encode(), None)
    return 1 if revealed else 0
