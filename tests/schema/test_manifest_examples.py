"""Every file in manifests/ is a test case: valid ones are read and written back, invalid ones name their layer."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from veridact.errors import ManifestError
from veridact.schema import json_schema, reader, writer

FOLDER = Path(__file__).parents[2] / "manifests"
VALID = sorted(p.name for p in FOLDER.glob("valid-*.json"))
INVALID = json.loads((FOLDER / "invalid.json").read_bytes())


@pytest.fixture(scope="module")
def committed() -> Draft202012Validator:
    tree = json.loads(json_schema.PATH.read_bytes())
    Draft202012Validator.check_schema(tree)
    return Draft202012Validator(tree)


def test_the_committed_json_schema_is_what_the_models_generate() -> None:
    assert json_schema.PATH.read_text(encoding="utf-8") == json_schema.text(), (
        "run: python -m veridact.schema.json_schema"
    )


@pytest.mark.parametrize("name", VALID)
def test_a_valid_example_is_read_and_written_back_unchanged(name: str, committed: Draft202012Validator) -> None:
    raw = (FOLDER / name).read_bytes()
    assert writer.write(reader.read(raw).manifest) == raw
    assert committed.is_valid(json.loads(raw))


@pytest.mark.parametrize("name", sorted(INVALID))
def test_an_invalid_example_is_refused_by_its_layer(name: str, committed: Draft202012Validator) -> None:
    raw = (FOLDER / name).read_bytes()
    with pytest.raises(ManifestError) as refused:
        reader.read(raw)
    assert (refused.value.layer, str(refused.value)) == (INVALID[name]["layer"], INVALID[name]["error"])
    assert "\n" not in str(refused.value)
    if refused.value.layer != "text":
        assert committed.is_valid(json.loads(raw)) == (refused.value.layer == "rules")


def test_every_invalid_file_is_listed_and_each_layer_refuses_some() -> None:
    assert sorted(INVALID) == sorted(p.name for p in FOLDER.glob("invalid-*.json"))
    assert len(INVALID) >= 60
    assert {case["layer"] for case in INVALID.values()} == {"text", "schema", "rules"}


def test_every_valid_example_is_described() -> None:
    described = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [name for name in VALID if f"`{name}`" not in described] == []
