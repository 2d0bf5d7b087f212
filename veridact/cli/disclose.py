"""The command `veridact disclose`."""

from datetime import UTC, datetime
from pathlib import Path

import click

from veridact import atomic_write
from veridact.audit import attestation as signing
from veridact.audit.disclosure import disclosed, salt_of
from veridact.audit.verify import read_receipt
from veridact.cli.output import FILE, SETTINGS, remark
from veridact.errors import UsageError
from veridact.schema import receipt


@click.command(context_settings=SETTINGS)
@click.argument("audit", type=FILE)
@click.option("--salt-file", type=FILE, required=True, help="Keep it with the original; made where it is not there.")
@click.option("-o", "output", type=FILE, required=True, help="Where the disclosed receipt goes.")
@click.option("--attest", "attestation", type=FILE, help="Where a signed statement of its head goes.")
@click.option("--sign", "key", type=FILE, help="The private key that signs it.")
def disclose(audit: Path, salt_file: Path, output: Path, attestation: Path | None, key: Path | None) -> None:
    """Write a receipt for handing out, against which nobody can test guesses of what was covered."""
    if (attestation is None) != (key is None):
        raise UsageError("--attest and --sign go together")
    signer = signing.private_key(key) if key else None
    version, entries = receipt.read(read_receipt(audit))
    if version == receipt.DISCLOSED:
        raise UsageError(f"{audit} is a disclosed receipt already")
    lines = disclosed(entries, salt_of(salt_file))
    atomic_write.write_new(output, lines)
    _, written = receipt.read(lines)
    if attestation and signer:
        now = datetime.now(UTC)
        run = signing.Run(now, now, receipt.bodies(written, "output")[0]["sha256"], receipt.head(written))
        atomic_write.write_new(attestation, signing.envelope(signing.statement(run), signer))
    remark(f"disclosed receipt {output}, head {receipt.head(written)}")
