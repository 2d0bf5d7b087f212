"""A small language that selects items: `label == face and score < 500 and not (start >= 00:01:00 or w > 200)`.

    expression  = term { "or" term }
    term        = factor { "and" factor }
    factor      = "not" factor | "(" expression ")" | comparison
    comparison  = FIELD ("==" | "!=" | "<" | "<=" | ">" | ">=") VALUE | "during" RANGE | "touches" X,Y,W,H

Fields: `id label review reviewer reason by kind` (words; `*` and `?` are wildcards under `==` and `!=`), `score stream
frames x y w h` (numbers), `start end` (times). `kind` is `track` or `range`; `x` and `y` are the smallest of a track's
keys, `w` and `h` the largest. What an item does not have - a range no box, a hand-made one no score - is never true.
Nothing is evaluated: an expression is taken apart by this module alone.
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
Test = Callable[[Item, Clocks], bool]
_TOKEN = re.compile(r'\s*(?:(==|!=|<=|>=|<|>|\(|\))|"([^"]*)"|([^\s()<>=!"]+))')
SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
MAX_LENGTH = 2000
MAX_NESTING = 50


def _boxes(item: Item) -> list[Box]:
    return [k.box for s in item.segments for k in s.keys] if isinstance(item, Track) else []


_WORDS: dict[str, Callable[[Item], str | None]] = {
    "id": lambda i: i.id,
    "label": lambda i: i.label,
    "review": lambda i: i.review,
    "reviewer": lambda i: i.reviewer,
    "reason": lambda i: i.reason,
    "by": lambda i: i.origin.by,
    "kind": lambda i: "track" if isinstance(i, Track) else "range",
}
_NUMBERS: dict[str, Callable[[Item], int | None]] = {
    "score": lambda i: i.origin.score,
    "stream": lambda i: i.stream,
    "frames": lambda i: sum(s.end - s.keys[0].frame for s in i.segments) if isinstance(i, Track) else None,
    "x": lambda i: min((b[0] for b in _boxes(i)), default=None),
    "y": lambda i: min((b[1] for b in _boxes(i)), default=None),
    "w": lambda i: max((b[2] for b in _boxes(i)), default=None),
    "h": lambda i: max((b[3] for b in _boxes(i)), default=None),
}
_TIMES = ("start", "end")


def _same_kind(item: Item, at: Instant, is_end: bool, clocks: Clocks) -> int | Fraction | None:
    """The start or end of an item as frames or seconds, whichever `at` is; None where it has none."""
    if isinstance(item, AudioRange):
        ms = item.end_ms if is_end else item.start_ms
        return Fraction(ms, 1000) if isinstance(at, Seconds) else None
    frame = end_frame(item) if is_end else first_frame(item)
    if isinstance(at, Frame):
        return frame
    clock = clocks[item.stream]
    clock.frame_of(at, up=False)  # says what to do where seconds are not known
    return clock.seconds_of(frame)


def _value(at: Instant) -> int | Fraction:
    return at.number if isinstance(at, Frame) else at.value


def overlaps(item: Item, span: Span, clocks: Clocks) -> bool:
    """Whether an item has a part in a range of time."""
    for limit, is_end in ((span.start, True), (span.end, False)):
        if limit is not None:
            own = _same_kind(item, limit, is_end, clocks)
            if own is None or (own <= _value(limit) if is_end else own >= _value(limit)):
                return False
    return True


def parse_box(text: str) -> Box | None:
    """The box that `X,Y,W,H` writes, or None when it writes none."""
    parts = text.split(",")
    if len(parts) != 4 or not all(re.fullmatch(r"[+-]?[0-9]{1,7}", p) for p in parts):
        return None
    x, y, w, h = (int(p) for p in parts)
    return (x, y, w, h) if w > 0 and h > 0 else None


def _touches(box: Box) -> Test:
    x, y, w, h = box

    def test(item: Item, clocks: Clocks) -> bool:
        return any(bx < x + w and x < bx + bw and by < y + h and y < by + bh for bx, by, bw, bh in _boxes(item))

    return test


def _word_test(name: str, sign: str, value: str) -> Test:
    if sign not in {"==", "!="}:
        raise UsageError(f"--where: {name} is a word; compare it with == or !=")
    get = _WORDS[name]

    def test(item: Item, clocks: Clocks) -> bool:
        own = get(item)
        return own is not None and fnmatchcase(own, value) == (sign == "==")

    return test


def _number_test(name: str, sign: str, value: str) -> Test:
    if not re.fullmatch(r"-?[0-9]{1,15}", value):
        raise UsageError(f"--where: {name} is a number, {value!r} is none")
    get, compare, number = _NUMBERS[name], SIGNS[sign], int(value)

    def test(item: Item, clocks: Clocks) -> bool:
        own = get(item)
        return own is not None and compare(own, number)

    return test


def _time_test(name: str, sign: str, value: str) -> Test:
    at = parse_instant(value)
    if at is None:
        raise UsageError(f"--where: {value!r} is no time; write a frame (120), seconds (4.5s) or 00:00:04.500")
    compare = SIGNS[sign]

    def test(item: Item, clocks: Clocks) -> bool:
        own = _same_kind(item, at, name == "end", clocks)
        return own is not None and compare(own, _value(at))

    return test


@dataclass
class _Parser:
    """The words of an expression that are left to read."""

    words: list[str]
    depth: int = 0

    def peek(self) -> str:
        return self.words[0] if self.words else ""

    def take(self) -> str:
        if not self.words:
            raise UsageError("--where: the expression ends too early")
        return self.words.pop(0)

    def expression(self) -> Test:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise UsageError(f"--where: nested more than {MAX_NESTING} deep")
        tests = [self.term()]
        while self.peek() == "or":
            self.take()
            tests.append(self.term())
        self.depth -= 1
        return lambda item, clocks: any(t(item, clocks) for t in tests)

    def term(self) -> Test:
        tests = [self.factor()]
        while self.peek() == "and":
            self.take()
            tests.append(self.factor())
        return lambda item, clocks: all(t(item, clocks) for t in tests)

    def factor(self) -> Test:
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

    def comparison(self) -> Test:
        name = self.take()
        if name == "during":
            text = self.take()
            span = parse_span(text)
            if span is None:
                raise UsageError(f"--where: {text!r} is no range of time; write 120-180 or 4s-6.5s")
            return lambda item, clocks: overlaps(item, span, clocks)
        if name == "touches":
            text = self.take()
            box = parse_box(text)
            if box is None:
                raise UsageError(f"--where: {text!r} is no box; write X,Y,W,H")
            return _touches(box)
        makers = {**dict.fromkeys(_WORDS, _word_test), **dict.fromkeys(_NUMBERS, _number_test)}
        make = makers.get(name, _time_test if name in _TIMES else None)
        if make is None:
            known = ", ".join((*_WORDS, *_NUMBERS, *_TIMES, "during", "touches"))
            raise UsageError(f"--where: there is no field {name!r}; there are {known}")
        sign = self.take()
        if sign not in SIGNS:
            raise UsageError(f"--where: {name} is followed by one of {' '.join(SIGNS)}, not {sign!r}")
        return make(name, sign, self.take())


def _words(text: str) -> list[str]:
    words: list[str] = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise UsageError(f"--where: cannot read {text[at:].strip()[:20]!r}")
        words.append(next(g for g in match.groups() if g is not None))
        at = match.end()
    return words


def parse(text: str) -> Test:
    """The test that an expression writes; raises `UsageError`."""
    if len(text) > MAX_LENGTH:
        raise UsageError(f"--where: longer than {MAX_LENGTH} characters")
    parser = _Parser(_words(text))
    test = parser.expression()
    if parser.words:
        raise UsageError(f"--where: {parser.words[0]!r} is too much; join comparisons with and / or")
    return test
