"""The command `veridact verify`."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from veridact.audit.checks import Check, passed
from veridact.audit.disclosure import read_salt
from veridact.audit.verify import Asked
from veridact.audit.verify import verify as verify_receipt
from veridact.cli.output import FILE, SETTINGS
from veridact.errors import UsageError

FAILED = 1
_SIGN = {"pass": "ok", "fail": "FAIL", "not run": "-"}


@click.command(context_settings=SETTINGS)
@click.argument("audit", type=FILE)
@click.option("--input", "input_", type=FILE, help="The footage that was rendered.")
@click.option("--manifest", type=FILE, help="The manifest that was applied.")
@click.option("--output", type=FILE, help="The rendered file.")
@click.option("--head", help="The head that the receipt must have.")
@click.option("--key", type=FILE, help="The public key that must have signed the attestation.")
@click.option("--attestation", type=FILE, help="The attestation of the run.")
@click.option("--content", is_flag=True, help="Check the output: every cover is painted, and it holds nothing else.")
@click.option("--rerun", is_flag=True, help="Render again and compare bytes and head.")
@click.option("--salt-file", type=FILE, help="The salt of a disclosed receipt.")
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
            click.echo(_line(check))
    return 0 if passed(checks) else FAILED


def _line(check: Check) -> str:
    """One check for a person; one that was asked for and could not run stands out from those not asked for."""
    sign = "NOT RUN" if check.status == "not run" and check.asked else _SIGN[check.status]
    return f"{sign:7} {check.level:8} {check.name:24} {check.detail}"
