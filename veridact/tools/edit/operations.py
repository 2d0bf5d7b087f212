"""One edit as people write it: a verb, the items it is for, and its words.

    accept  ITEMS                            move    ITEMS DX,DY [RANGE]      |  move ITEM X,Y,W,H at TIME
    reject  ITEMS                            resize  ITEMS WxH|N% [RANGE]
    add     LABEL [RANGE] [X,Y,W,H [X,Y,W,H]] [stream=N|all]
    retime  ITEMS RANGE                      split   ITEM at TIME             merge  ITEM ITEM...
    relabel ITEMS LABEL                      effect  ITEMS|label=LABEL EFFECT [shape=S] [cells=N] [pad=N]
    stream  N render|drop                    scope   listed|everything

ITEMS are ids, or `where EXPRESSION` at the end: comparisons (`label == face`, `score < 500`, `start >= 4.5s`) of id,
label, review, reviewer, reason, by, kind, score, stream, frames, x, y, w, h, start or end, `during RANGE` or
`touches X,Y,W,H`, joined by and, or, not and parentheses; `*` in a word stands for anything.
TIME is a frame (`120`), seconds (`4.5s`, `340ms`) or a clock time (`00:00:04.500`); RANGE is FROM-TO, either side may
be left out. EFFECT is `solid`, `mosaic`, `blur`, `silence`, `beep`, or `default` for the effect of the label; `pad` is
in thousandths of the box, for sound in milliseconds. `reason=TEXT` and `reviewer=TEXT` sign one edit alone. Several
edits are joined by `then`, or stand one a line in a script, where `#` begins a comment.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from veridact.errors import UsageError
from veridact.tools.edit import query

ID = re.compile(r"[a-z]+(-[a-z]+)*-[0-9]{4,12}")
VERBS = (
    "accept", "reject", "add", "move", "resize", "retime", "split", "merge", "relabel", "effect", "stream", "scope",
)  # fmt: skip
_WITHOUT_ITEMS = {"add", "stream", "scope"}
MAX_OPERATIONS = 100_000


@dataclass(frozen=True)
class Operation:
    """One edit: `ids` and `test` select items, `signed` says who and why, `words` are the rest.

    `place` is for messages, as `script line 3`.
    """

    verb: str
    ids: tuple[str, ...]
    test: query.Test | None
    words: tuple[str, ...]
    signed: Mapping[str, str]
    place: str


def parse(words: Sequence[str], common_test: query.Test | None, place: str) -> Operation:
    """One edit from its words; `common_test` selects for it when it names no items itself. Raises `UsageError`."""
    if not words or words[0] not in VERBS:
        given = repr(words[0]) if words else "nothing"
        raise UsageError(f"{place}: {given} is no edit; there are {', '.join(VERBS)}")
    verb, rest = words[0], list(words[1:])
    test = None
    if "where" in rest:
        at = rest.index("where")
        test = query.parse(_expression(rest[at + 1 :]))
        rest = rest[:at]
    signed, rest = _signature(rest)
    ids = []
    while rest and ID.fullmatch(rest[0]):
        ids.append(rest.pop(0))
    for_label = bool(rest) and rest[0].startswith("label=")
    if verb in _WITHOUT_ITEMS or for_label:
        if ids or test:
            raise UsageError(f"{place}: {verb} {rest[0] if for_label else ''} is for no item; leave out ids and where")
    elif ids and test:
        raise UsageError(f"{place}: give ids or where, not both")
    elif not ids:
        test = test or common_test
        if test is None:
            raise UsageError(f"{place}: {verb} what? give ids, or --where")
    return Operation(verb, tuple(ids), test, tuple(rest), signed, place)


def _signature(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """What the words say of who edits and why, and the other words."""
    found = {name: w.partition("=")[2] for w in words for name in ("reason", "reviewer") if w.startswith(f"{name}=")}
    return found, [w for w in words if not w.startswith(("reason=", "reviewer="))]


def _expression(words: Sequence[str]) -> str:
    """The words of an expression as its language reads them: a value that the shell has unquoted is quoted again."""
    before = ("", *words)
    return " ".join(
        f'"{word}"' if prior in query.SIGNS and (" " in word or "(" in word) else word
        for prior, word in zip(before, words, strict=False)
    )


def _used(operations: list[Operation], common_test: query.Test | None) -> list[Operation]:
    if common_test is not None and all(o.test is not common_test for o in operations):
        raise UsageError("--where is for edits that name no items themselves, and there is none")
    return operations


def from_words(words: Sequence[str], common_test: query.Test | None) -> list[Operation]:
    """The edits of a command line, joined by `then`."""
    groups: list[list[str]] = [[]]
    for word in words:
        if word == "then":
            groups.append([])
        else:
            groups[-1].append(word)
    several = len(groups) > 1
    found = [parse(g, common_test, f"edit {n}" if several else "edit") for n, g in enumerate(groups, 1)]
    return _used(found, common_test)


def from_script(text: str, common_test: query.Test | None) -> list[Operation]:
    """The edits of a script, one a line; raises `UsageError` naming the line."""
    found: list[Operation] = []
    for number, line in enumerate(text.splitlines(), 1):
        place = f"script line {number}"
        try:
            words = shlex.split(line, comments=True)
        except ValueError as e:
            raise UsageError(f"{place}: {str(e).lower()}") from None
        if words:
            found.append(parse(words, common_test, place))
        if len(found) > MAX_OPERATIONS:
            raise UsageError(f"more than {MAX_OPERATIONS} edits in one script; split it")
    return _used(found, common_test)
