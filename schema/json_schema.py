"""The JSON Schema (2020-12) of the manifest, generated from the models and committed beside them.

`python -m veridact.schema.json_schema` writes it; a test compares the committed file with what this module generates.
It expresses the `schema` layer only: JSON Schema has no means for the layers `text` and `rules`.
"""

import json
from pathlib import Path
from typing import Any

from veridact.schema.manifest import SCHEMA_ID, Manifest

PATH = Path(__file__).with_name("veridact.manifest-1.schema.json")


def _exact(node: Any) -> Any:
    """Tightens a generated schema so that every validator refuses what the models refuse.

    Member names outside a pattern are refused, and `$` is made to mean the end: in some engines it also matches before
    a final newline.
    """
    if isinstance(node, list):
        return [_exact(v) for v in node]
    if not isinstance(node, dict):
        return node
    exact = {k: _exact(v) for k, v in node.items() if k != "patternProperties"}
    if isinstance(exact.get("pattern"), str):
        exact["pattern"] = _end(exact["pattern"])
    if "patternProperties" in node:
        exact["patternProperties"] = {_end(p): _exact(v) for p, v in node["patternProperties"].items()}
        exact["additionalProperties"] = False
    return exact


def _end(pattern: str) -> str:
    """The pattern with `$` matching only at the very end."""
    return pattern.removesuffix("$") + "(?!\\n)$"


def document() -> dict[str, Any]:
    """The JSON Schema as plain values."""
    generated = Manifest.model_json_schema(by_alias=True, mode="validation")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:{SCHEMA_ID.replace('/', ':')}"}
    return {**head, **_exact(generated)}


def text() -> str:
    """The JSON Schema as the committed text."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
