"""The `text` layer: strict JSON, in which everything that parsers treat differently is an error (SPEC §1.1 rule 1).

Refused: a byte-order mark, bytes that are not UTF-8, duplicate or non-ASCII member names, fractions, exponents, NaN,
integers outside ±(2⁵³-1), lone surrogates, nesting over 16, more than 64 MiB, and more values than the largest valid
manifest has, so that no document can exhaust memory. Errors name the JSON path.
"""

import json
from collections.abc import Iterator
from typing import Any

from veridact.errors import ManifestError
from veridact.schema.manifest import MAX_INT

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 16
MAX_CONTAINERS = 3_500_000
"""Objects and lists: two for each of a million keys, about six for each of a hundred thousand tracks and ranges."""
MAX_VALUES = 12_000_000
MAX_MEMBERS = 1000
"""Members of one object."""
_MAX_DIGITS = 16  # 2**53 - 1 has sixteen


class _Refused:
    """A placeholder in the parsed tree for a refused value, so that its JSON path can be reported after parsing."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def _short(name: str) -> str:
    """A member name for an error message: ASCII, at most 40 characters."""
    return ascii(name if len(name) <= 40 else name[:37] + "...")


class _Parser:
    """Hooks for `json.loads` that put a `_Refused` where a rule is broken; `refused` says whether any did."""

    def __init__(self) -> None:
        self.refused = False

    def _refuse(self, reason: str) -> _Refused:
        self.refused = True
        return _Refused(reason)

    def integer(self, text: str) -> int | _Refused:
        """An integer within ±(2⁵³-1)."""
        if len(text.lstrip("-")) <= _MAX_DIGITS and abs(value := int(text)) <= MAX_INT:
            return -0 if text == "-0" else value
        return self._refuse("an integer outside ±(2^53-1)")

    def fraction(self, text: str) -> _Refused:
        """Refuses every number with a fraction or exponent."""
        return self._refuse(f"{text[:24]} has a fraction or an exponent; only integers are allowed")

    def constant(self, text: str) -> _Refused:
        """Refuses NaN and the infinities."""
        return self._refuse(f"{text} is not JSON")

    def members(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """An object with unique ASCII member names, at most `MAX_MEMBERS`."""
        if len(pairs) > MAX_MEMBERS:
            pairs = [("", self._refuse(f"an object of more than {MAX_MEMBERS} members"))]
        members = dict(pairs)
        if len(members) != len(pairs):
            seen: set[str] = set()
            for name, _ in pairs:
                if name in seen:
                    members[name] = self._refuse(f"the member name {_short(name)} occurs twice")
                seen.add(name)
        for name in members:
            if not name.isascii():
                members[name] = self._refuse(f"the member name {_short(name)} is not ASCII")
        return members


def member_path(parent: str, name: str) -> str:
    """The JSON path of a member: `.name` where the name is an identifier, else `["name"]`."""
    return f"{parent}.{name}" if name.isidentifier() and name.isascii() else f"{parent}[{json.dumps(name)}]"


def _children(value: Any) -> Iterator[tuple[int | str, Any]]:
    """The members or elements of a value, each with its name or index."""
    if isinstance(value, dict):
        return iter(value.items())
    return iter(enumerate(value)) if isinstance(value, list) else iter(())


def _path(steps: list[int | str]) -> str:
    """The JSON path of a list of names and indexes."""
    path = "$"
    for step in steps:
        path = member_path(path, step) if isinstance(step, str) else f"{path}[{step}]"
    return path


def _check_values(tree: Any) -> None:
    """Raises `ManifestError` for the first refused value, parents before children, in document order."""
    _check_value(tree, [])
    steps: list[int | str] = []
    open_values = [_children(tree)]
    while open_values:
        step, value = next(open_values[-1], (None, None))
        if step is None:
            open_values.pop()
            steps = steps[:-1]
            continue
        _check_value(value, [*steps, step])
        if isinstance(value, dict | list):
            steps.append(step)
            open_values.append(_children(value))


def _too_deep(tree: Any) -> bool:
    """Whether objects and lists are nested more than `MAX_DEPTH` deep."""
    level = [tree]
    for _ in range(MAX_DEPTH):
        level = [c for v in level for c in (v.values() if isinstance(v, dict) else v) if isinstance(c, dict | list)]
        if not level:
            return False
    return True


def _is_text(value: str) -> bool:
    """Whether a string has no lone surrogate."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_value(value: Any, steps: list[int | str]) -> None:
    """Raises `ManifestError` for a value that is refused, too deep or no text; not for those inside it."""
    if isinstance(value, _Refused):
        raise ManifestError("text", _path(steps), value.reason)
    if isinstance(value, dict | list) and len(steps) >= MAX_DEPTH:
        raise ManifestError("text", _path(steps), f"nested more than {MAX_DEPTH} deep")
    if isinstance(value, str) and not _is_text(value):
        raise ManifestError("text", _path(steps), "a lone surrogate, which is no character")


def _check_size(raw: bytes) -> None:
    """Raises `ManifestError` for a document that is too large, before parsing; commas and brackets in strings count."""
    if len(raw) > MAX_BYTES:
        raise ManifestError("text", "$", f"more than {MAX_BYTES // 2**20} MiB")
    containers = raw.count(b"{") + raw.count(b"[")
    if containers > MAX_CONTAINERS:
        raise ManifestError("text", "$", f"more than {MAX_CONTAINERS} objects and lists")
    if containers + raw.count(b",") > MAX_VALUES:
        raise ManifestError("text", "$", f"more than {MAX_VALUES} values")


def loads(raw: bytes) -> Any:
    """The JSON value of `raw`; raises `ManifestError` (layer `text`) with the JSON path of the refused value."""
    _check_size(raw)
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
        _check_values(tree)
    return tree
