"""The commands about receipts: `veridact verify`, `disclose` and `keygen`."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from render import attest
from render.disclose import disclosed, read_salt, salt_of
from render.verify import Asked, passed, read_receipt
from render.verify import verify as verify_receipt
from schema import receipt
from schema.errors import UsageError
from schema.tools import writing

FAILED = 1
_SIGN = {"pass": "ok  ", "fail": "FAIL", "not run": "-   "}
_FILE = click.Path(readable=False, path_type=Path)


@click.command()
@click.argument("audit", type=_FILE)
@click.option("--input", "input_", type=_FILE, help="The footage that was rendered.")
@click.option("--manifest", type=_FILE, help="The manifest that was applied.")
@click.option("--output", type=_FILE, help="The rendered file.")
@click.option("--head", help="The head that the receipt must have.")
@click.option("--key", type=_FILE, help="The public key that must have signed the attestation.")
@click.option("--attestation", type=_FILE, help="The attestation of the run.")
@click.option("--content", is_flag=True, help="Look at the output: every cover is painted, nothing else is there.")
@click.option("--rerun", is_flag=True, help="Render again and compare bytes and head.")
@click.option("--salt-file", type=_FILE, help="The salt of a disclosed receipt.")
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def verify(
    audit: Path,
    input_: Path | None,
    manifest: Path | None,
    output: Path | None,
    head: str | None,
    key: Path | None,
    attestation: Path | None,
    content: bool,
    rerun: bool,
    salt_file: Path | None,
    as_json: bool,
) -> int:
    """Check the receipt AUDIT, and with it whatever files are given. Exits 0 only if all that was asked for passed."""
    if (key is None) != (attestation is None):
        raise UsageError("--key and --attestation go together")
    salt = read_salt(salt_file) if salt_file else None
    checks = verify_receipt(Asked(audit, input_, manifest, output, head, key, attestation, content, rerun, salt))
    if as_json:
        click.echo(json.dumps({"passed": passed(checks), "checks": [asdict(c) for c in checks]}, indent=2))
    else:
        for check in checks:
            click.echo(f"{_SIGN[check.status]} {check.level:8} {check.name:24} {check.detail}")
    return 0 if passed(checks) else FAILED


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
    signer = attest.private_key(key) if key else None
    version, entries = receipt.read(read_receipt(audit))
    if version == receipt.DISCLOSED:
        raise UsageError(f"{audit} is a disclosed receipt already")
    lines = disclosed(entries, salt_of(salt_file))
    writing.write_new(output, lines)
    _, told = receipt.read(lines)
    if attestation and signer:
        now = datetime.now(UTC)
        run = attest.Run(now, now, receipt.bodies(told, "output")[0]["sha256"], receipt.head(told))
        writing.write_new(attestation, attest.envelope(attest.statement(run), signer))
    click.echo(f"disclosed receipt {output}, head {receipt.head(told)}", err=True)


@click.command()
@click.option("-o", "output", type=_FILE, required=True, help="Where the private key goes; the public one gets .pub.")
def keygen(output: Path) -> None:
    """Make an Ed25519 key pair with which `render --attest --sign` signs the facts of a run."""
    public = attest.new_key(output)
    click.echo(f"private key {output}, public key {public}", err=True)
