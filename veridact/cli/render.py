"""The command `render`: its options, its progress on stderr and its exit."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from veridact import atomic_write
from veridact.audit import attestation as signing
from veridact.cli import runner
from veridact.cli.progress import Progress
from veridact.errors import SafetyError, UsageError
from veridact.render.pipeline import Done, Options, unsigned
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
    help="What decodes runs shut in: as far as this kernel can, wholly or not at all (exit 8), or not.",
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
    signed = partial(_signed, attestation, key, started) if attestation and key else unsigned
    done = render_file(media, manifest_file.read_path(manifest), out, receipt_path, options, Progress(quiet), signed)
    if not quiet:
        click.echo(f"receipt {receipt_path}, head {done.head}", err=True)


@contextmanager
def _signed(attestation: Path, key: Path, started: datetime, done: Done) -> Iterator[None]:
    """The facts of a run, signed and written before the output is published, at their place when it was."""
    run = signing.Run(started, datetime.now(UTC), done.output_sha256, done.head, done.sandbox)
    with atomic_write.new_file(attestation) as file:
        file.write(signing.envelope(signing.statement(run), signing.private_key(key)))
        file.flush()
        yield


def main() -> None:
    """The console script `render`."""
    sys.exit(runner.run(render, "render"))
