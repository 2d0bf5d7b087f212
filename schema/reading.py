"""Reading a manifest: bytes in, a checked `Manifest` with its digests out, through the layers text, schema and rules."""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from schema import rules, strictjson
from schema.errors import ManifestError
from schema.manifest import MAJOR, Manifest
from schema.strictjson import member_path

_SCHEMA = re.compile(r"^veridact\.manifest/([0-9]{1,6})$")


@dataclass(frozen=True)
class Read:
    """A manifest and the bytes it was read from."""

    manifest: Manifest
    raw: bytes


def _check_version(tree: Any) -> None:
    """Refuses a document of another major version and names what upgrades it."""
    if not isinstance(tree, dict) or not isinstance(tree.get("schema"), str):
        return  # the schema layer says what is missing
    match = _SCHEMA.match(tree["schema"])
    if match and (major := int(match[1])) != MAJOR:
        advice = (
            "run `veridact upgrade` on it first"
            if major < MAJOR
            else "it was made by a later version of veridact; install that one"
        )
        raise ManifestError("schema", "$.schema", f"this is {tree['schema']}, not veridact.manifest/{MAJOR}; {advice}")


_TAGS = {"video", "audio", "picture", "data", "subtitle", "attachment", "unknown", "solid", "mosaic", "blur"}


def _path(loc: tuple[int | str, ...], tree: Any) -> str:
    """The JSON path of a pydantic location, without the names of union members that pydantic puts into it."""
    path = "$"
    value = tree
    for step in loc:
        if isinstance(step, int):
            if not isinstance(value, list):
                continue
            path += f"[{step}]"
            value = value[step] if step < len(value) else None
        elif isinstance(value, dict) and (step in value or step not in _TAGS):
            path = member_path(path, step)
            value = value.get(step)
    return path


def validate(tree: Any) -> Manifest:
    """The `schema` layer: plain JSON values as a `Manifest`, or the first thing that does not fit."""
    _check_version(tree)
    try:
        return Manifest.model_validate_json(strictjson.dumps(tree))
    except ValidationError as e:
        first = e.errors(include_url=False, include_input=False)[0]
        reason = "unknown field" if first["type"] == "extra_forbidden" else first["msg"]
        raise ManifestError("schema", _path(first["loc"], tree), reason[:1].lower() + reason[1:]) from None


def read_without_rules(raw: bytes) -> Manifest:
    """A manifest through the layers text and schema only, for tools that report every broken rule."""
    tree = strictjson.loads(raw)
    _check_version(tree)
    try:
        return Manifest.model_validate_json(raw)
    except ValidationError:
        return validate(tree)


def read(raw: bytes) -> Read:
    """A manifest through all three layers; raises `ManifestError`."""
    manifest = read_without_rules(raw)
    rules.check(manifest)
    return Read(manifest, raw)
