"""Where numbers are said, from what four passes heard: scores, runs, and what is no number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veridact.locate.speech.recognizers import number_spotting
from veridact.locate.speech.recognizers.number_spotting import Heard, Passes, numbers, runs, scores

FRAMES = 700


def said(text: str, nats: float, start: int = 100) -> list[Heard]:
    """Words of 40 frames one after the other, each frame of them as likely as `nats` says."""
    return [Heard(w, start + 40 * i, start + 40 * i + 40, 40 * nats) for i, w in enumerate(text.split())]


def heard(words: str, everyday: str, digits: str, fit: float) -> Passes:
    """A stretch in which any sounds are at 0 nats a frame and digits fit as badly as `fit`."""
    return Passes(FRAMES, said(words, 0), said(everyday, 0), said(digits, fit), np.zeros(FRAMES))


NUMBER = "four zero one two eight eight"
FOUND = {
    "heard by all": ((NUMBER, NUMBER, NUMBER, -1.0), True),
    "the language model hears words": (("for her own to ate it", NUMBER, NUMBER, -1.0), True),
    "half of it misheard": (("for her own to ate it", "four her one to eight eight", NUMBER, -1.0), True),
    "words that sound like digits": (("for her own to ate it", "for her own to ate it", NUMBER, -3.5), False),
    "letters in any speech": (("if you are in a", "f. u. r. n. a. b.", NUMBER, -3.0), False),
    "too few digits": (("four zero one", "four zero one", "four zero one", -1.0), False),
    "silence": (("", "", "", 0.0), False),
}


@pytest.mark.parametrize(("passes", "found"), FOUND.values(), ids=FOUND.keys())
def test_a_number_is_found_whole_or_not_at_all(passes, found):
    given_passes = heard(*passes)
    [*spans] = numbers(scores(given_passes), given_passes.digits, given_passes.everyday)
    assert len(spans) == found
    assert all(start <= 100 and end >= 340 for start, end in spans)


@pytest.mark.parametrize(("pause", "count"), [(100, 1), (900, 2)])
def test_a_long_silence_ends_a_number(pause, count):
    words = [*said(NUMBER, -1.0), *said(NUMBER, -1.0, 340 + pause)]
    passes = Passes(1700, words, words, words, np.zeros(1700))
    assert len(list(numbers(scores(passes), words, words))) == count


BEFORE = {
    "letters": ("g. b. two nine", 60),
    "letters behind another word": ("g. account two nine", 140),
    "no letter": ("the account is", 220),
}


@pytest.mark.parametrize(("text", "begins"), BEFORE.values(), ids=BEFORE.keys())
def test_an_account_number_begins_with_its_letters(text, begins):
    """Digits begin at 220; what is heard right before them goes on without a pause."""
    everyday = said(text, 0, 220 - 40 * len(text.split()))
    digits = said(" ".join([NUMBER, NUMBER]), -1.0, 220)
    score = np.where(np.arange(FRAMES) < 220, -5.0, 5.0)
    [(start, _)] = numbers(score, digits, everyday)
    assert start == begins


def worth(score: np.ndarray, spans: list[tuple[int, int]]) -> float:
    return sum(float(score[a:b].sum()) - number_spotting.RUN_COST for a, b in spans)


@given(st.lists(st.integers(-120, 120), max_size=7), st.data())
def test_no_other_cut_into_runs_is_worth_more(values, data):
    score = np.array(values, float)
    best = list(runs(score))
    edges = sorted(data.draw(st.sets(st.integers(0, len(values)), max_size=6)))
    other = list(zip(edges[::2], edges[1::2], strict=False))
    assert worth(score, best) >= worth(score, other)
    assert all(a < b for a, b in best)
    assert best == sorted(best)
