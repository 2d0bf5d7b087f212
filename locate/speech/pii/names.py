"""Names and places from the words around them, and from the name lists of the package Faker.

What follows "my name is", "mister" and the like is a name, listed or not. A listed first name is a name on its own
unless it is an everyday word; a listed last name only after a first name or a title.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec

from veridact.errors import MissingModelError
from veridact.locate.speech.number_words import NUMBER_WORDS, ORDINALS
from veridact.locate.speech.pii.match import PiiMatch

LOCALES = {
    "en": ("en", "en_US", "en_GB", "en_IE", "en_IN", "en_NZ", "en_KE"),
    "de": ("de_DE", "de_AT", "de_CH"),
    "es": ("es_ES", "es_MX", "es_AR"),
    "fr": ("fr_FR", "fr_CA", "fr_CH"),
    "it": ("it_IT",),
    "nl": ("nl_NL", "nl_BE"),
    "pt": ("pt_PT", "pt_BR"),
    "pl": ("pl_PL",),
    "sv": ("sv_SE",),
    "da": ("da_DK",),
}
"""The locales of Faker whose names are listed for each language."""

TITLES = frozenset("mister mr mrs ms miss missus doctor dr professor prof sir officer sergeant detective".split())
INTRODUCTIONS = (
    ("my", "name", "is"), ("his", "name", "is"), ("her", "name", "is"), ("the", "name", "is"), ("name", "of"),
    ("named",), ("called",), ("i", "am"), ("i'm",), ("this", "is"), ("speaking", "to"), ("speaking", "with"),
    ("signed", "by"),
)  # fmt: skip
AMBIGUOUS_INTRODUCTIONS = frozenset({("called",), ("i", "am"), ("i'm",), ("this", "is"), ("name", "of"), ("named",)})
"""Other words follow these as well: only a listed name counts after them, or any where "speaking" or "calling" is among
the next three words."""

EVERYDAY_WORDS = frozenset(
    """will mark may grace joy hope rose bill rob art drew pat sue faith april june august summer autumn dawn eve sandy
    guy jack frank grant chase chance miles lane dale glen cliff heath dean christian king young price page case rich
    carry merry penny angel star sunny destiny harmony melody crystal ruby pearl amber ginger iris ivy olive violet
    lily daisy holly hazel robin jay ray gene don ken buddy major sterling earnest noble prince duke royal rocky skip
    so an in the see my he do long an can man son ali ha ho so do an sa le la to see you me are all on dot
    said ah little love job true friend reason early worth america general north baby add media red china west bush
    green sister park link lucky brain winter press cash french india brown male rock lady banks sunday judge gay
    justice boss council january spring tiny roll german river al unique captain tea lawyer math era lotta innocent sky
    storm rush hill fed asia victory harm van journey bird cap stone minor silver golden orange wood wing charity queen
    sing author governor rice santa urban wash forest junior hunt hung fancy unknown con bell heaven forum fate mac
    candy pink karma kit pleasant day read""".split()
)
ARTICLES = frozenset("the a an my your his her our their this that".split())
"""Before a title they make it an occupation: after "the doctor" comes a verb as often as a name."""

STREETS = frozenset("street road avenue lane drive boulevard court square terrace crescent highway parkway".split())
PLACE_INTRODUCTIONS = (
    ("live", "in"), ("lives", "in"), ("live", "at"), ("lives", "at"), ("living", "in"), ("born", "in"),
    ("address", "is"), ("based", "in"), ("lived", "in"),
)  # fmt: skip
NOT_CITIES = frozenset({("center",), ("easter",), ("midway",), ("wake",), ("reunion",), ("troll",), ("oral",)})
"""Names of time zones that are everyday words."""

LISTED_SCORE, INTRODUCED_SCORE, FIRST_NAME_SCORE = 0.9, 0.75, 0.6
MAX_NAME_WORDS, MAX_PLACE_WORDS = 3, 8


@cache
def name_lists(language: str) -> tuple[frozenset[str], frozenset[str]]:
    """First and last names in lower case; empty for a language that has no list.

    Raises `MissingModelError` where Faker is not installed.
    """
    if find_spec("faker") is None:
        raise MissingModelError("the lists of names are not installed: pip install 'veridact[locate]'")
    first: set[str] = set()
    last: set[str] = set()
    for locale in LOCALES.get(language, ()):
        provider = import_module(f"faker.providers.person.{locale}").Provider
        for field, names in (("first_names", first), ("first_names_male", first), ("first_names_female", first),
                             ("last_names", last)):  # fmt: skip
            listed = getattr(provider, field, ())
            names.update(n.lower() for n in listed if isinstance(n, str)) if not isinstance(listed, property) else None
    return frozenset(first - EVERYDAY_WORDS - STREETS), frozenset(last - STREETS)


@cache
def place_names() -> frozenset[tuple[str, ...]]:
    """Countries, states of the United States, capitals, and the cities that name time zones, as words in lower case."""
    provider = import_module("faker.providers.address.en_US").Provider
    countries = import_module("faker.providers.date_time").Provider.countries
    zones = {zone.rpartition("/")[2].replace("_", " ") for country in countries for zone in country.timezones}
    listed = (*provider.countries, *provider.states, *zones, *(country.capital for country in countries))
    split = (tuple(name.lower().split()) for name in listed)
    return frozenset(name for name in split if name and not EVERYDAY_WORDS.issuperset(name) and name not in NOT_CITIES)


@cache
def _function_words() -> frozenset[str]:
    """Words that are never a name, whatever precedes them."""
    from spacy.lang.en.stop_words import STOP_WORDS

    return frozenset(STOP_WORDS) | frozenset(ORDINALS) | TITLES | {"speaking", "calling"}


@cache
def _everyday_words() -> frozenset[str]:
    """Words that are a name only after an introduction."""
    return _function_words() | EVERYDAY_WORDS


def _phrase_at(words: Sequence[str], i: int, phrase: Sequence[str]) -> bool:
    return tuple(words[i : i + len(phrase)]) == tuple(phrase)


def find_names(words: Sequence[str], language: str) -> Iterator[PiiMatch]:
    """Names of people among normalised words."""
    first, last = name_lists(language)
    for i, word in enumerate(words):
        if word in TITLES:
            yield from _introduced_name(words, i + 1, first | last, listed_only=i > 0 and words[i - 1] in ARTICLES)
        for phrase in INTRODUCTIONS:
            if _phrase_at(words, i, phrase):
                start = i + len(phrase)
                announced = "speaking" in words[start : start + 3] or "calling" in words[start : start + 3]
                listed_only = phrase in AMBIGUOUS_INTRODUCTIONS and not announced
                yield from _introduced_name(words, start, first | last, listed_only)
        if word in first and word not in _everyday_words():
            end = i + 1
            if end < len(words) and words[end] in last and words[end] not in _everyday_words():
                yield PiiMatch("person_name", i, end + 1, LISTED_SCORE)
            else:
                yield PiiMatch("person_name", i, end, FIRST_NAME_SCORE)


def _introduced_name(words: Sequence[str], start: int, listed: frozenset[str], listed_only: bool) -> Iterator[PiiMatch]:
    """The name of up to three words that begins at word `start`; a third word only if it is listed."""
    end = start
    excluded = _everyday_words() if listed_only else _function_words()
    while end < len(words) and end - start < MAX_NAME_WORDS and words[end].isalpha() and words[end] not in excluded:
        if (listed_only or end - start == MAX_NAME_WORDS - 1) and words[end] not in listed:
            break
        end += 1
    if end > start:
        yield PiiMatch("person_name", start, end, LISTED_SCORE if words[start] in listed else INTRODUCED_SCORE)


def find_locations(words: Sequence[str]) -> Iterator[PiiMatch]:
    """Listed places, streets with their numbers, and what follows "live in" and the like, among normalised words."""
    everyday = _everyday_words() - NUMBER_WORDS
    for i, word in enumerate(words):
        for name in place_names():
            if name[0] == word and _phrase_at(words, i, name):
                yield PiiMatch("location", i, i + len(name), LISTED_SCORE)
        if word in STREETS and i and words[i - 1] not in everyday:
            start = i - 1
            while start and i - start < MAX_PLACE_WORDS and words[start - 1] not in everyday:
                start -= 1
            yield PiiMatch("location", start, i + 1, INTRODUCED_SCORE)
        for phrase in PLACE_INTRODUCTIONS:
            if _phrase_at(words, i, phrase):
                start = end = i + len(phrase)
                while end < len(words) and end - start < MAX_PLACE_WORDS and words[end] not in everyday:
                    end += 1
                if end > start:
                    yield PiiMatch("location", start, end, INTRODUCED_SCORE)
