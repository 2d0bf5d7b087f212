"""A render whose run facts are signed where that is asked for: what the command and `veridact.api` do."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from veridact import atomic_write
from veridact.audit import attestation as signing
from veridact.errors import SafetyError, UsageError
from veridact.progress import ReportProgress
from veridact.render import pipeline
from veridact.render.pipeline import Options, RenderSummary
from veridact.schema.reader import LoadedManifest


def receipt_path(output: Path) -> Path:
    """Where the receipt of an output goes unless another place is named: beside it."""
    return output.with_name(output.name + ".audit.jsonl")


def render(
    media: Path, read: LoadedManifest, output: Path, audit: Path, options: Options, report: ReportProgress,
    attestation: Path | None, key: Path | None,
) -> RenderSummary:  # fmt: skip
    """Applies a manifest to the footage it was made for, as `veridact.render.pipeline.render`.

    Where `attestation` and `key` are given, the facts of the run are signed with the key and written there; whether
    that can be done is checked before anything is rendered.
    """
    _check_signing(attestation, key)
    signed = partial(_signed, attestation, key, datetime.now(UTC)) if attestation and key else pipeline.no_attestation
    return pipeline.render(media, read, output, audit, options, report, signed)


def _check_signing(attestation: Path | None, key: Path | None) -> None:
    """Refuses an attestation that could not be signed or written."""
    if (attestation is None) != (key is None):
        raise UsageError("--attest and --sign go together")
    if attestation and attestation.exists():
        raise SafetyError(f"{attestation} exists; choose another name for the attestation")
    if key:
        signing.check_private_key(key)


@contextmanager
def _signed(attestation: Path, key: Path, started: datetime, done: RenderSummary) -> Iterator[None]:
    """The facts of a run, signed and written before the output is published, at their place when it was."""
    run = signing.Run(started, datetime.now(UTC), done.output_sha256, done.head, done.sandbox)
    with atomic_write.new_file(attestation) as file:
        file.write(signing.envelope(signing.statement(run), signing.private_key(key)))
        file.flush()
        yield
