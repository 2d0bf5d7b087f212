"""The field table in docs/manifest.md is complete and true: every field, its type, whether it is part of the plan."""

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from veridact.errors import ManifestError
from veridact.schema import digests, json_schema, reader
from veridact.schema.manifest import MAX_INT

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "manifest.md"
LABEL = re.compile(r"^(effects\.(?:video|audio))\.(?!default\b)[a-z_]+")
ROW = re.compile(r"^\| `([^`]+)` \| (.+?) \| (yes|no) \| (.+?) \| (yes|no) \| (.+) \|$")


@dataclass(frozen=True)
class Field:
    """One field: its path (`[]` any element, `LABEL` any label), its type, and whether it is required."""

    path: str
    type: str
    required: bool


def _kind(node: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "$ref" in node:
        return _kind(definitions[node["$ref"].rsplit("/", 1)[1]], definitions)
    if choices := node.get("anyOf", node.get("oneOf")):
        return " or ".join(dict.fromkeys(_kind(c, definitions) for c in choices))
    if "const" in node or "enum" in node:
        return " ".join(f"`{v}`" for v in node.get("enum", [node.get("const")]))
    if node.get("type") == "integer":
        top = node.get("maximum")
        return f"integer {node.get('minimum')} to {'2^53-1' if top == MAX_INT else top}"
    if node.get("type") == "string":
        pattern = node.get("pattern", "").replace("(?!\\n)", "")
        return f"text `{pattern}`" if pattern else f"text up to {node.get('maxLength')}"
    if "prefixItems" in node:
        return "[" + ", ".join(_kind(i, definitions) for i in node["prefixItems"]) + "]"
    names = {"array": "list", "object": "object", "boolean": "`true` `false`", "null": "null"}
    return names.get(node.get("type", ""), "any")


def _objects(node: dict[str, Any], definitions: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "$ref" in node:
        yield from _objects(definitions[node["$ref"].rsplit("/", 1)[1]], definitions)
    elif node.get("type") == "array":
        yield from _objects(node.get("items", {}), definitions)
    elif "properties" in node:
        yield node
    for choice in node.get("anyOf", node.get("oneOf", [])):
        yield from _objects(choice, definitions)


def fields() -> list[Field]:
    """Every field that the JSON Schema knows, parents first; required when each kind of object that has it says so."""
    document = json_schema.document()
    definitions = document["$defs"]
    found: dict[str, Field] = {}

    def visit(node: dict[str, Any], path: str) -> None:
        for name, value in node["properties"].items():
            here = LABEL.sub(r"\1.LABEL", f"{path}.{name}" if path else name)
            required = name in node.get("required", [])
            kind = _kind(value, definitions) if required else _kind(value, definitions).removesuffix(" or null")
            if here in found:
                parts = dict.fromkeys([*found[here].type.split(" or "), *kind.split(" or ")])
                kind, required = " or ".join(parts), required and found[here].required
            found[here] = Field(here, kind, required)
            is_list = any(c.get("type") == "array" and "items" in c for c in [value, *value.get("anyOf", [])])
            for inner in _objects(value, definitions):
                visit(inner, f"{here}[]" if is_list else here)

    visit(document, "")
    return list(found.values())


def _rows() -> dict[str, re.Match[str]]:
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    return {m[1]: m for line in lines if (m := ROW.match(line))}


def test_the_table_lists_every_field_and_no_other() -> None:
    assert list(_rows()) == [f.path for f in fields()]


@pytest.mark.parametrize("field", fields(), ids=lambda f: f.path)
def test_a_row_has_type_requirement_and_default(field: Field) -> None:
    row = _rows()[field.path]
    assert (row[2], row[3] == "yes") == (field.type, field.required)
    assert row[4] == ("-" if field.required else "absent")


def _leaves(tree: Any, path: str, steps: tuple[Any, ...]) -> Iterator[tuple[str, tuple[Any, ...], Any]]:
    if isinstance(tree, dict) and path != "ext":
        for name, value in tree.items():
            yield from _leaves(value, f"{path}.{name}" if path else name, (*steps, name))
    elif isinstance(tree, list) and tree and isinstance(tree[0], dict):
        for number, value in enumerate(tree):
            yield from _leaves(value, f"{path}[]", (*steps, number))
    else:
        yield LABEL.sub(r"\1.LABEL", path), steps, tree


def _others(path: str, value: Any) -> list[Any]:
    """Other values that a leaf could have."""
    if path == "ext":
        return [{"org.example": 1}]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1]
    if isinstance(value, list):
        return [[v + 1, *value[1:]] for v in value[:1]]
    if isinstance(value, str):
        return [*re.findall(r"`([a-z0-9_]+)`", _rows()[path][2]), "1" * len(value), f"{value}x"]
    return [None]


def _decides() -> set[str]:
    """The fields of the examples whose change alone changes the plan."""
    found: set[str] = set()
    for example in sorted((ROOT / "manifests").glob("valid-*.json")):
        tree = json.loads(example.read_bytes())
        plan = digests.plan_sha256(reader.validate(tree))
        for path, steps, value in _leaves(tree, "", ()):
            for other in _others(path, value) if path not in found else ():
                changed = copy.deepcopy(tree)
                parent = changed
                for step in steps[:-1]:
                    parent = parent[step]
                parent[steps[-1]] = other
                try:
                    if digests.plan_sha256(reader.validate(changed)) != plan:
                        found.add(path)
                except ManifestError:
                    continue
    return found


def test_the_table_says_which_fields_are_part_of_the_plan() -> None:
    parents = {f.path for f in fields() if any(g.path.startswith((f"{f.path}.", f"{f.path}[]")) for g in fields())}
    in_plan = {path for path, row in _rows().items() if row[5] == "yes" and path not in parents}
    assert in_plan == _decides() - parents


def test_a_parent_is_part_of_the_plan_when_something_in_it_is() -> None:
    rows = _rows()
    for path, row in rows.items():
        inner = [r[5] for p, r in rows.items() if p.startswith((f"{path}.", f"{path}[]"))]
        if inner:
            assert row[5] == ("yes" if "yes" in inner else "no"), path


def test_the_examples_in_the_document_are_those_that_stand() -> None:
    named = re.findall(r"manifests/(valid-[a-z-]+\.json)", DOCUMENT.read_text(encoding="utf-8"))
    assert named
    assert [n for n in named if not (ROOT / "manifests" / n).exists()] == []
