"""Number spotting from the results of four passes: scores, runs, and speech that is no number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veridact.locate.speech.recognizers import number_spotting
from veridact.locate.speech.recognizers.number_spotting import (
    DecodedWord,
    DecodingPasses,
    best_runs,
    number_scores,
    spot_numbers,
)

FRAMES = 700


def decoded(text: str, nats: float, start: int = 100) -> list[DecodedWord]:
    """Words of 40 frames one after another, with a log likelihood of `nats` a frame."""
    return [DecodedWord(w, start + 40 * i, start + 40 * i + 40, 40 * nats) for i, w in enumerate(text.split())]


def passes_of(words: str, everyday: str, digits: str, fit: float) -> DecodingPasses:
    """A segment with a background of 0 nats a frame and digits of `fit` nats a frame."""
    return DecodingPasses(FRAMES, decoded(words, 0), decoded(everyday, 0), decoded(digits, fit), np.zeros(FRAMES))


NUMBER = "four zero one two eight eight"
SPOTTED = {
    "in every pass": ((NUMBER, NUMBER, NUMBER, -1.0), True),
    "the language model decodes words": (("for her own to ate it", NUMBER, NUMBER, -1.0), True),
    "half of it wrong": (("for her own to ate it", "four her one to eight eight", NUMBER, -1.0), True),
    "words that sound like digits": (("for her own to ate it", "for her own to ate it", NUMBER, -3.5), False),
    "letters in any speech": (("if you are in a", "f. u. r. n. a. b.", NUMBER, -3.0), False),
    "too few digits": (("four zero one", "four zero one", "four zero one", -1.0), False),
    "silence": (("", "", "", 0.0), False),
}


@pytest.mark.parametrize(("case", "count"), SPOTTED.values(), ids=SPOTTED.keys())
def test_a_number_is_spotted_whole_or_not_at_all(case, count):
    passes = passes_of(*case)
    [*spans] = spot_numbers(number_scores(passes), passes.digits, passes.everyday)
    assert len(spans) == count
    assert all(start <= 100 and end >= 340 for start, end in spans)


@pytest.mark.parametrize(("pause", "count"), [(100, 1), (900, 2)])
def test_a_long_silence_ends_a_number(pause, count):
    words = [*decoded(NUMBER, -1.0), *decoded(NUMBER, -1.0, 340 + pause)]
    passes = DecodingPasses(1700, words, words, words, np.zeros(1700))
    assert len(list(spot_numbers(number_scores(passes), words, words))) == count


PREFIXES = {
    "letters": ("g. b. two nine", 60),
    "letters after another word": ("g. account two nine", 140),
    "no letter": ("the account is", 220),
}


@pytest.mark.parametrize(("text", "begins"), PREFIXES.values(), ids=PREFIXES.keys())
def test_an_account_number_begins_with_its_letters(text, begins):
    """Digits begin at frame 220; the words before them end there without a pause."""
    everyday = decoded(text, 0, 220 - 40 * len(text.split()))
    digits = decoded(" ".join([NUMBER, NUMBER]), -1.0, 220)
    scores = np.where(np.arange(FRAMES) < 220, -5.0, 5.0)
    [(start, _)] = spot_numbers(scores, digits, everyday)
    assert start == begins


def total(scores: np.ndarray, runs: list[tuple[int, int]]) -> float:
    return sum(float(scores[a:b].sum()) - number_spotting.RUN_COST for a, b in runs)


@given(st.lists(st.integers(-120, 120), max_size=7), st.data())
def test_no_other_runs_have_a_greater_total(values, data):
    scores = np.array(values, float)
    best = list(best_runs(scores))
    edges = sorted(data.draw(st.sets(st.integers(0, len(values)), max_size=6)))
    other = list(zip(edges[::2], edges[1::2], strict=False))
    assert total(scores, best) >= total(scores, other)
    assert all(a < b for a, b in best)
    assert best == sorted(best)
