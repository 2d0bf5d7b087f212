"""The commands about receipts: `veridact verify`, `disclose` and `keygen`."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from render import attest
from render.verify import Asked, passed
from render.verify import verify as verify_receipt
from schema.errors import UsageError

FAILED = 1
_SIGN = {"pass": "ok  ", "fail": "FAIL", "not run": "-   "}
_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("audit", type=_FILE)
@click.option("--input", "input_", type=_FILE, help="The footage that was rendered.")
@click.option("--manifest", type=_FILE, help="The manifest that was applied.")
@click.option("--output", type=_FILE, help="The rendered file.")
@click.option("--head", help="The head that the receipt must have.")
@click.option("--key", type=_FILE, help="The public key that must have signed the attestation.")
@click.option("--attestation", type=_FILE, help="The attestation of the run.")
@click.option("--rerun", is_flag=True, help="Render again and compare bytes and head.")
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def verify(
    audit: Path,
    input_: Path | None,
    manifest: Path | None,
    output: Path | None,
    head: str | None,
    key: Path | None,
    attestation: Path | None,
    rerun: bool,
    as_json: bool,
) -> int:
    """Check the receipt AUDIT, and with it whatever files are given. Exits 0 only if all that was asked for passed."""
    if (key is None) != (attestation is None):
        raise UsageError("--key and --attestation go together")
    checks = verify_receipt(Asked(audit, input_, manifest, output, head, key, attestation, rerun=rerun))
    if as_json:
        click.echo(json.dumps({"passed": passed(checks), "checks": [asdict(c) for c in checks]}, indent=2))
    else:
        for check in checks:
            click.echo(f"{_SIGN[check.status]} {check.level:8} {check.name:24} {check.detail}")
    return 0 if passed(checks) else FAILED


@click.command()
@click.option("-o", "output", type=_FILE, required=True, help="Where the private key goes; the public one gets .pub.")
def keygen(output: Path) -> None:
    """Make an Ed25519 key pair with which `render --attest --sign` signs the facts of a run."""
    public = attest.new_key(output)
    click.echo(f"private key {output}, public key {public}", err=True)
