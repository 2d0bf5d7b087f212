"""What the commands of the tools share: types of arguments, the option `-o`, and writing results and remarks."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from veridact import atomic_write
from veridact.errors import UsageError
from veridact.schema import strict_json
from veridact.tools import manifest_file

SETTINGS = {"help_option_names": ["-h", "--help"]}
MANIFEST = click.Path(readable=False, path_type=Path, allow_dash=True)
FILE = click.Path(readable=False, path_type=Path)
OUTPUT_OPTION = click.option(
    "-o", "--output", "out", type=FILE, help="Write the result to this new file, not to standard output."
)


def read_file(path: Path, what: str) -> bytes:
    """The bytes of a file of kind `what`, or of standard input for `-`; raises `UsageError` for one too large."""
    raw = manifest_file.read_bytes(path, what)
    if len(raw) > strict_json.MAX_BYTES:
        raise UsageError(f"{path}: a {what} of more than {strict_json.MAX_BYTES >> 20} MiB; split it")
    return raw


def emit(data: bytes, out: Path | None) -> None:
    """Writes a result to a new file, or to standard output for None and `-`; raises `SafetyError` if it exists."""
    if out is None or str(out) == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        atomic_write.write_new(out, data)


def remark(text: str) -> None:
    """Prints one line for a person on stderr."""
    click.echo(text, err=True)


def report_losses(what: str, lost: Sequence[str]) -> None:
    """Prints a line on stderr for each piece of information that a conversion lost."""
    for line in lost:
        remark(f"{what}: {line}")
