"""Names and places from what is said around them, and from the lists of names that the package Faker carries.

"My name is …", "mister …" and the like name whoever follows, known or not. A first name from the lists counts on its
own unless it is an everyday word; a last name only behind a first name or a title.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec

from veridact.errors import MissingModelError
from veridact.locate.speech.number_words import NUMBER_WORDS, ORDINALS
from veridact.locate.speech.pii.finding import Finding

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
"""The lists of names that are read for each language of speech."""

TITLES = frozenset("mister mr mrs ms miss missus doctor dr professor prof sir officer sergeant detective".split())
INTRODUCTIONS = (
    ("my", "name", "is"), ("his", "name", "is"), ("her", "name", "is"), ("the", "name", "is"), ("name", "of"),
    ("named",), ("called",), ("i", "am"), ("i'm",), ("this", "is"), ("speaking", "to"), ("speaking", "with"),
    ("signed", "by"),
)  # fmt: skip
PLAIN_INTRODUCTIONS = frozenset({("called",), ("i", "am"), ("i'm",), ("this", "is"), ("name", "of"), ("named",)})
"""These also come before what is no name: behind them only a known name counts, or two words before "speaking"."""

EVERYDAY = frozenset(
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
"""Before a title they make it an occupation: behind "the doctor" comes a verb as often as a name."""

STREETS = frozenset("street road avenue lane drive boulevard court square terrace crescent highway parkway".split())
PLACE_INTRODUCTIONS = (
    ("live", "in"), ("lives", "in"), ("live", "at"), ("lives", "at"), ("living", "in"), ("born", "in"),
    ("address", "is"), ("based", "in"), ("lived", "in"),
)  # fmt: skip
NO_CITIES = frozenset({("center",), ("easter",), ("midway",), ("wake",), ("reunion",), ("troll",), ("oral",)})
"""Names of time zones that are everyday words."""

KNOWN, INTRODUCED, ALONE = 0.9, 0.75, 0.6


@cache
def name_lists(language: str) -> tuple[frozenset[str], frozenset[str]]:
    """First and last names in lower case; empty for a language that has no list."""
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
    return frozenset(first - EVERYDAY - STREETS), frozenset(last - STREETS)


@cache
def places() -> frozenset[tuple[str, ...]]:
    """Countries, states of the United States, capitals, and the cities that name time zones, in lower case."""
    provider = import_module("faker.providers.address.en_US").Provider
    known = import_module("faker.providers.date_time").Provider.countries
    zones = {zone.rpartition("/")[2].replace("_", " ") for country in known for zone in country.timezones}
    listed = (*provider.countries, *provider.states, *zones, *(country.capital for country in known))
    named = (tuple(name.lower().split()) for name in listed)
    return frozenset(name for name in named if name and not EVERYDAY.issuperset(name) and name not in NO_CITIES)


@cache
def _function_words() -> frozenset[str]:
    """Words that are no name, whatever is said before them."""
    from spacy.lang.en.stop_words import STOP_WORDS

    return frozenset(STOP_WORDS) | frozenset(ORDINALS) | TITLES | {"speaking", "calling"}


@cache
def _everyday_words() -> frozenset[str]:
    """Words that are a name only where a name is announced."""
    return _function_words() | EVERYDAY


def _begins(said: Sequence[str], i: int, phrase: Sequence[str]) -> bool:
    return tuple(said[i : i + len(phrase)]) == tuple(phrase)


def people(said: Sequence[str], language: str) -> Iterator[Finding]:
    """Names of people among plain words."""
    first, last = name_lists(language)
    for i, word in enumerate(said):
        if word in TITLES:
            yield from _named(said, i + 1, first | last, known_only=i > 0 and said[i - 1] in ARTICLES)
        for phrase in INTRODUCTIONS:
            if _begins(said, i, phrase):
                start = i + len(phrase)
                announced = "speaking" in said[start : start + 3] or "calling" in said[start : start + 3]
                known_only = phrase in PLAIN_INTRODUCTIONS and not announced
                yield from _named(said, start, first | last, known_only)
        if word in first and word not in _everyday_words():
            end = i + 1
            if end < len(said) and said[end] in last and said[end] not in _everyday_words():
                yield Finding("person_name", i, end + 1, KNOWN)
            else:
                yield Finding("person_name", i, end, ALONE)


def _named(said: Sequence[str], start: int, known: frozenset[str], known_only: bool) -> Iterator[Finding]:
    """The name of up to three words that begins at `start`; the third only when the lists know it."""
    end = start
    barred = _everyday_words() if known_only else _function_words()
    while end < len(said) and end - start < 3 and said[end].isalpha() and said[end] not in barred:
        if (known_only or end - start == 2) and said[end] not in known:
            break
        end += 1
    if end > start:
        yield Finding("person_name", start, end, KNOWN if said[start] in known else INTRODUCED)


def locations(said: Sequence[str]) -> Iterator[Finding]:
    """Countries, states, streets with their numbers, and what follows "live in" and the like."""
    everyday = _everyday_words() - NUMBER_WORDS
    for i, word in enumerate(said):
        for name in places():
            if name[0] == word and _begins(said, i, name):
                yield Finding("location", i, i + len(name), KNOWN)
        if word in STREETS and i and said[i - 1] not in everyday:
            start = i - 1
            while start and i - start < 8 and said[start - 1] not in everyday:
                start -= 1
            yield Finding("location", start, i + 1, INTRODUCED)
        for phrase in PLACE_INTRODUCTIONS:
            if _begins(said, i, phrase):
                start = end = i + len(phrase)
                while end < len(said) and end - start < 8 and said[end] not in everyday:
                    end += 1
                if end > start:
                    yield Finding("location", start, end, INTRODUCED)
