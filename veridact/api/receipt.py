"""A receipt as programs read it."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from veridact.api.paths import path_of
from veridact.errors import AuditError
from veridact.files import read_limited
from veridact.schema import receipt
from veridact.schema.receipt import Entry


@dataclass(frozen=True)
class Receipt:
    """A receipt whose chain of hashes holds: the file, its head, the SHA-256 of the output, and its entries in order.

    `head` stands for the whole receipt: keep it where nobody can change it, and give it to `verify`. Digests are
    lower-case hex. An entry has a `type` and a `body` of JSON values; docs/receipt.md lists them.
    """

    path: Path
    head: str
    output_sha256: str
    entries: tuple[Entry, ...] = field(repr=False)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "Receipt":
        """The receipt in a file.

        Raises `AuditError` where its chain does not hold, `UsageError` where there is no such regular file.
        """
        _, entries = receipt.read(read_limited(path_of(path), "receipt", receipt.MAX_BYTES))
        output = receipt.bodies(entries, "output")[0]
        if not isinstance(sha256 := output.get("sha256"), str):
            raise AuditError("the output entry names no sha256; it is not a receipt that veridact writes")
        return cls(Path(path), receipt.head(entries), sha256, tuple(entries))
