"""The command `veridact score`."""

import json
from pathlib import Path
from typing import get_args

import click

from veridact.cli import output
from veridact.media import timeline
from veridact.schema.manifest import VideoLabel
from veridact.tools import ground_truth as truths
from veridact.tools import manifest_file, score

_LABELS = [name for name in get_args(VideoLabel) if name != "keep"]


@click.command(name="score", context_settings=output.SETTINGS)
@click.argument("manifest", type=output.MANIFEST)
@click.argument("truth", type=output.FILE)
@click.option("--iou", default=50, show_default=True, type=click.IntRange(1, 100),
              help="Percent of overlap (intersection over union) from which a box counts as found.")  # fmt: skip
@click.option(
    "--label",
    type=click.Choice(_LABELS),
    help="The label of the boxes of a MOT file; by default the only one of MANIFEST.",
)
@click.option("--media", type=output.FILE, help="The media file, for seconds where the frame rate is not constant.")
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON.")
def score_command(manifest: Path, truth: Path, iou: int, label: str | None, media: Path | None, as_json: bool) -> None:
    """Measure MANIFEST against the ground truth TRUTH.

    Reports precision, recall and how much stays visible. TRUTH is a manifest for the same file, a CVAT for video 1.1
    file or a MOT file.
    """
    found = manifest_file.read_path(manifest).manifest
    clocks = timeline.clocks(found, media)
    true, lost = truths.read(output.read_file(truth, "ground truth"), found, clocks, label)
    tallies = score.score(found, true, clocks, iou / 100)
    documents = {name: tally.document() for name, tally in sorted(tallies.items())}
    text = json.dumps(documents, indent=2) + "\n" if as_json else score.report(tallies)
    output.emit(text.encode(), None)
    output.report_losses("not used", lost)
    if any(c.pts is None for c in clocks.values()):
        output.remark(
            "the frame rate is not constant, so every frame counts the same; for seconds name the footage with --media"
        )
