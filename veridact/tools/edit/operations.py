"""The syntax of `veridact edit` (see `SYNTAX`): an operation is a verb, the items that it changes and its arguments."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from veridact.errors import UsageError
from veridact.tools.edit import query

SYNTAX = """\
accept  ITEMS
reject  ITEMS
add     LABEL [RANGE] [X,Y,W,H [X,Y,W,H]] [stream=N|all]
move    ITEMS DX,DY [RANGE]          or  move ITEM X,Y,W,H at TIME
resize  ITEMS WxH|N% [RANGE]
retime  ITEMS RANGE
split   ITEM at TIME
merge   ITEM ITEM...
relabel ITEMS LABEL
effect  ITEMS|label=LABEL EFFECT [shape=box|ellipse] [cells=N] [pad=N]
stream  N render|drop
scope   listed|everything

ITEMS   ids, or `where EXPRESSION` as the last part. An expression compares
        id, label, review, reviewer, reason, by, kind (text; * and ? are
        wildcards), score, stream, frames, x, y, w, h (numbers), start, end
        (times) by = != < <= > >=, or tests `during RANGE`, `touches X,Y,W,H`;
        and, or, not and parentheses join: label = face and score < 500
TIME    a frame (120), seconds (4.5s, 340ms), a clock time (00:00:04.500)
RANGE   FROM-TO, up to but not including TO; either side may be left out
EFFECT  solid, mosaic, blur, silence, beep, or default for that of the label.
        cells, of mosaic and blur, is 2 to 8: fewer hide more. pad widens the
        cover, in thousandths of the box; for sound in milliseconds

`add` with two boxes moves from the first to the second. `reason=TEXT` and
`reviewer=TEXT` hold for one operation. Join operations by `then`, or write
one a line in a script, where # begins a comment.
"""
"""What `veridact edit --help` prints below the options, at most 78 columns wide."""

ID = re.compile(r"[a-z]+(-[a-z]+)*-[0-9]{4,12}")
VERBS = (
    "accept", "reject", "add", "move", "resize", "retime", "split", "merge", "relabel", "effect", "stream", "scope",
)  # fmt: skip
VERBS_WITHOUT_ITEMS = ("add", "stream", "scope")
ATTRIBUTION = ("reviewer", "reason")
MAX_OPERATIONS = 100_000


@dataclass(frozen=True)
class Operation:
    """One change: `ids` or `predicate` select the items, `attribution` holds the reviewer and the reason given with it.

    `arguments` are the remaining words; `location` names the operation in error messages, as `script line 3`.
    """

    verb: str
    ids: tuple[str, ...]
    predicate: query.Predicate | None
    arguments: tuple[str, ...]
    attribution: Mapping[str, str]
    location: str


def parse(words: Sequence[str], common_predicate: query.Predicate | None, location: str) -> Operation:
    """One operation from its words; `common_predicate` selects items for one that names none.

    Raises `UsageError` for an unknown verb, and for no items or two ways to select them.
    """
    if not words or words[0] not in VERBS:
        given = repr(words[0]) if words else "nothing"
        raise UsageError(f"{location}: {given} is not an operation; use one of {', '.join(VERBS)}")
    verb, rest = words[0], list(words[1:])
    predicate = None
    if "where" in rest:
        at = rest.index("where")
        predicate = query.parse(_expression(rest[at + 1 :]))
        rest = rest[:at]
    attribution, rest = split_attribution(rest)
    ids, rest = split_ids(rest)
    for_label = bool(rest) and rest[0].startswith("label=")
    if verb in VERBS_WITHOUT_ITEMS or for_label:
        if ids or predicate:
            subject = f"{verb} {rest[0]}" if for_label else verb
            raise UsageError(f"{location}: {subject} takes no items; leave out ids and where")
    elif ids and predicate:
        raise UsageError(f"{location}: give ids or where, not both")
    elif not ids:
        predicate = predicate or common_predicate
        if predicate is None:
            raise UsageError(f"{location}: {verb} needs items; give ids, or --where")
    return Operation(verb, tuple(ids), predicate, tuple(rest), attribution, location)


def split_attribution(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The reviewer and the reason that the words give, and the other words."""
    prefixes = tuple(f"{name}=" for name in ATTRIBUTION)
    given = {name: w.partition("=")[2] for w in words for name in ATTRIBUTION if w.startswith(f"{name}=")}
    return given, [w for w in words if not w.startswith(prefixes)]


def split_ids(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The ids at the beginning of the words, and the other words."""
    count = next((n for n, word in enumerate(words) if not ID.fullmatch(word)), len(words))
    return list(words[:count]), list(words[count:])


def _expression(words: Sequence[str]) -> str:
    """The words of an expression as one text; a value whose quotes the shell has removed is quoted again."""
    before = ("", *words)
    return " ".join(
        f'"{word}"' if prior in query.OPERATORS and (" " in word or "(" in word) else word
        for prior, word in zip(before, words, strict=False)
    )


def _check_used(operations: list[Operation], common_predicate: query.Predicate | None) -> list[Operation]:
    if common_predicate is not None and all(o.predicate is not common_predicate for o in operations):
        raise UsageError("--where selects for operations that name no items, and every operation here names its own")
    return operations


def from_words(words: Sequence[str], common_predicate: query.Predicate | None) -> list[Operation]:
    """The operations of a command line, joined by `then`; raises `UsageError`."""
    groups: list[list[str]] = [[]]
    for word in words:
        if word == "then":
            groups.append([])
        else:
            groups[-1].append(word)
    several = len(groups) > 1
    found = [parse(g, common_predicate, f"edit {n}" if several else "edit") for n, g in enumerate(groups, 1)]
    return _check_used(found, common_predicate)


def from_script(text: str, common_predicate: query.Predicate | None) -> list[Operation]:
    """The operations of a script, one a line; raises `UsageError` naming the line."""
    found: list[Operation] = []
    for number, line in enumerate(text.splitlines(), 1):
        location = f"script line {number}"
        try:
            words = shlex.split(line, comments=True)
        except ValueError as e:
            raise UsageError(f"{location}: {str(e).lower()}") from None
        if words:
            found.append(parse(words, common_predicate, location))
        if len(found) > MAX_OPERATIONS:
            raise UsageError(f"more than {MAX_OPERATIONS} operations in one script; split it")
    return _check_used(found, common_predicate)
