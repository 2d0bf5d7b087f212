"""The JSON Schema (2020-12) of the manifest, generated from the models and committed beside them.

`python -m veridact.schema.json_schema` writes it; a test compares the committed file with what this module generates.
It holds the `schema` layer, no more: the layers `text` and `rules` have no place in JSON Schema.
"""

import json
from pathlib import Path
from typing import Any

from veridact.schema.manifest import SCHEMA_ID, Manifest

PATH = Path(__file__).with_name("veridact.manifest-1.schema.json")


def _exact(node: Any) -> Any:
    """Makes the schema refuse what the models refuse, in every engine.

    Member names outside a pattern are refused, and `$` means the end: some engines let it stand before a last newline.
    """
    if isinstance(node, list):
        return [_exact(v) for v in node]
    if not isinstance(node, dict):
        return node
    done = {k: _exact(v) for k, v in node.items() if k != "patternProperties"}
    if isinstance(done.get("pattern"), str):
        done["pattern"] = _end(done["pattern"])
    if "patternProperties" in node:
        done["patternProperties"] = {_end(p): _exact(v) for p, v in node["patternProperties"].items()}
        done["additionalProperties"] = False
    return done


def _end(pattern: str) -> str:
    return pattern.removesuffix("$") + "(?!\\n)$"


def document() -> dict[str, Any]:
    """The JSON Schema as plain values."""
    generated = Manifest.model_json_schema(by_alias=True, mode="validation")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:{SCHEMA_ID.replace('/', ':')}"}
    return {**head, **_exact(generated)}


def text() -> str:
    """The JSON Schema as it is committed."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
