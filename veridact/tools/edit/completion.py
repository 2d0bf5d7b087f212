"""What may follow the beginning of a `veridact edit` command line: candidates for the tab completion of a shell.

A candidate replaces the incomplete word as a whole. A shell inserts it unquoted and prints it to the terminal, and a
manifest is untrusted, so values from a manifest are candidates only if they match `SAFE`.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import get_args

from veridact.errors import UsageError
from veridact.schema.manifest import (
    AudioLabel,
    AudioRange,
    AudioStream,
    Manifest,
    OtherStream,
    Review,
    VideoLabel,
)
from veridact.tools.edit import effect_syntax, operations, query
from veridact.tools.edit.query import Item

Candidates = dict[str, str]
"""The values that may be inserted, each with a description or an empty text."""
SAFE = re.compile(r"\w[\w.@+-]*")
_FRAGMENT = re.compile(r'[^\s()<>=!"]*$')
_VIDEO_LABELS: tuple[str, ...] = get_args(VideoLabel)
_AUDIO_LABELS: tuple[str, ...] = get_args(AudioLabel)
_ALL_LABELS = tuple(dict.fromkeys((*_VIDEO_LABELS, *_AUDIO_LABELS)))


def _plain(values: Iterable[str | int | None]) -> Candidates:
    """Distinct safe values without description, in their order."""
    texts = (str(v) for v in values if v is not None)
    return {t: "" for t in texts if SAFE.fullmatch(t)}


def _items(manifest: Manifest | None) -> list[Item]:
    return [*manifest.tracks, *manifest.audio] if manifest is not None else []


def reviewers(manifest: Manifest | None) -> Candidates:
    """The reviewers that the items of a manifest name."""
    return _plain(i.reviewer for i in _items(manifest))


_FIELD_VALUES: dict[str, Callable[[Manifest | None], Candidates]] = {
    "id": lambda m: {i.id: i.review for i in _items(m)},
    "label": lambda m: _plain(i.label for i in _items(m)),
    "review": lambda m: _plain(get_args(Review)),
    "reviewer": reviewers,
    "reason": lambda m: _plain(i.reason for i in _items(m)),
    "by": lambda m: _plain(i.origin.by for i in _items(m)),
    "kind": lambda m: _plain(("track", "range")),
    "stream": lambda m: _plain(i.stream for i in _items(m)),
}
_ORDERED = tuple(sign for sign in query.OPERATORS if sign != "==")
_EQUALITY = ("=", "!=")


def _expected(tokens: Sequence[str]) -> tuple[str, str]:
    """What the grammar of `query` expects next (`test`, `operator`, `value`, `operand`, `join`), and the last field."""
    expected, field = "test", ""
    for token in tokens:
        if expected == "test" and token not in {"not", "("}:
            expected, field = ("operand" if token in query.RELATIONS else "operator"), token
        elif expected == "operator":
            expected = "value"
        elif expected in {"value", "operand"}:
            expected = "join"
        elif expected == "join" and token in {"and", "or"}:
            expected = "test"
    return expected, field


def expression(text: str, manifest: Manifest | None, quoted: bool) -> Candidates:
    """Candidates for a `where` expression of which `text` is the beginning; each begins with `text`.

    `quoted` says that the text is one word in quotes. Only then is `<` a candidate, which a shell would take for a
    redirection, and only then does a field come with its operators: a single candidate would close the quotes.
    """
    head = text[: -len(fragment)] if (fragment := _fragment(text)) else text
    try:
        expected, field = _expected(query.tokens(head))
    except UsageError:
        return {}
    if expected == "test":
        offered = _plain((*query.FIELDS, *query.RELATIONS, "not"))
        fields = [f for f in offered if f.startswith(fragment)]
        if quoted and len(fields) == 1 and fields[0] in query.FIELDS:
            offered = {f"{fields[0]} {sign}": "" for sign in _signs(fields[0], quoted)}
    elif expected == "operator":
        offered = dict.fromkeys(_signs(field, quoted), "")
    elif expected == "value":
        offered = _FIELD_VALUES[field](manifest) if field in _FIELD_VALUES else {}
    else:
        offered = {"and": "", "or": ""} if expected == "join" else {}
    return {head + value: help_ for value, help_ in offered.items() if value.startswith(fragment)}


def _fragment(text: str) -> str:
    match = _FRAGMENT.search(text)
    return match[0] if match else ""


def _signs(field: str, quoted: bool) -> tuple[str, ...]:
    return _ORDERED if quoted and field not in query.TEXT_FIELDS else _EQUALITY


def _labels(items: Sequence[Item]) -> tuple[str, ...]:
    """The labels that items of their kind may have; all labels for no items."""
    if not items:
        return _ALL_LABELS
    return _AUDIO_LABELS if isinstance(items[0], AudioRange) else _VIDEO_LABELS


def _effect_names(label: str, items: Sequence[Item]) -> Iterable[str]:
    """The effects of the medium of the items or of a label; of both media where neither says which."""
    sound = isinstance(items[0], AudioRange) if items else label in {"", "default", *_AUDIO_LABELS}
    picture = not isinstance(items[0], AudioRange) if items else label in {"", "default", *_VIDEO_LABELS}
    yield from effect_syntax.VIDEO_EFFECTS if picture else ()
    yield from effect_syntax.AUDIO_EFFECTS if sound else ()
    yield "default"


def _effects(arguments: Sequence[str], items: Sequence[Item]) -> Iterable[str]:
    """`label=LABEL` where no items are named, then the name of an effect, then the parameters still missing."""
    if not arguments and not items:
        yield from (f"label={name}" for name in (*_ALL_LABELS, "default") if name != "keep")
    label = arguments[0].removeprefix("label=") if arguments and arguments[0].startswith("label=") else ""
    words = arguments[1:] if label else arguments
    if not words:
        yield from _effect_names(label, items)
        return
    given = {word.partition("=")[0] for word in words}
    for name in effect_syntax.VIDEO_EFFECTS.get(words[0], ()):
        if name not in given:
            yield from (f"{name}={value}" for value in effect_syntax.CHOICES.get(name, ()))


def _arguments(verb: str, arguments: Sequence[str], items: Sequence[Item], manifest: Manifest | None) -> Candidates:
    """Candidates for the argument of a verb after the `arguments` before it and behind its items."""
    streams = manifest.source.streams if manifest is not None else ()
    if verb == "relabel":
        return _plain(_labels(items) if not arguments else ())
    if verb == "effect":
        return dict.fromkeys(_effects(arguments, items), "")
    if verb == "add":
        indices = [f"stream={s.index}" for s in streams if not isinstance(s, OtherStream)]
        every = ["stream=all"] if any(isinstance(s, AudioStream) for s in streams) else []
        named = any(a.startswith("stream=") for a in arguments)
        return dict.fromkeys(() if named else (*indices, *every), "") if arguments else _plain(_ALL_LABELS)
    if verb == "stream":
        indices = [str(s.index) for s in streams if not isinstance(s, OtherStream)]
        return _plain((indices, ("render", "drop"), ())[min(len(arguments), 2)])
    if verb == "scope":
        return _plain(() if arguments else ("listed", "everything"))
    at = (verb == "split" and not arguments) or (
        verb == "move" and len(arguments) == 1 and arguments[0].count(",") == 3
    )
    return {"at": ""} if at else {}


def _selection(verb: str, ids: Sequence[str], arguments: Sequence[str], manifest: Manifest | None) -> Candidates:
    """The ids that a verb may still take, and `where`; a rejected item must be accepted before another change."""
    if any(a.startswith("label=") for a in arguments):
        return {}
    able = [i for i in _items(manifest) if i.id not in ids and (verb == "accept" or i.review != "rejected")]
    return ({} if arguments else {i.id: i.review for i in able}) | ({} if ids else {"where": ""})


def operation(before: Sequence[str], incomplete: str, manifest: Manifest | None) -> Candidates:
    """Candidates for the word `incomplete` of an operation after the words `before`, which may hold earlier operations.

    Without a manifest only what does not depend on one is offered.
    """
    begin = len(before) - before[::-1].index("then") if "then" in before else 0
    words = list(before[begin:])
    if "where" in words:
        return _where(words[words.index("where") + 1 :], incomplete, manifest)
    if not words:
        return _starting(incomplete, dict.fromkeys(operations.VERBS, ""))
    verb = words[0]
    attribution, rest = operations.split_attribution(words[1:])
    ids, arguments = operations.split_ids(rest)
    by_id = {i.id: i for i in _items(manifest)}
    items = [by_id[i] for i in ids if i in by_id]
    offered: Candidates = {}
    if verb not in operations.VERBS_WITHOUT_ITEMS:
        offered |= _selection(verb, ids, arguments, manifest)
    offered |= _arguments(verb, arguments, items, manifest)
    if "reviewer" not in attribution and verb not in {"stream", "scope"}:
        offered |= {f"reviewer={name}": "" for name in reviewers(manifest)}
    return _starting(incomplete, offered | ({"then": ""} if rest else {}))


def _where(words: Sequence[str], incomplete: str, manifest: Manifest | None) -> Candidates:
    """Candidates for the incomplete word of an expression that is written as words after `where`."""
    before = "".join(f"{word} " for word in words)
    found = expression(before + incomplete, manifest, quoted=" " in incomplete)
    complete = words and _complete(before) and "then".startswith(incomplete)
    return {value.removeprefix(before): help_ for value, help_ in found.items()} | ({"then": ""} if complete else {})


def _complete(text: str) -> bool:
    try:
        return _expected(query.tokens(text))[0] == "join"
    except UsageError:
        return False


def _starting(incomplete: str, offered: Candidates) -> Candidates:
    return {value: help_ for value, help_ in offered.items() if value.startswith(incomplete)}
