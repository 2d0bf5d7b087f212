"""The command `veridact recreate`."""

from pathlib import Path

import click

from veridact.audit.recreate import requirements
from veridact.audit.verify import read_receipt
from veridact.cli.output import FILE, SETTINGS, emit


@click.command(context_settings=SETTINGS)
@click.argument("audit", type=FILE)
def recreate(audit: Path) -> None:
    """Print a requirements.txt with which pip rebuilds the environment that made the receipt AUDIT."""
    emit(requirements(read_receipt(audit)).encode(), None)
