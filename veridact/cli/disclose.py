"""The command `veridact disclose`."""

from datetime import UTC, datetime
from pathlib import Path

import click

from veridact import atomic_write
from veridact.audit import attestation as signing
from veridact.audit.disclosure import disclosed, salt_of
from veridact.audit.verify import read_receipt
from veridact.cli.verify import _FILE
from veridact.errors import UsageError
from veridact.schema import receipt


@click.command()
@click.argument("audit", type=_FILE)
@click.option("--salt-file", type=_FILE, required=True, help="Keep it with the original; made where it is not there.")
@click.option("-o", "output", type=_FILE, required=True, help="Where the disclosed receipt goes.")
@click.option("--attest", "attestation", type=_FILE, help="Where a signed statement of its head goes.")
@click.option("--sign", "key", type=_FILE, help="The private key that signs it.")
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
    _, told = receipt.read(lines)
    if attestation and signer:
        now = datetime.now(UTC)
        run = signing.Run(now, now, receipt.bodies(told, "output")[0]["sha256"], receipt.head(told))
        atomic_write.write_new(attestation, signing.envelope(signing.statement(run), signer))
    click.echo(f"disclosed receipt {output}, head {receipt.head(told)}", err=True)
