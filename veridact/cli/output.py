"""What the commands of the tools have in common: where a result goes, and the shapes of their arguments."""

import sys
from pathlib import Path

import click

from veridact import atomic_write
from veridact.errors import UsageError
from veridact.schema import strict_json
from veridact.tools import manifest_file

SETTINGS = {"help_option_names": ["-h", "--help"]}
MANIFEST = click.Path(readable=False, path_type=Path, allow_dash=True)
FILE = click.Path(readable=False, path_type=Path)


def read_file(path: Path, what: str) -> bytes:
    """The bytes of a file that is no manifest, or of standard input; raises `UsageError` when it is too large."""
    raw = manifest_file.read_bytes(path, what)
    if len(raw) > strict_json.MAX_BYTES:
        raise UsageError(f"{path}: a {what} of more than {strict_json.MAX_BYTES >> 20} MiB; split it")
    return raw


def emit(data: bytes, out: Path | None) -> None:
    """Writes a result to a new file, or to standard output where none is named."""
    if out is None or str(out) == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        atomic_write.write_new(out, data)


def remark(text: str) -> None:
    """One line for a person, on stderr."""
    click.echo(text, err=True)
