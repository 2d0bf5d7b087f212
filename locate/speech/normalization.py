"""Spoken forms as written ones: what a person says for a number, a letter or an address, as text to search in.

"four zero one two" is `4012`, "double four" `44`, "eighteen hundred" `1800`, "nineteen eighty five" `1985`,
"g b two nine" `gb29`, "jane dot doe at example dot com" `jane.doe@example.com`. Each character of the text knows the
word it came from, so that whatever is found in the text is found in time.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from veridact.locate.speech.number_words import TEENS, TENS, UNITS
from veridact.locate.speech.recognizers.base import Word

_REPEATS = {"double": 2, "triple": 3, "treble": 3}
_GLUE = {"dot": ".", "underscore": "_", "dash": "-", "hyphen": "-"}
_SPOKEN_AT = "at"
_EDGES = re.compile(r"^[^\w@+]+|[^\w]+$")
_DIGITS_ONLY = re.compile(r"^[+(]?[0-9][0-9()./\-]*$")
LONGEST_PAUSE_MS = 2500
"""A pause inside one number; after a longer one another number begins."""


@dataclass(frozen=True)
class Token:
    """A piece of written text and the half-open words it stands for; `kind` is word, digits or letter."""

    text: str = field(repr=False)
    kind: str
    first: int
    end: int


@dataclass(frozen=True)
class Text:
    """Written text, and for each of its characters the index of the word behind it."""

    text: str = field(repr=False)
    words: tuple[int, ...]
    tokens: tuple[Token, ...]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The half-open words behind half-open characters."""
        touched = self.words[start:end]
        return min(touched), max(touched) + 1


def plain(text: str) -> str:
    """A word in lower case, without punctuation around it or a possessive."""
    return _EDGES.sub("", text.strip().lower()).removesuffix("'s").removesuffix("’s")


def _number_at(words: Sequence[str], i: int) -> tuple[str, int] | None:
    """The digits that begin at word `i`, and how many words they take."""
    word = words[i]
    after = words[i + 1] if i + 1 < len(words) else ""
    if word in _REPEATS and (after in UNITS or re.fullmatch("[0-9]", after)):
        return UNITS.get(after, after) * _REPEATS[word], 2
    if word in TENS:
        if after in UNITS and UNITS[after] != "0":
            return _hundreds(words, i + 2, TENS[word] + UNITS[after], 2)
        return _hundreds(words, i + 1, TENS[word] + "0", 1)
    if (small := UNITS.get(word) or TEENS.get(word)) is not None:
        return _hundreds(words, i + 1, small, 1)
    joined = word.split("-")
    if len(joined) == 2 and joined[0] in TENS and joined[1] in UNITS:
        return TENS[joined[0]] + UNITS[joined[1]], 1
    if _DIGITS_ONLY.match(word):
        return re.sub(r"[()./\-](?=.)", "", word) if not _is_date(word) else word, 1
    return None


def _hundreds(words: Sequence[str], i: int, digits: str, used: int) -> tuple[str, int]:
    return (digits + "00", used + 1) if i < len(words) and words[i] == "hundred" else (digits, used)


def _is_date(word: str) -> bool:
    """Whether the separators of a number must stay, because it is a date."""
    return re.fullmatch(r"[0-9]{1,4}[/.\-][0-9]{1,2}[/.\-][0-9]{1,4}", word) is not None


def tokens(words: Sequence[Word]) -> list[Token]:
    """The words one by one, numbers as digits."""
    said = [plain(w.text) for w in words]
    found: list[Token] = []
    i = 0
    while i < len(said):
        number = _number_at(said, i)
        if number is not None:
            found.append(Token(number[0], "digits", i, i + number[1]))
            i += number[1]
            continue
        letter = len(said[i]) == 1 and said[i].isalpha()
        found.append(Token(said[i], "letter" if letter else "word", i, i + 1))
        i += 1
    return found


def _pause_ms(words: Sequence[Word], before: Token, after: Token) -> int:
    end, start = words[before.end - 1].end_ms, words[after.first].start_ms
    return 0 if end is None or start is None else start - end


def _glue(words: Sequence[Word], run: Sequence[Token], i: int, pause_ms: int) -> str:
    """What stands between token `i` and the one after it: nothing inside a number or an address, else a space."""
    here, there = run[i], run[i + 1]
    if here.text in _GLUE.values() or there.text in _GLUE.values() or "@" in (here.text, there.text):
        return ""
    short = {"digits", "letter"}
    if here.kind in short and there.kind in short and not (_is_date(here.text) or _is_date(there.text)):
        lone = "letter" == here.kind == there.kind and "digits" not in (t.kind for t in run[max(0, i - 4) : i + 7])
        return " " if lone or _pause_ms(words, here, there) > pause_ms else ""
    return " "


def _addressed(found: Sequence[Token]) -> list[Token]:
    """Spoken punctuation as signs: "dot" between words, and "at" where a "dot" follows within six words."""
    signs: list[Token] = []
    for i, token in enumerate(found):
        inside = 0 < i < len(found) - 1
        dotted = any(t.text == "dot" for t in found[i + 1 : i + 7])
        if inside and token.text == _SPOKEN_AT and dotted:
            signs.append(Token("@", "word", token.first, token.end))
        elif inside and token.text in _GLUE and (token.text == "dot" or dotted):
            signs.append(Token(_GLUE[token.text], "word", token.first, token.end))
        else:
            signs.append(token)
    return signs


def written(words: Sequence[Word], pause_ms: int = LONGEST_PAUSE_MS) -> Text:
    """A reading as text to search in; a longer pause ends a number."""
    run = _addressed(tokens(words))
    text: list[str] = []
    behind: list[int] = []
    for i, token in enumerate(run):
        piece = token.text + (_glue(words, run, i, pause_ms) if i + 1 < len(run) else "")
        text.append(piece)
        count = token.end - token.first
        length = len(token.text)
        behind += [token.first + min(count - 1, c * count // max(1, length)) for c in range(length)]
        behind += [token.end - 1] * (len(piece) - length)
    return Text("".join(text), tuple(behind), tuple(run))
