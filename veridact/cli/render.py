"""The command `render`: its options, its progress on stderr and its exit."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from veridact import atomic_write
from veridact.audit import attestation as signing
from veridact.errors import SafetyError, UsageError
from veridact.progress import Progress
from veridact.render.pipeline import Options, RenderSummary, no_attestation
from veridact.render.pipeline import render as render_file
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
    if (attestation is None) != (key is None):
        raise UsageError("--attest and --sign go together")
    if attestation and attestation.exists():
        raise SafetyError(f"{attestation} exists; choose another name for the attestation")
    if key:
        signing.check_private_key(key)
    started = datetime.now(UTC)
    options = Options(
        jobs=jobs or len(os.sched_getaffinity(0)),
        force=force,
        resume=resume,
        require_review=require_review,
        allow_uncovered=allow_uncovered,
        sandbox=sandbox,
    )
    receipt_path = audit or out.with_name(out.name + ".audit.jsonl")
    attest = partial(_attest, attestation, key, started) if attestation and key else no_attestation
    summary = render_file(media, manifest_file.read_path(manifest), out, receipt_path, options, Progress(quiet), attest)
    if not quiet:
        click.echo(f"receipt {receipt_path}, head {summary.head}", err=True)


@contextmanager
def _attest(attestation: Path, key: Path, started: datetime, summary: RenderSummary) -> Iterator[None]:
    """Signs the facts of a run before the context; the file appears under its name once the context succeeds."""
    run = signing.Run(started, datetime.now(UTC), summary.output_sha256, summary.head, summary.sandbox)
    with atomic_write.new_file(attestation) as file:
        file.write(signing.envelope(signing.statement(run), signing.private_key(key)))
        file.flush()
        yield
