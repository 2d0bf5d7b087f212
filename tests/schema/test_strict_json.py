"""The text layer: what parsers disagree about is refused, what they agree about is read the same."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veridact.errors import ManifestError
from veridact.schema import strict_json

NAMES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=8)
PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


@given(PLAIN, st.sampled_from([None, 0, 2]), st.booleans())
def test_plain_documents_are_read_as_any_parser_reads_them(tree: Any, indent: int | None, ascii_only: bool) -> None:
    assert strict_json.loads(json.dumps(tree, indent=indent, ensure_ascii=ascii_only).encode()) == tree


@given(PLAIN, st.floats(allow_nan=True))
def test_no_float_gets_through_wherever_it_stands(tree: Any, value: float) -> None:
    with pytest.raises(ManifestError, match=r"at \$\.a\[1\]:"):
        strict_json.loads(json.dumps({"a": [tree, value]}).encode())


@given(st.integers(min_value=2**53) | st.integers(max_value=-(2**53)))
def test_no_inexact_integer_gets_through(value: int) -> None:
    with pytest.raises(ManifestError, match="an integer outside"):
        strict_json.loads(b'{"a": %d}' % value)


PATHS = {
    "in a list": (b"[0, [1.5]]", "$[1][0]"),
    "in a member": (b'{"a": {"b": 1e3}}', "$.a.b"),
    "in a member that is no identifier": (b'{"a b": 0.5}', '$["a b"]'),
    "a duplicate in a list": (b'[{}, {"a": 1, "a": 2}]', "$[1].a"),
    "the first of two": (b'{"a": NaN, "b": 0.5}', "$.a"),
    "a surrogate behind an escape": (b'{"a": ["\\ud800"]}', "$.a[0]"),
    "a surrogate as the document": (b'"\\udfff"', "$"),
    "minus infinity": (b"[-Infinity]", "$[0]"),
}


@pytest.mark.parametrize("case", PATHS)
def test_an_error_names_the_json_path(case: str) -> None:
    raw, path = PATHS[case]
    with pytest.raises(ManifestError) as refused:
        strict_json.loads(raw)
    assert (refused.value.layer, refused.value.path) == ("text", path)


def test_a_surrogate_pair_is_a_character() -> None:
    assert strict_json.loads(b'"\\ud83d\\ude00"') == "\N{GRINNING FACE}"


@pytest.mark.parametrize("depth", [1, 15, 16])
def test_sixteen_levels_are_read(depth: int) -> None:
    assert strict_json.loads(b"[" * depth + b"]" * depth) is not None


@pytest.mark.parametrize("depth", [17, 500, 1_000_000])
def test_deeper_nesting_is_refused(depth: int) -> None:
    with pytest.raises(ManifestError, match="nested more than 16 deep"):
        strict_json.loads(b"[" * depth + b"]" * depth)


SIZES = {
    "bytes": (b" " * strict_json.MAX_BYTES + b"0", "more than 64 MiB"),
    "lists": (b"[" + b"[]," * strict_json.MAX_CONTAINERS + b"0]", "objects and lists"),
    "values": (b"[" + b"0," * strict_json.MAX_VALUES + b"0]", "values"),
    "members": (b"{" + b", ".join(b'"%d": 0' % n for n in range(1001)) + b"}", "more than 1000 members"),
}


@pytest.mark.parametrize("what", SIZES)
def test_a_document_that_would_fill_the_memory_is_refused(what: str) -> None:
    raw, reason = SIZES[what]
    with pytest.raises(ManifestError, match=reason):
        strict_json.loads(raw)
