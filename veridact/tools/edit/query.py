"""The query language that selects items: `label = face and score < 500 and not (start >= 00:01:00 or w > 200)`.

    expression  = term { "or" term }
    term        = factor { "and" factor }
    factor      = "not" factor | "(" expression ")" | comparison
    comparison  = FIELD OPERATOR VALUE | "during" RANGE | "touches" X,Y,W,H
    OPERATOR    = "=" | "==" | "!=" | "<" | "<=" | ">" | ">="

Fields are text (`id label review reviewer reason by kind`; `*` and `?` are wildcards under `=`, `==`, `!=`), integers
(`score stream frames x y w h`) or times (`start end`). `kind` is `track` or `range`; `x` and `y` are the smallest of a
track's keys, `w` and `h` the largest, in pixels. A comparison with a field that the item lacks (the box of a range, the
score of an item added by hand) is false. This module parses the expression itself; nothing is evaluated as code.
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Any

from veridact.errors import UsageError
from veridact.schema.geometry import Box
from veridact.schema.manifest import AudioRange, Track
from veridact.schema.plan.segments import end_frame, first_frame
from veridact.schema.timeline import Clocks, Frame, Instant, Seconds, Span
from veridact.tools.edit.times import parse_instant, parse_span

Item = Track | AudioRange
Predicate = Callable[[Item, Clocks], bool]
_TOKEN = re.compile(r'\s*(?:(==|!=|<=|>=|=|<|>|\(|\))|"([^"]*)"|([^\s()<>=!"]+))')
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
TEXT_OPERATORS = ("=", "==", "!=")
MAX_LENGTH = 2000
MAX_NESTING = 50


def _boxes(item: Item) -> list[Box]:
    return [k.box for s in item.segments for k in s.keys] if isinstance(item, Track) else []


TEXT_FIELDS: dict[str, Callable[[Item], str | None]] = {
    "id": lambda i: i.id,
    "label": lambda i: i.label,
    "review": lambda i: i.review,
    "reviewer": lambda i: i.reviewer,
    "reason": lambda i: i.reason,
    "by": lambda i: i.origin.by,
    "kind": lambda i: "track" if isinstance(i, Track) else "range",
}
NUMBER_FIELDS: dict[str, Callable[[Item], int | None]] = {
    "score": lambda i: i.origin.score,
    "stream": lambda i: i.stream,
    "frames": lambda i: sum(s.end - s.keys[0].frame for s in i.segments) if isinstance(i, Track) else None,
    "x": lambda i: min((b[0] for b in _boxes(i)), default=None),
    "y": lambda i: min((b[1] for b in _boxes(i)), default=None),
    "w": lambda i: max((b[2] for b in _boxes(i)), default=None),
    "h": lambda i: max((b[3] for b in _boxes(i)), default=None),
}
TIME_FIELDS = ("start", "end")
FIELDS = (*TEXT_FIELDS, *NUMBER_FIELDS, *TIME_FIELDS)
RELATIONS = ("during", "touches")
"""Tests of the time and the place of an item; a range or a box follows instead of an operator and a value."""


def _bound(item: Item, at: Instant, is_end: bool, clocks: Clocks) -> int | Fraction | None:
    """The start or end of an item in the unit of `at`, frames or seconds; None where the item has none in it.

    Raises `UsageError` for seconds on a stream whose timeline is unknown.
    """
    if isinstance(item, AudioRange):
        ms = item.end_ms if is_end else item.start_ms
        return Fraction(ms, 1000) if isinstance(at, Seconds) else None
    frame = end_frame(item) if is_end else first_frame(item)
    if isinstance(at, Frame):
        return frame
    clock = clocks[item.stream]
    clock.frame_of(at, up=False)  # raises the error that names the remedy
    return clock.seconds_of(frame)


def _value(at: Instant) -> int | Fraction:
    return at.number if isinstance(at, Frame) else at.value


def overlaps(item: Item, span: Span, clocks: Clocks) -> bool:
    """Whether an item has a frame or a millisecond in a half-open range of time."""
    for limit, is_end in ((span.start, True), (span.end, False)):
        if limit is not None:
            own = _bound(item, limit, is_end, clocks)
            if own is None or (own <= _value(limit) if is_end else own >= _value(limit)):
                return False
    return True


def parse_box(text: str) -> Box | None:
    """`X,Y,W,H` as left, top, width and height in pixels; None for text that is no box with an extent."""
    parts = text.split(",")
    if len(parts) != 4 or not all(re.fullmatch(r"[+-]?[0-9]{1,7}", p) for p in parts):
        return None
    x, y, w, h = (int(p) for p in parts)
    return (x, y, w, h) if w > 0 and h > 0 else None


def _touches(box: Box) -> Predicate:
    x, y, w, h = box

    def predicate(item: Item, clocks: Clocks) -> bool:
        return any(bx < x + w and x < bx + bw and by < y + h and y < by + bh for bx, by, bw, bh in _boxes(item))

    return predicate


def _text_comparison(name: str, sign: str, value: str) -> Predicate:
    if sign not in TEXT_OPERATORS:
        raise UsageError(f"--where: {name} is text; compare it with = or !=")
    get = TEXT_FIELDS[name]

    def predicate(item: Item, clocks: Clocks) -> bool:
        own = get(item)
        return own is not None and fnmatchcase(own, value) == (sign != "!=")

    return predicate


def _number_comparison(name: str, sign: str, value: str) -> Predicate:
    if not re.fullmatch(r"-?[0-9]{1,15}", value):
        raise UsageError(f"--where: {name} is a number, so compare it with an integer, not with {value!r}")
    get, compare, number = NUMBER_FIELDS[name], OPERATORS[sign], int(value)

    def predicate(item: Item, clocks: Clocks) -> bool:
        own = get(item)
        return own is not None and compare(own, number)

    return predicate


def _time_comparison(name: str, sign: str, value: str) -> Predicate:
    at = parse_instant(value)
    if at is None:
        raise UsageError(f"--where: {value!r} is not a time; write a frame (120), seconds (4.5s) or 00:00:04.500")
    compare = OPERATORS[sign]

    def predicate(item: Item, clocks: Clocks) -> bool:
        own = _bound(item, at, name == "end", clocks)
        return own is not None and compare(own, _value(at))

    return predicate


_COMPARISONS: dict[str, Callable[[str, str, str], Predicate]] = {
    **dict.fromkeys(TEXT_FIELDS, _text_comparison),
    **dict.fromkeys(NUMBER_FIELDS, _number_comparison),
    **dict.fromkeys(TIME_FIELDS, _time_comparison),
}


@dataclass
class _Parser:
    """A recursive descent parser, one method for each rule of the grammar; `tokens` are those not yet read."""

    tokens: list[str]
    depth: int = 0

    def peek(self) -> str:
        """The next token, empty at the end."""
        return self.tokens[0] if self.tokens else ""

    def take(self) -> str:
        """Removes the next token and returns it; raises `UsageError` at the end."""
        if not self.tokens:
            raise UsageError("--where: the expression ends too early")
        return self.tokens.pop(0)

    def expression(self) -> Predicate:
        """Terms joined by `or`."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise UsageError(f"--where: nested more than {MAX_NESTING} deep")
        terms = [self.term()]
        while self.peek() == "or":
            self.take()
            terms.append(self.term())
        self.depth -= 1
        return lambda item, clocks: any(t(item, clocks) for t in terms)

    def term(self) -> Predicate:
        """Factors joined by `and`."""
        factors = [self.factor()]
        while self.peek() == "and":
            self.take()
            factors.append(self.factor())
        return lambda item, clocks: all(f(item, clocks) for f in factors)

    def factor(self) -> Predicate:
        """A comparison or an expression in parentheses, with any number of `not` before it."""
        inverted = False
        while self.peek() == "not":
            self.take()
            inverted = not inverted
        if self.peek() == "(":
            self.take()
            inner = self.expression()
            if self.take() != ")":
                raise UsageError("--where: a parenthesis is not closed")
        else:
            inner = self.comparison()
        return (lambda item, clocks: not inner(item, clocks)) if inverted else inner

    def comparison(self) -> Predicate:
        """One test of one field, of the time or of the place of an item."""
        name = self.take()
        if name == "during":
            text = self.take()
            span = parse_span(text)
            if span is None:
                raise UsageError(f"--where: {text!r} is not a range of time; write 120-180 or 4s-6.5s")
            return lambda item, clocks: overlaps(item, span, clocks)
        if name == "touches":
            text = self.take()
            box = parse_box(text)
            if box is None:
                raise UsageError(f"--where: {text!r} is not a box; write X,Y,W,H")
            return _touches(box)
        if name not in _COMPARISONS:
            known = ", ".join((*FIELDS, *RELATIONS))
            raise UsageError(f"--where: there is no field {name!r}; the fields are {known}")
        sign = self.take()
        if sign not in OPERATORS:
            raise UsageError(f"--where: write one of {' '.join(OPERATORS)} after {name}, not {sign!r}")
        return _COMPARISONS[name](name, sign, self.take())


def tokens(text: str) -> list[str]:
    """The words, operators and parentheses of an expression, without the quotes; raises `UsageError`."""
    found: list[str] = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise UsageError(f"--where: cannot read {text[at:].strip()[:20]!r}")
        found.append(next(g for g in match.groups() if g is not None))
        at = match.end()
    return found


def parse(text: str) -> Predicate:
    """The predicate that an expression denotes; raises `UsageError` for text that is not in the language."""
    if len(text) > MAX_LENGTH:
        raise UsageError(f"--where: longer than {MAX_LENGTH} characters")
    parser = _Parser(tokens(text))
    predicate = parser.expression()
    if parser.tokens:
        raise UsageError(f"--where: {parser.tokens[0]!r} follows a complete comparison; join comparisons with and / or")
    return predicate
