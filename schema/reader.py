"""Reading a manifest: bytes to a validated `Manifest`, through the layers text, schema and rules."""

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
    """A valid manifest and the bytes it was read from."""

    manifest: Manifest
    raw: bytes


def _check_version(tree: Any) -> None:
    """Raises `ManifestError` for a document of another major version, naming the remedy."""
    if not isinstance(tree, dict) or not isinstance(tree.get("schema"), str):
        return  # the models report the missing field
    match = _SCHEMA.fullmatch(tree["schema"])
    if match and (major := int(match[1])) != MAJOR:
        advice = (
            "run `veridact upgrade` on it first"
            if major < MAJOR
            else "it was made by a later version of veridact; install that one"
        )
        raise ManifestError("schema", "$.schema", f"this is {tree['schema']}, not veridact.manifest/{MAJOR}; {advice}")


_TAGS = {"video", "audio", "picture", "data", "subtitle", "attachment", "unknown", "solid", "mosaic", "blur"}
"""Discriminator values, which pydantic inserts into error locations."""


def _path(loc: tuple[int | str, ...], tree: Any) -> str:
    """The JSON path of a pydantic error location, without the discriminator values in it."""
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


def _first_error(error: ValidationError) -> ErrorDetails:
    """The error to report, unknown fields first: for `scoep` the typo is reported, not the missing `scope`."""
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
"""Pydantic's error types whose messages speak of Python types, with messages in terms of JSON."""


def validate(tree: Any) -> Manifest:
    """The `schema` layer: plain JSON values as a `Manifest`; raises `ManifestError` for the first invalid value."""
    _check_version(tree)
    try:
        return Manifest.model_validate(tree)
    except ValidationError as e:
        details = _first_error(e)
        reason = _REASONS.get(details["type"], details["msg"].replace("Tuple", "List"))
        raise ManifestError("schema", _path(details["loc"], tree), reason[:1].lower() + reason[1:]) from None


def read_without_rules(raw: bytes) -> Manifest:
    """Reads a manifest through the layers text and schema only, for tools that report every broken rule."""
    return validate(strict_json.loads(raw))


def read(raw: bytes) -> LoadedManifest:
    """Reads a manifest through all three layers; raises `ManifestError`."""
    manifest = read_without_rules(raw)
    rules.check(manifest)
    return LoadedManifest(manifest, raw)
