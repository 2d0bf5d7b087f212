"""Inverse text normalisation: spoken numbers, letters and addresses as the text that the PII patterns are written for.

"four zero one two" is `4012`, "double four" `44`, "eighteen hundred" `1800`, "nineteen eighty five" `1985`,
"g b two nine" `gb29`, "jane dot doe at example dot com" `jane.doe@example.com`. Each character of the text has the
index of the word that it came from, so that a match in the text is a match in time.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from veridact.locate.speech.number_words import TEENS, TENS, UNITS
from veridact.locate.speech.recognizers.base import Word

_REPEATS = {"double": 2, "triple": 3, "treble": 3}
_SIGNS = {"dot": ".", "underscore": "_", "dash": "-", "hyphen": "-"}
_AT = "at"
_PUNCTUATION_AROUND = re.compile(r"^[^\w@+]+|[^\w]+$")
_NUMBER = re.compile(r"^[+(]?[0-9][0-9()./\-]*$")
MAX_PAUSE_MS = 2500
"""The longest pause inside one number; after a longer one another number begins."""


@dataclass(frozen=True)
class Token:
    """A piece of normalised text for words `first` to `end`, half-open; `kind` is word, digits or letter."""

    text: str = field(repr=False)
    kind: str
    first: int
    end: int


@dataclass(frozen=True)
class NormalizedText:
    """Text, for each of its characters the index of its word in `words`, and the tokens that it is made of."""

    text: str = field(repr=False)
    words: tuple[int, ...]
    tokens: tuple[Token, ...]

    def word_span(self, start: int, end: int) -> tuple[int, int]:
        """The half-open words that half-open characters came from."""
        words = self.words[start:end]
        return min(words), max(words) + 1


def normalize_word(text: str) -> str:
    """A word in lower case, without punctuation around it and without a possessive."""
    return _PUNCTUATION_AROUND.sub("", text.strip().lower()).removesuffix("'s").removesuffix("’s")


def _number_at(words: Sequence[str], i: int) -> tuple[str, int] | None:
    """The digits of the number word at `i` and how many words they take; None where there is none."""
    word = words[i]
    following = words[i + 1] if i + 1 < len(words) else ""
    if word in _REPEATS and (following in UNITS or re.fullmatch("[0-9]", following)):
        return UNITS.get(following, following) * _REPEATS[word], 2
    if word in TENS:
        if following in UNITS and UNITS[following] != "0":
            return _with_hundred(words, i + 2, TENS[word] + UNITS[following], 2)
        return _with_hundred(words, i + 1, TENS[word] + "0", 1)
    if (small := UNITS.get(word) or TEENS.get(word)) is not None:
        return _with_hundred(words, i + 1, small, 1)
    hyphenated = word.split("-")
    if len(hyphenated) == 2 and hyphenated[0] in TENS and hyphenated[1] in UNITS:
        return TENS[hyphenated[0]] + UNITS[hyphenated[1]], 1
    if _NUMBER.match(word):
        return re.sub(r"[()./\-](?=.)", "", word) if not _is_date(word) else word, 1
    return None


def _with_hundred(words: Sequence[str], i: int, digits: str, used: int) -> tuple[str, int]:
    """`digits` and the `used` words, times a hundred where word `i` says so."""
    return (digits + "00", used + 1) if i < len(words) and words[i] == "hundred" else (digits, used)


def _is_date(word: str) -> bool:
    """Whether this is a date in digits, whose separators must stay."""
    return re.fullmatch(r"[0-9]{1,4}[/.\-][0-9]{1,2}[/.\-][0-9]{1,4}", word) is not None


def tokenize(words: Sequence[Word]) -> list[Token]:
    """The words as tokens, number words as digits."""
    normalized = [normalize_word(w.text) for w in words]
    tokens: list[Token] = []
    i = 0
    while i < len(normalized):
        number = _number_at(normalized, i)
        if number is not None:
            tokens.append(Token(number[0], "digits", i, i + number[1]))
            i += number[1]
            continue
        is_letter = len(normalized[i]) == 1 and normalized[i].isalpha()
        tokens.append(Token(normalized[i], "letter" if is_letter else "word", i, i + 1))
        i += 1
    return tokens


def _pause_ms(words: Sequence[Word], before: Token, after: Token) -> int:
    """The time between two tokens; 0 where a word has none."""
    end, start = words[before.end - 1].end_ms, words[after.first].start_ms
    return 0 if end is None or start is None else start - end


def _separator(words: Sequence[Word], tokens: Sequence[Token], i: int, max_pause_ms: int) -> str:
    """What stands between token `i` and the next: nothing inside a number or an address, else a space."""
    token, following = tokens[i], tokens[i + 1]
    if token.text in _SIGNS.values() or following.text in _SIGNS.values() or "@" in (token.text, following.text):
        return ""
    characters = {"digits", "letter"}
    if token.kind in characters and following.kind in characters and not _either_is_date(token, following):
        nearby = (t.kind for t in tokens[max(0, i - 4) : i + 7])
        only_letters = "letter" == token.kind == following.kind and "digits" not in nearby
        return " " if only_letters or _pause_ms(words, token, following) > max_pause_ms else ""
    return " "


def _either_is_date(token: Token, following: Token) -> bool:
    return _is_date(token.text) or _is_date(following.text)


def _with_signs(tokens: Sequence[Token]) -> list[Token]:
    """Spoken signs as characters: "dot" between words, and "at", "dash" and the like with a "dot" within six words."""
    signs: list[Token] = []
    for i, token in enumerate(tokens):
        between = 0 < i < len(tokens) - 1
        dot_follows = any(t.text == "dot" for t in tokens[i + 1 : i + 7])
        if between and token.text == _AT and dot_follows:
            signs.append(Token("@", "word", token.first, token.end))
        elif between and token.text in _SIGNS and (token.text == "dot" or dot_follows):
            signs.append(Token(_SIGNS[token.text], "word", token.first, token.end))
        else:
            signs.append(token)
    return signs


def normalize(words: Sequence[Word], max_pause_ms: int = MAX_PAUSE_MS) -> NormalizedText:
    """The normalised text of recognised words; a pause longer than `max_pause_ms` ends a number."""
    tokens = _with_signs(tokenize(words))
    text: list[str] = []
    word_of: list[int] = []
    for i, token in enumerate(tokens):
        piece = token.text + (_separator(words, tokens, i, max_pause_ms) if i + 1 < len(tokens) else "")
        text.append(piece)
        count = token.end - token.first
        length = len(token.text)
        word_of += [token.first + min(count - 1, c * count // max(1, length)) for c in range(length)]
        word_of += [token.end - 1] * (len(piece) - length)
    return NormalizedText("".join(text), tuple(word_of), tuple(tokens))
