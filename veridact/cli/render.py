"""The command `render`: its options, its progress on stderr and its exit."""

import os
from pathlib import Path

import click

from veridact.audit.signed_render import receipt_path
from veridact.audit.signed_render import render as render_file
from veridact.cli.progress import Progress
from veridact.render.pipeline import Options
from veridact.sandbox.policy import MODES, Mode
from veridact.tools import manifest_file


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("media", type=click.Path(readable=False, path_type=Path))
@click.argument("manifest", type=click.Path(readable=False, path_type=Path, allow_dash=True))
@click.argument("out", type=click.Path(readable=False, path_type=Path))
@click.option(
    "--audit",
    type=click.Path(readable=False, path_type=Path),
    help="Where the receipt goes; OUT.audit.jsonl by default.",
)
@click.option("--jobs", type=click.IntRange(1, 64), help="Workers; all cores by default. Changes no byte.")
@click.option("--force", is_flag=True, help="Replace an existing output and its receipt.")
@click.option("--resume", is_flag=True, help="Go on from the finished segments of a render that was killed.")
@click.option("--require-review", is_flag=True, help="Refuse a manifest that still holds a proposed item.")
@click.option("--allow-uncovered", is_flag=True, help="Accept a manifest under which nothing is covered.")
@click.option(
    "--attest", "attestation", type=click.Path(readable=False, path_type=Path), help="Where the signed run facts go."
)
@click.option("--sign", "key", type=click.Path(readable=False, path_type=Path), help="The private key that signs them.")
@click.option(
    "--sandbox",
    type=click.Choice(MODES),
    default="auto",
    show_default=True,
    help="Sandbox of the decoder process: what the kernel offers, all of it or exit 8, or none.",
)
@click.option("--quiet", is_flag=True, help="No progress and no remarks on stderr.")
def render(
    media: Path,
    manifest: Path,
    out: Path,
    audit: Path | None,
    jobs: int | None,
    force: bool,
    resume: bool,
    require_review: bool,
    allow_uncovered: bool,
    attestation: Path | None,
    key: Path | None,
    sandbox: Mode,
    quiet: bool,
) -> None:
    """Apply MANIFEST to MEDIA and write OUT and its receipt. The same input gives the same bytes, everywhere."""
    options = Options(
        jobs=jobs or len(os.sched_getaffinity(0)),
        force=force,
        resume=resume,
        require_review=require_review,
        allow_uncovered=allow_uncovered,
        sandbox=sandbox,
    )
    read, receipt = manifest_file.read_path(manifest), audit or receipt_path(out)
    done = render_file(media, read, out, receipt, options, Progress(quiet), attestation, key)
    if not quiet:
        click.echo(f"receipt {receipt}, head {done.head}", err=True)
