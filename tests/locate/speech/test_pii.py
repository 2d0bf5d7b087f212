"""The PII finder, as a table: sentence, label, the words that match."""

import socket
from pathlib import Path

import pytest

from veridact.errors import MissingModelError, UsageError
from veridact.locate.speech.normalization import normalize, normalize_word
from veridact.locate.speech.pii import names, numbers
from veridact.locate.speech.pii.finder import PiiFinder, read_phrases
from veridact.locate.speech.pii.presidio import Presidio

ALL = frozenset(
    {"person_name", "location", "phone_number", "credit_card", "iban", "email", "date", "id_number", "custom"}
)
IBAN = "g b eight two w e s t one two three four five six nine eight seven six five four three two"
CARD = "four zero one two eight eight eight eight eight eight eight eight one eight eight one"

NORMALIZED = {
    "digits": ("four zero one two", "4012"),
    "repeats": ("double four triple oh", "44000"),
    "tens": ("twenty five", "25"),
    "hundred": ("one eight hundred five five five", "1800555"),
    "a year": ("nineteen eighty five", "1985"),
    "letters and digits": ("g b two nine", "gb29"),
    "a lone letter": ("plan b is better", "plan b is better"),
    "mail": ("jane dot doe at example dot com", "jane.doe@example.com"),
    "at without dot": ("we meet at noon", "we meet at noon"),
    "in digits already": ("4012-8888", "40128888"),
    "a date in digits stays": ("3/4/1990", "3/4/1990"),
}

MATCHES = {
    "card": (f"my card is {CARD} thank you", "credit_card", CARD),
    "card with a wrong digit": ("card " + CARD.replace("zero", "nine"), "credit_card", CARD.replace("zero", "nine")),
    "iban": (f"the iban is {IBAN} ok", "iban", IBAN),
    "phone": ("call two one two five five five oh one double four now", "phone_number",
              "two one two five five five oh one double four"),
    "id": ("badge nine oh two one oh please", "id_number", "nine oh two one oh"),
    "mail": ("write to jane dot doe at example dot com today", "email", "jane dot doe at example dot com"),
    "date": ("born on the fourteenth of march nineteen eighty five", "date",
             "the fourteenth of march nineteen eighty five"),
    "month first": ("until march the third", "date", "march the third"),
    "introduced": ("my name is zyx quorble today", "person_name", "zyx quorble"),
    "title": ("and mister john dashwood had leisure", "person_name", "john dashwood"),
    "known": ("i met emma watson there", "person_name", "emma watson"),
    "announced": ("hello this is brobding speaking", "person_name", "brobding"),
    "state": ("she moved to north carolina", "location", "north carolina"),
    "an everyday word that is introduced": ("my name is mark hill", "person_name", "mark hill"),
    "the title of somebody known": ("the doctor robert hughes is in", "person_name", "robert hughes"),
    "city": ("we meet in buenos aires then", "location", "buenos aires"),
    "street": ("at twelve baker street", "location", "twelve baker street"),
}  # fmt: skip

NO_MATCHES = {
    "small numbers": "two hours and twenty five dogs",
    "a year": "it was nineteen ninety",
    "no name": "this is a test of the system",
    "an occupation": "the doctor explains that the professor agrees",
    "an everyday word": "a pleasant day by the river she said",
    "everyday words": "will you mark the may page with hope",
}


@pytest.fixture(scope="module")
def presidio() -> Presidio:
    return Presidio("words", "en", None)


@pytest.fixture
def finder(presidio: Presidio) -> PiiFinder:
    return PiiFinder(presidio, ALL)


@pytest.mark.parametrize(("speech", "text"), NORMALIZED.values(), ids=NORMALIZED.keys())
def test_spoken_forms_are_normalized(speech, text, hypothesis):
    assert normalize(hypothesis(speech)).text == text


@pytest.mark.parametrize(("speech", "label", "covered"), MATCHES.values(), ids=MATCHES.keys())
def test_pii_matches_as_a_whole(speech, label, covered, hypothesis, finder):
    words = speech.split()
    spans = [" ".join(words[m.first : m.end]) for m in finder.find(hypothesis(speech)) if m.label == label]
    assert covered in spans


@pytest.mark.parametrize("speech", NO_MATCHES.values(), ids=NO_MATCHES.keys())
def test_other_speech_does_not_match(speech, hypothesis, finder):
    assert finder.find(hypothesis(speech)) == []


def test_only_the_given_labels_match(hypothesis, presidio):
    finder = PiiFinder(presidio, frozenset({"person_name"}))
    speech = f"my name is emma watson and my card is {CARD}"
    assert {m.label for m in finder.find(hypothesis(speech))} == {"person_name"}


def test_a_card_with_digits_missing_matches_the_nearest_given_label(hypothesis, presidio):
    short = " ".join(CARD.split()[:11])
    matches = PiiFinder(presidio, frozenset({"credit_card"})).find(hypothesis(short))
    assert [(m.label, m.first, m.end) for m in matches] == [("credit_card", 0, 11)]


def test_keep_and_deny_lists(hypothesis, presidio, tmp_path: Path):
    (tmp_path / "keep").write_text("Emma Watson\n")
    (tmp_path / "deny").write_text("project falcon\n\n")
    keep, deny = (read_phrases(tmp_path / name, f"--{name}-words") for name in ("keep", "deny"))
    finder = PiiFinder(presidio, ALL, "en", keep, deny)
    matches = finder.find(hypothesis("emma watson runs project falcon with peter"))
    assert [(m.label, m.first, m.end) for m in matches] == [("custom", 3, 5), ("person_name", 6, 7)]


def test_a_list_that_is_not_text_is_refused(tmp_path: Path):
    (tmp_path / "list").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="UTF-8"):
        read_phrases(tmp_path / "list", "--keep-words")


@pytest.mark.parametrize(("number", "valid"), [("4012888888881881", True), ("4012888888881882", False), ("0", True)])
def test_luhn(number, valid):
    assert numbers.is_luhn_valid(number) is valid


@pytest.mark.parametrize(
    ("number", "valid"), [("gb82west12345698765432", True), ("gb82west12345698765433", False), ("82", False)]
)
def test_iban(number, valid):
    assert numbers.is_iban_valid(number) is valid


def test_no_network_is_touched(hypothesis, monkeypatch):
    """SPEC §2: nothing is fetched at run time; for the domain of a mail address tldextract usually fetches a list."""

    def refused(*args, **kwargs):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    fresh = Presidio("words", "en", None)
    matches = PiiFinder(fresh, ALL).find(hypothesis("bob at example dot co dot uk"))
    assert "email" in {m.label for m in matches}


def test_a_missing_pipeline_says_what_to_give(tmp_path: Path):
    with pytest.raises(MissingModelError, match="--spacy"):
        Presidio("words", "en", str(tmp_path / "none"))


def test_lists_of_names_are_there_for_english_and_empty_for_unknown_languages():
    first, last = names.name_lists("en")
    assert "emma" in first
    assert "smith" in last
    assert names.name_lists("xx") == (frozenset(), frozenset())


def test_words_lose_punctuation_case_and_possessive():
    words = [normalize_word(w) for w in ("Smith's,", "(hello)", "«Ja»", "a@b.com.")]
    assert words == ["smith", "hello", "ja", "a@b.com"]
