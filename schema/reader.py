"""Reading a manifest: bytes or a path in, a checked `Manifest` out, through the layers text, schema and rules."""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from veridact.errors import ManifestError
from veridact.schema import rules, strict_json
from veridact.schema.manifest import MAJOR, Manifest
from veridact.schema.strict_json import member_path

_SCHEMA = re.compile(r"veridact\.manifest/([0-9]{1,6})")


@dataclass(frozen=True)
class LoadedManifest:
    """A manifest and the bytes it was read from."""

    manifest: Manifest
    raw: bytes


def _check_version(tree: Any) -> None:
    """Refuses a document of another major version and names what upgrades it."""
    if not isinstance(tree, dict) or not isinstance(tree.get("schema"), str):
        return  # the schema layer says what is missing
    match = _SCHEMA.fullmatch(tree["schema"])
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


def _most_telling(error: ValidationError) -> ErrorDetails:
    """An unknown field before anything else: where `scope` is typed `scoep`, the typo is the news, not its absence."""
    errors = error.errors(include_url=False, include_input=False)
    return next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])


_REASONS = {
    "extra_forbidden": "unknown field",
    "tuple_type": "input should be a list",
    "model_type": "input should be an object",
    "model_attributes_type": "input should be an object",
    "dict_type": "input should be an object",
    "too_short": "list should not be empty",
}
"""Pydantic's reasons in the words of JSON; the others need no translation."""


def validate(tree: Any) -> Manifest:
    """The `schema` layer: plain JSON values as a `Manifest`, or the first thing that does not fit."""
    _check_version(tree)
    try:
        return Manifest.model_validate(tree)
    except ValidationError as e:
        found = _most_telling(e)
        reason = _REASONS.get(found["type"], found["msg"].replace("Tuple", "List"))
        raise ManifestError("schema", _path(found["loc"], tree), reason[:1].lower() + reason[1:]) from None


def read_without_rules(raw: bytes) -> Manifest:
    """A manifest through the layers text and schema only, for tools that report every broken rule."""
    return validate(strict_json.loads(raw))


def read(raw: bytes) -> LoadedManifest:
    """A manifest through all three layers; raises `ManifestError`."""
    manifest = read_without_rules(raw)
    rules.check(manifest)
    return LoadedManifest(manifest, raw)
