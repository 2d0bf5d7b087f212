"""The only formatter of manifests, in whose text an edit of one box is a diff of one line (SPEC §1.1 rule 12).

Two spaces of indent, fields in the order of the models, and each stream, producer, effect and key on a line of its own.
Formatting is idempotent.
"""

import json
from typing import Any

from veridact.schema.manifest import Manifest, Model

_ONE_LINE = frozenset(
    {
        ("source", "streams", "*"),
        ("producers", "*"),
        ("output", "streams", "*"),
        ("effects", "video", "*"),
        ("effects", "audio", "*"),
        ("tracks", "*", "origin"),
        ("tracks", "*", "effect"),
        ("tracks", "*", "segments", "*", "keys", "*"),
        ("audio", "*", "origin"),
        ("audio", "*", "effect"),
    }
)
"""The paths whose values are written on one line; `*` is any member or element."""


def _members(record: Model) -> dict[str, Any]:
    """The fields that are set, by their aliases. (`Manifest.document` of a long manifest takes ten times its text.)"""
    fields = type(record).model_fields.items()
    return {field.alias or name: getattr(record, name) for name, field in fields if name in record.model_fields_set}


def _flat(value: Any) -> str:
    """A value on one line."""
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "), default=_members)


def _one_line(path: tuple[str, ...]) -> bool:
    """Whether the value at a path is written on one line."""
    if path[:1] == ("ext",):
        return len(path) > 1
    return any(len(p) == len(path) and all(a in ("*", b) for a, b in zip(p, path, strict=True)) for p in _ONE_LINE)


def _lines(value: Any, path: tuple[str, ...], indent: str) -> str:
    """The text of a value at a path, whose first line is indented already."""
    if _one_line(path):
        return _flat(value)
    if isinstance(value, Model):
        value = _members(value)
    if not isinstance(value, dict | list | tuple) or not value:
        return _flat(value)
    deeper = indent + "  "
    if isinstance(value, dict):
        body = [f"{deeper}{_flat(k)}: {_lines(v, (*path, k), deeper)}" for k, v in value.items()]
        return "{\n" + ",\n".join(body) + f"\n{indent}}}"
    if all(not isinstance(v, Model | dict | list | tuple) for v in value):
        return _flat(value)
    body = [deeper + _lines(v, (*path, "*"), deeper) for v in value]
    return "[\n" + ",\n".join(body) + f"\n{indent}]"


def write(manifest: Manifest) -> bytes:
    """The manifest as UTF-8 text, ending in a newline."""
    return (_lines(manifest, (), "") + "\n").encode()
