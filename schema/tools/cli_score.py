"""The command `score`: how good a manifest is against what is true."""

import json
from pathlib import Path
from typing import get_args

import click

from schema import reading, score
from schema.manifest import VideoLabel
from schema.tools import cli_output, clock
from schema.tools import truth as truths

_LABELS = [name for name in get_args(VideoLabel) if name != "keep"]


@click.command(name="score", context_settings=cli_output.SETTINGS)
@click.argument("manifest", type=cli_output.MANIFEST)
@click.argument("truth", type=cli_output.FILE)
@click.option("--iou", default=50, show_default=True, type=click.IntRange(1, 100),
              help="Percent of overlap from which a box counts as found.")  # fmt: skip
@click.option("--label", type=click.Choice(_LABELS), help="The label of MOT's boxes; by default that of MANIFEST.")
@click.option("--media", type=cli_output.FILE, help="The footage, for seconds where the frame rate is not constant.")
@click.option("--json", "as_json", is_flag=True, help="Write the scores as JSON.")
def score_command(manifest: Path, truth: Path, iou: int, label: str | None, media: Path | None, as_json: bool) -> None:
    """Measure MANIFEST against TRUTH: what was found, missed, and left in sight.

    TRUTH is a manifest of the same file, a CVAT for video 1.1 file or a MOT file.
    """
    found = reading.read_path(manifest).manifest
    clocks = clock.clocks(found, media)
    true, lost = truths.read(cli_output.read_file(truth, "truth"), found, clocks, label)
    tallies = score.score(found, true, clocks, iou / 100)
    documents = {name: tally.document() for name, tally in sorted(tallies.items())}
    text = json.dumps(documents, indent=2) + "\n" if as_json else score.report(tallies)
    cli_output.emit(text.encode(), None)
    for line in lost:
        cli_output.remark(f"not taken over: {line}")
    if any(c.pts is None for c in clocks.values()):
        cli_output.remark("the frame rate is not constant: frames count alike; name the footage with --media")
