"""The command `veridact keygen`."""

from pathlib import Path

import click

from veridact.audit import attestation
from veridact.cli.output import FILE, SETTINGS, remark


@click.command(context_settings=SETTINGS)
@click.option("-o", "output", type=FILE, required=True, help="Where the private key goes; the public one gets .pub.")
def keygen(output: Path) -> None:
    """Make an Ed25519 key pair with which `render --attest --sign` signs the facts of a run."""
    public = attestation.new_key(output)
    remark(f"private key {output}, public key {public}")
