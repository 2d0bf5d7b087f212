"""The models and the committed JSON Schema refuse the same documents: valid ones with one value changed at random."""

import copy
import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from veridact.errors import ManifestError
from veridact.schema import json_schema, reader

EXAMPLES = [json.loads(p.read_bytes()) for p in sorted((Path(__file__).parents[2] / "manifests").glob("valid-*.json"))]
COMMITTED = Draft202012Validator(json.loads(json_schema.PATH.read_bytes()))
NAMES = st.sampled_from(
    "schema type index frames box keys end label review effect cells pad_ms score by id ext a.b a searched".split()
)
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.sampled_from(
        [281 * "x", 2**53 - 1, 10**6 + 1, 65_536, -(10**6), "", "face", "keep", "video", "solid", "blur", "hand"]
    ),
    st.text(max_size=4),
    st.lists(st.integers(0, 5), max_size=5),
    st.dictionaries(NAMES, st.integers(0, 3), max_size=3),
)


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every container and member of the document."""
    found: list[tuple[Any, Any]] = []
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for step, value in items:
        found += [(tree, step), *_places(value)]
    return found


@settings(max_examples=400)
@given(st.data())
def test_models_and_json_schema_agree(data: st.DataObject) -> None:
    tree = copy.deepcopy(data.draw(st.sampled_from(EXAMPLES)))
    for _ in range(data.draw(st.integers(1, 2))):
        container, step = data.draw(st.sampled_from(_places(tree)))
        change = data.draw(st.sampled_from(["replace", "remove", "insert"]))
        if change == "replace":
            container[step] = data.draw(VALUES)
        elif change == "remove":
            del container[step]
        elif isinstance(container, dict):
            container[data.draw(NAMES)] = data.draw(VALUES)
        else:
            container.insert(step, data.draw(VALUES))
    refusal = _refusal(tree)
    assert refusal is None or (refusal.layer, "\n" in str(refusal)) == ("schema", False)
    assert COMMITTED.is_valid(tree) == (refusal is None)


def _refusal(tree: Any) -> ManifestError | None:
    try:
        reader.validate(tree)
    except ManifestError as e:
        return e
    return None
