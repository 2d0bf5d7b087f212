"""A manifest by its path: read whole or refused, never more of it than the limit."""

import os

from veridact.files import read_limited
from veridact.schema import strict_json
from veridact.schema.reader import LoadedManifest, read


def read_bytes(path: str | os.PathLike[str], what: str = "manifest") -> bytes:
    """The bytes of a manifest, or of another file of `what` kind as small; `-` is standard input.

    One byte over the limit of a manifest is read at most, so that the reader refuses a larger one by its size.
    """
    return read_limited(path, what, strict_json.MAX_BYTES)


def read_path(path: str | os.PathLike[str]) -> LoadedManifest:
    """The manifest at `path`, or on standard input where that is `-`, through all three layers."""
    return read(read_bytes(path))
