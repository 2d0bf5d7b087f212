"""The command `score`: how good a manifest is against a true one."""

import json
from pathlib import Path

import click

from schema import reading, score
from schema.tools import cli_output, clock


@click.command(name="score", context_settings=cli_output.SETTINGS)
@click.argument("manifest", type=cli_output.MANIFEST)
@click.argument("truth", type=cli_output.FILE)
@click.option("--iou", default=50, show_default=True, type=click.IntRange(1, 100),
              help="Percent of overlap from which a box counts as found.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Write the scores as JSON.")
def score_command(manifest: Path, truth: Path, iou: int, as_json: bool) -> None:
    """Measure MANIFEST against TRUTH, a manifest of the same file: what was found, missed, and left in sight."""
    true = reading.read_path(truth).manifest
    tallies = score.score(reading.read_path(manifest).manifest, true, clock.from_manifest(true), iou / 100)
    documents = {label: tally.document() for label, tally in sorted(tallies.items())}
    text = json.dumps(documents, indent=2) + "\n" if as_json else score.report(tallies)
    cli_output.emit(text.encode(), None)
