"""Where a number is said: what four passes of a recogniser say for it, summed, and cut into runs.

    everyday  a digit, a letter or another word?          \\
    words     a digit?                                      > score of each 10 ms ──► runs
    digits    how much worse than any sounds do they fit?  /   (means over a second)

Any speech can be heard as digits, so no pass decides alone. The weights come from a logistic regression on synthetic
voices with and without noise, rounded; the bias is raised, for a number that is missed costs more than a word too much.
The benchmark of hearing runs on other sentences than those.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from veridact.locate.speech.number_words import NUMBER_WORDS

Floats = NDArray[np.float64]

DIGITS = ("zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "double", "triple")
LETTERS = tuple(f"{c}." for c in "abcdefghijklmnopqrstuvwxyz")
COUNTING = NUMBER_WORDS.union(DIGITS)

HALF_WINDOW = 50
"""Frames of 10 ms to either side of one that speak for it."""

DIGIT, LETTER, OTHER, SAID, FIT, BIAS = 1.5, -0.5, -4.5, 3.5, 1.5, 3.5
FIT_ZERO, FIT_LEAST, FIT_MOST = -2.5, -4.0, 3.0
"""Nats a frame behind any sounds at which a fit says nothing, and bounds of what it says."""

SILENCE = -0.2
"""The score of a frame without speech, so that three seconds of it end a number."""

RUN_COST = 60.0
LEAST_SCORE = 80.0
LEAST_PEAK = 3.0
"""What the best frame of a number must score: somewhere in it digits are heard well."""

LEAST_DIGITS = 5
LONG_NUMBER, MOST_BEFORE, BEFORE_FRAMES = 10, 8, 40
"""A number of so many digits may be an account number that begins with letters, so many and so close."""


@dataclass(frozen=True)
class Heard:
    """A word of a pass: half-open frames of 10 ms and the log likelihood of all of them together, in nats."""

    word: str
    start: int
    end: int
    nats: float

    @property
    def plain(self) -> str:
        """The word without the number of its pronunciation: `to(2)` is `to`."""
        return self.word.partition("(")[0]

    @property
    def is_spelled(self) -> bool:
        """Whether this is a digit or a letter."""
        return self.plain in COUNTING or self.plain in LETTERS

    @property
    def is_word(self) -> bool:
        """Whether this is no silence and no noise."""
        return self.word[0] not in "<[+"


def per_frame(words: Sequence[Heard], frames: int) -> Floats:
    """Log likelihood of each frame, spread evenly over each word."""
    spread = np.zeros(frames)
    for w in words:
        spread[w.start : w.end] = w.nats / (w.end - w.start)
    return spread


def excess(word: Heard, sounds: Floats) -> float:
    """How far a word is ahead of any sounds, in nats a frame; usually behind, so negative."""
    return (word.nats - float(sounds[word.start : word.end].sum())) / (word.end - word.start)


@dataclass(frozen=True)
class Passes:
    """What was heard in one stretch of `frames`; `sounds` is the log likelihood of any sounds, frame by frame."""

    frames: int
    words: Sequence[Heard]
    everyday: Sequence[Heard]
    digits: Sequence[Heard]
    sounds: Floats


def _marked(words: Sequence[Heard], frames: int, digit: float, letter: float, other: float) -> Floats:
    """What each kind of word says, over the frames in which it is heard."""
    marks = np.zeros(frames)
    for w in words:
        if w.is_word:
            marks[w.start : w.end] = digit if w.plain in COUNTING else letter if w.plain in LETTERS else other
    return marks


def _fit(heard: Passes) -> Floats:
    fit = np.zeros(heard.frames)
    for w in heard.digits:
        if w.is_word:
            fit[w.start : w.end] = min(FIT_MOST, max(FIT_LEAST, excess(w, heard.sounds) - FIT_ZERO))
    return fit


def _windowed(values: Floats) -> Floats:
    """The sum over the window around each frame."""
    sums = np.cumsum(np.concatenate([np.zeros(HALF_WINDOW + 1), values, np.zeros(HALF_WINDOW)]))
    return np.asarray(sums[2 * HALF_WINDOW + 1 :] - sums[: -2 * HALF_WINDOW - 1])


def scores(heard: Passes) -> Floats:
    """How much speaks for a number in each frame of a stretch; above 0 more than against it."""
    spoken = np.zeros(heard.frames)
    for w in (*heard.everyday, *heard.digits):
        if w.is_word:
            spoken[w.start : w.end] = 1
    evidence = (
        _marked(heard.everyday, heard.frames, DIGIT, LETTER, OTHER)
        + _marked(heard.words, heard.frames, SAID, 0.0, 0.0)
        + FIT * _fit(heard)
    )
    mean = _windowed(evidence * spoken) / np.maximum(_windowed(spoken), 1)
    return np.where(spoken > 0, mean + BIAS, SILENCE)


def runs(score: Floats) -> Iterator[tuple[int, int]]:
    """The half-open runs of frames whose scores, less `RUN_COST` a run, sum to the most; in order.

    Viterbi's algorithm over two states, outside and inside of a run.
    """
    outside, inside = 0.0, -RUN_COST
    ends = np.zeros(len(score) + 1, bool)
    begins = np.zeros(len(score), bool)
    for i, value in enumerate(score.tolist()):
        ends[i] = inside > outside
        begins[i] = outside - RUN_COST > inside
        outside, inside = max(outside, inside), max(inside, outside - RUN_COST) + value
    ends[-1] = inside > outside
    found: list[tuple[int, int]] = []
    end = len(score) if ends[-1] else None
    for i in range(len(score) - 1, -1, -1):
        if end is None:
            end = i if ends[i] else None
        elif begins[i]:
            found.append((i, end))
            end = i if ends[i] else None
    if end is not None:
        found.append((0, end))
    yield from reversed(found)


def numbers(score: Floats, digits: Sequence[Heard], everyday: Sequence[Heard]) -> Iterator[tuple[int, int]]:
    """The runs that are long and sure enough to be a number, widened to whole digits and by letters before them."""
    for start, end in runs(score):
        inside = [d for d in digits if 2 * (min(d.end, end) - max(d.start, start)) > d.end - d.start]
        sure = float(score[start:end].sum()) >= LEAST_SCORE and float(score[start:end].max()) >= LEAST_PEAK
        if len(inside) >= LEAST_DIGITS and sure:
            start, end = min(start, inside[0].start), max(end, inside[-1].end)
            if len(inside) >= LONG_NUMBER:
                start = _spelled_before(start, everyday)
            yield start, end


def _spelled_before(start: int, everyday: Sequence[Heard]) -> int:
    """Where the letters and digits begin that lead up to a frame without a pause or another word."""
    for w in [w for w in reversed(everyday) if w.start < start][:MOST_BEFORE]:
        if start - w.end > BEFORE_FRAMES or not w.is_spelled:
            break
        start = w.start
    return start
