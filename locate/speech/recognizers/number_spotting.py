"""Number spotting: a score for each frame of 10 ms from four decoding passes, and the runs of frames that are numbers.

    everyday  a digit, a letter or another word?                      \\
    words     a digit?                                                  > score of each 10 ms ──► runs
    digits    log likelihood ratio of the digits to the background     /   (means over a second)

Any speech can be decoded as digits, so no pass decides alone. The background is a phone loop, which fits any sound. The
weights come from a logistic regression on synthetic voices with and without noise, rounded; the bias is raised, because
a missed number costs more than a word covered without need. `benchmarks/speech.py` runs on other sentences than those.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from veridact.locate.speech.number_words import NUMBER_WORDS

Floats = NDArray[np.float64]

DIGITS = ("zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "double", "triple")
LETTERS = tuple(f"{c}." for c in "abcdefghijklmnopqrstuvwxyz")
NUMERALS = NUMBER_WORDS.union(DIGITS)

HALF_WINDOW_FRAMES = 50
"""A frame is scored by the mean over itself and this many frames on either side."""

DIGIT_WEIGHT, LETTER_WEIGHT, OTHER_WEIGHT = 1.5, -0.5, -4.5
"""Per frame of a word of the everyday pass, by its kind."""

WORDS_DIGIT_WEIGHT, FIT_WEIGHT, BIAS = 3.5, 1.5, 3.5
FIT_NEUTRAL, FIT_MIN, FIT_MAX = -2.5, -4.0, 3.0
"""The log likelihood ratio, in nats a frame, that counts neither for nor against digits, and the bounds of what is left
when it is subtracted."""

SILENCE_SCORE = -0.2
"""The score of a frame without speech, so that three seconds of it end a number."""

RUN_COST = 60.0
MIN_SCORE = 80.0
MIN_PEAK = 3.0
"""The least score of the best frame of a number: somewhere in it the digits are recognised well."""

MIN_DIGITS = 5
LONG_NUMBER_DIGITS, MAX_PREFIX_WORDS, MAX_PREFIX_GAP_FRAMES = 10, 8, 40
"""A number of so many digits may be an account number that begins with letters: at most so many, each so close."""


@dataclass(frozen=True)
class DecodedWord:
    """A word of one pass, half-open in frames of 10 ms; `nats` is the log likelihood of all its frames together."""

    word: str
    start_frame: int
    end_frame: int
    nats: float

    @property
    def text(self) -> str:
        """The word without the number of its pronunciation variant: `to(2)` is `to`."""
        return self.word.partition("(")[0]

    @property
    def is_letter(self) -> bool:
        """Whether this is the name of a letter."""
        return self.text in LETTERS

    @property
    def is_spelled(self) -> bool:
        """Whether this is a digit or a letter."""
        return self.text in NUMERALS or self.is_letter

    @property
    def is_speech(self) -> bool:
        """Whether this is a word, not silence or noise."""
        return self.word[0] not in "<[+"


def frame_nats(words: Sequence[DecodedWord], frame_count: int) -> Floats:
    """`(frame_count,)` log likelihood of each frame in nats, that of a word spread evenly over its frames."""
    spread = np.zeros(frame_count)
    for w in words:
        spread[w.start_frame : w.end_frame] = w.nats / (w.end_frame - w.start_frame)
    return spread


def log_likelihood_ratio(word: DecodedWord, background_nats: Floats) -> float:
    """How much better a word fits than the background, in nats a frame; mostly negative."""
    background = float(background_nats[word.start_frame : word.end_frame].sum())
    return (word.nats - background) / (word.end_frame - word.start_frame)


@dataclass(frozen=True)
class DecodingPasses:
    """The results of the passes over one speech segment; `background_nats` is `(frame_count,)`."""

    frame_count: int
    words: Sequence[DecodedWord]
    everyday: Sequence[DecodedWord]
    digits: Sequence[DecodedWord]
    background_nats: Floats


def _frame_weights(words: Sequence[DecodedWord], frame_count: int, digit: float, letter: float, other: float) -> Floats:
    """The weight of the kind of word that each frame is in; 0 for frames in no word."""
    weights = np.zeros(frame_count)
    for w in words:
        if w.is_speech:
            weights[w.start_frame : w.end_frame] = digit if w.text in NUMERALS else letter if w.is_letter else other
    return weights


def _digit_fit(passes: DecodingPasses) -> Floats:
    """For each frame the log likelihood ratio of its digit, less the neutral one, within bounds; 0 in no digit."""
    fit = np.zeros(passes.frame_count)
    for w in passes.digits:
        if w.is_speech:
            ratio = log_likelihood_ratio(w, passes.background_nats)
            fit[w.start_frame : w.end_frame] = min(FIT_MAX, max(FIT_MIN, ratio - FIT_NEUTRAL))
    return fit


def _window_sums(values: Floats) -> Floats:
    """The sum over the window around each frame."""
    sums = np.cumsum(np.concatenate([np.zeros(HALF_WINDOW_FRAMES + 1), values, np.zeros(HALF_WINDOW_FRAMES)]))
    return np.asarray(sums[2 * HALF_WINDOW_FRAMES + 1 :] - sums[: -2 * HALF_WINDOW_FRAMES - 1])


def number_scores(passes: DecodingPasses) -> Floats:
    """`(frame_count,)` scores: above 0 where more evidence speaks for a number than against it."""
    speech = np.zeros(passes.frame_count)
    for w in (*passes.everyday, *passes.digits):
        if w.is_speech:
            speech[w.start_frame : w.end_frame] = 1
    evidence = (
        _frame_weights(passes.everyday, passes.frame_count, DIGIT_WEIGHT, LETTER_WEIGHT, OTHER_WEIGHT)
        + _frame_weights(passes.words, passes.frame_count, WORDS_DIGIT_WEIGHT, 0.0, 0.0)
        + FIT_WEIGHT * _digit_fit(passes)
    )
    mean = _window_sums(evidence * speech) / np.maximum(_window_sums(speech), 1)
    return np.where(speech > 0, mean + BIAS, SILENCE_SCORE)


def best_runs(scores: Floats) -> Iterator[tuple[int, int]]:
    """The half-open runs of frames with the greatest sum of scores, less `RUN_COST` a run; in order.

    Viterbi's algorithm over two states, outside and inside a run.
    """
    outside, inside = 0.0, -RUN_COST
    ends = np.zeros(len(scores) + 1, bool)
    begins = np.zeros(len(scores), bool)
    for i, score in enumerate(scores.tolist()):
        ends[i] = inside > outside
        begins[i] = outside - RUN_COST > inside
        outside, inside = max(outside, inside), max(inside, outside - RUN_COST) + score
    ends[-1] = inside > outside
    runs: list[tuple[int, int]] = []
    end = len(scores) if ends[-1] else None
    for i in range(len(scores) - 1, -1, -1):
        if end is None:
            end = i if ends[i] else None
        elif begins[i]:
            runs.append((i, end))
            end = i if ends[i] else None
    if end is not None:
        runs.append((0, end))
    yield from reversed(runs)


def within(words: Sequence[DecodedWord], start_frame: int, end_frame: int) -> list[DecodedWord]:
    """The words of which more than half lies in half-open frames."""
    return [
        w
        for w in words
        if 2 * (min(w.end_frame, end_frame) - max(w.start_frame, start_frame)) > w.end_frame - w.start_frame
    ]


def spot_numbers(
    scores: Floats, digits: Sequence[DecodedWord], everyday: Sequence[DecodedWord]
) -> Iterator[tuple[int, int]]:
    """The half-open runs of frames that are a number: enough digits, and a high enough score in sum and at its peak.

    Each is widened to whole digits, and a long one by the letters before it.
    """
    for start, end in best_runs(scores):
        inside = within(digits, start, end)
        likely = float(scores[start:end].sum()) >= MIN_SCORE and float(scores[start:end].max()) >= MIN_PEAK
        if len(inside) >= MIN_DIGITS and likely:
            start, end = min(start, inside[0].start_frame), max(end, inside[-1].end_frame)
            if len(inside) >= LONG_NUMBER_DIGITS:
                start = _prefix_start(start, everyday)
            yield start, end


def _prefix_start(start: int, everyday: Sequence[DecodedWord]) -> int:
    """The frame where the letters and digits begin that lead up to `start` without a pause or another word."""
    for w in [w for w in reversed(everyday) if w.start_frame < start][:MAX_PREFIX_WORDS]:
        if start - w.end_frame > MAX_PREFIX_GAP_FRAMES or not w.is_spelled:
            break
        start = w.start_frame
    return start
