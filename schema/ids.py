"""Ids of new items: the label, and one more than the highest number used with it."""

from veridact.errors import UsageError
from veridact.schema.manifest import Manifest


def next_id(manifest: Manifest, label: str, taken: int = 0) -> str:
    """The next free id of a label, when `taken` more than the manifest contains have been assigned already.

    Raises `UsageError` when the numbers are used up.
    """
    prefix = label.replace("_", "-") + "-"
    ids = [t.id for t in manifest.tracks] + [a.id for a in manifest.audio]
    numbers = [int(i.removeprefix(prefix)) for i in ids if i.startswith(prefix) and i[len(prefix) :].isdecimal()]
    number = max(numbers, default=0) + 1 + taken
    if number >= 10**12:
        raise UsageError(f"there is no id left after {prefix}{number - 1}")
    return f"{prefix}{number:04d}"
