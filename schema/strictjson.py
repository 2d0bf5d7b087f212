"""Strict reading of JSON: the `text` layer, where every way in which parsers differ is an error (SPEC §1.1 rule 1).

Refused: a byte-order mark, bytes that are not UTF-8, duplicate or non-ASCII member names, fractions, exponents, NaN,
integers outside ±(2⁵³-1), lone surrogates, nesting over 16, more than 64 MiB. Errors name the JSON path.
"""

import json
from collections.abc import Callable
from typing import Any

from schema.errors import ManifestError
from schema.manifest import MAX_INT

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 16
_MAX_DIGITS = 16  # 2**53 - 1 has sixteen


class _Refused:
    """Stands in the parsed tree where something was refused, so that its path can be told afterwards."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def _short(name: str) -> str:
    return ascii(name if len(name) <= 40 else name[:37] + "...")


class _Parser:
    """Hooks for `json.loads` that put a `_Refused` where a rule is broken and remember that one was."""

    def __init__(self) -> None:
        self.refused = False

    def _refuse(self, reason: str) -> _Refused:
        self.refused = True
        return _Refused(reason)

    def integer(self, text: str) -> int | _Refused:
        if len(text.lstrip("-")) <= _MAX_DIGITS and abs(value := int(text)) <= MAX_INT:
            return -0 if text == "-0" else value
        return self._refuse("an integer outside ±(2^53-1)")

    def fraction(self, text: str) -> _Refused:
        return self._refuse(f"{text[:24]} has a fraction or an exponent; only integers are allowed")

    def constant(self, text: str) -> _Refused:
        return self._refuse(f"{text} is not JSON")

    def members(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            seen: set[str] = set()
            for name, _ in pairs:
                if name in seen:
                    found[name] = self._refuse(f"the member name {_short(name)} occurs twice")
                seen.add(name)
        for name in found:
            if not name.isascii():
                found[name] = self._refuse(f"the member name {_short(name)} is not ASCII")
        return found


def member_path(parent: str, name: str) -> str:
    """The JSON path of a member: `.name` where the name is an identifier, `["name"]` elsewhere."""
    return f"{parent}.{name}" if name.isidentifier() and name.isascii() else f"{parent}[{json.dumps(name)}]"


def _walk(tree: Any, visit: Callable[[Any, str, int], None]) -> None:
    """Calls `visit(value, path, depth)` for every value, parents before children, in document order."""
    stack: list[tuple[Any, str, int]] = [(tree, "$", 1)]
    while stack:
        value, path, depth = stack.pop()
        visit(value, path, depth)
        children: list[tuple[Any, str, int]] = []
        if isinstance(value, dict):
            children = [(v, member_path(path, k), depth + 1) for k, v in value.items()]
        elif isinstance(value, list):
            children = [(v, f"{path}[{i}]", depth + 1) for i, v in enumerate(value)]
        stack.extend(reversed(children))


def _too_deep(tree: Any) -> bool:
    level = [tree]
    for _ in range(MAX_DEPTH):
        level = [c for v in level for c in (v.values() if isinstance(v, dict) else v) if isinstance(c, dict | list)]
        if not level:
            return False
    return True


def _check_value(value: Any, path: str, depth: int) -> None:
    if isinstance(value, _Refused):
        raise ManifestError("text", path, value.reason)
    if isinstance(value, dict | list) and depth > MAX_DEPTH:
        raise ManifestError("text", path, f"nested more than {MAX_DEPTH} deep")
    if isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
        raise ManifestError("text", path, "a lone surrogate, which is no character")


def loads(raw: bytes) -> Any:
    """The JSON value of `raw`; raises `ManifestError` (layer `text`) with the JSON path of what is refused."""
    if len(raw) > MAX_BYTES:
        raise ManifestError("text", "$", f"more than {MAX_BYTES // 2**20} MiB")
    if raw.startswith(b"\xef\xbb\xbf"):
        raise ManifestError("text", "$", "begins with a byte-order mark; save it as plain UTF-8")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as e:
        raise ManifestError("text", "$", f"not UTF-8 at byte {e.start}") from None
    parser = _Parser()
    try:
        tree = json.loads(
            text,
            object_pairs_hook=parser.members,
            parse_int=parser.integer,
            parse_float=parser.fraction,
            parse_constant=parser.constant,
        )
    except json.JSONDecodeError as e:
        raise ManifestError("text", "$", f"not JSON: {e.msg} at line {e.lineno} column {e.colno}") from None
    except RecursionError:
        raise ManifestError("text", "$", f"nested more than {MAX_DEPTH} deep") from None
    if parser.refused or b"\\u" in raw or (isinstance(tree, dict | list) and _too_deep(tree)):
        _walk(tree, _check_value)
    return tree


def dumps(tree: Any) -> bytes:
    """The value as compact JSON, members in the order given."""
    return json.dumps(tree, separators=(",", ":"), ensure_ascii=False).encode()
