"""The command `veridact validate`."""

from pathlib import Path

import click

from veridact.cli.output import MANIFEST, SETTINGS, emit
from veridact.schema import digests
from veridact.tools import manifest_file


@click.command(context_settings=SETTINGS)
@click.argument("manifest", type=MANIFEST)
def validate(manifest: Path) -> None:
    """Check a manifest and print its three digests.

    An invalid manifest is refused with the place and the reason of the first error.
    """
    read = manifest_file.read_path(manifest)
    lines = {
        "file_sha256": digests.sha256_hex(read.raw),
        "manifest_sha256": digests.manifest_sha256(read.manifest),
        "plan_sha256": digests.plan_sha256(read.manifest),
    }
    emit("".join(f"{name} {value}\n" for name, value in lines.items()).encode(), None)
