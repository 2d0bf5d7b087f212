"""Reading a manifest by its path: all of it, or an error where it is over the size limit."""

import os

from veridact.files import read_limited
from veridact.schema import strict_json
from veridact.schema.reader import LoadedManifest, read


def read_bytes(path: str | os.PathLike[str], what: str = "manifest") -> bytes:
    """The bytes of a manifest, or of a file of kind `what` under the same size limit; `-` is standard input.

    At most one byte over the limit is read: it is how the reader recognises a file that is too large.
    """
    return read_limited(path, what, strict_json.MAX_BYTES)


def read_path(path: str | os.PathLike[str]) -> LoadedManifest:
    """The manifest at `path`, or on standard input where that is `-`, checked by all three layers (see `reader`)."""
    return read(read_bytes(path))
