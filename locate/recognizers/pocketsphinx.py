"""The embedded recogniser: PocketSphinx with the English model that its wheel carries. It hears sound three times.

    language model ──► words                                 reading 0
    phone loop     ──► how well any sounds fit               (no reading)
    digit grammar  ──► digits, everywhere                    reading 1, where the gate says so

A digit grammar invents digits in any speech. The gate compares it with a yardstick, mostly the phone loop, which may
say anything, and the language model's pass: over a window of consecutive grammar words, the log likelihood of a frame
may on average lag behind by `GATE` nats and no more. Gate and share were chosen on synthetic and real recordings.
Where a long number passes, a model of letters and digits, all alike, listens again for the rest of an account number
right beside it. (As a grammar it would be 20 times slower.)
"""

import hashlib
import math
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locate.recognizer import RATE_HZ, Reading, RecognizerOptions, Sound, Stretch, Word
from locate.sound.spoken import NUMBER_WORDS
from schema.errors import MissingModelError, UsageError
from schema.manifest import Producer

FRAME_MS = 10
WINDOW_WORDS = 6
SHORTEST_RUN = 4
GATE = -2.05
EDGE = -3.0
"""Nats a frame behind the yardstick at which a word at the edge of a run is no part of it."""

EDGE_PAUSE_FRAMES = 100
LANGUAGE_SHARE = 0.35
"""How much of the yardstick is the language model's pass; the rest is the phone loop's."""

LONG_RUN = 9
LETTER_GATE = -1.7
"""Letters fit more of any speech than digits do, so they must fit better."""

BESIDE_FRAMES = 40
"""How far letters may stand from a long number and still belong to it."""

LONG_WORD = 5
SURE_WORD = 0.5
"""Letters and confidence from which a word of the language model shows that no digits were said there."""

HALF_SURE = -3.0
"""Nats a frame behind the phone loop at which a word is taken to be as likely right as wrong; a rough measure."""

FLOOR_RMS = 60
LEVEL_PEAK = 14_000
UNDERFLOW = -745.0
"""Nats below which a likelihood is 0 as a double."""

DIGITS = ("zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "double", "triple")
LETTERS = tuple(f"{c}." for c in "abcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True)
class Heard:
    """A word of a pass: half-open frames of 10 ms and the log likelihood of all of them together, in nats."""

    word: str
    start: int
    end: int
    nats: float


def _levelled(sound: Sound) -> Sound:
    """The sound at a usual level over a faint noise: perfect silence has no logarithm, and the model never met any.

    The noise is the same every time.
    """
    peak = max(1, int(np.abs(sound.astype(np.int32)).max(initial=0)))
    noise = np.random.default_rng(0).normal(0, FLOOR_RMS, len(sound))
    levelled: Sound = np.clip(sound * (LEVEL_PEAK / peak) + noise, -32768, 32767).astype(np.int16)
    return levelled


def _per_frame(words: Sequence[Heard], frames: int) -> NDArray[np.float64]:
    """Log likelihood of each frame, spread evenly over each word."""
    spread = np.zeros(frames)
    for w in words:
        spread[w.start : w.end] = w.nats / (w.end - w.start)
    return spread


def _is_word(word: Heard) -> bool:
    return word.word[0] not in "<[+"


def _plain(word: str) -> str:
    """A dictionary entry without the number of its pronunciation: `to(2)` is `to`."""
    return word.partition("(")[0]


def gated(words: Sequence[Heard], yardstick: NDArray[np.float64], gate: float) -> list[bool]:
    """Which grammar words belong to a window of them that fits nearly as well as the yardstick."""
    excess = [w.nats - float(yardstick[w.start : w.end].sum()) for w in words]
    length = [w.end - w.start for w in words]
    passed = [False] * len(words)
    for size in range(SHORTEST_RUN, WINDOW_WORDS + 1):
        for i in range(len(words) - size + 1):
            if sum(excess[i : i + size]) >= gate * sum(length[i : i + size]):
                passed[i : i + size] = [True] * size
    return passed


def trimmed(words: Sequence[Heard], yardstick: NDArray[np.float64]) -> list[Heard]:
    """The words without those at both edges of each run that fit badly: a window passes with its good words."""
    runs: list[list[Heard]] = []
    for word in words:
        if runs and word.start - runs[-1][-1].end < EDGE_PAUSE_FRAMES:
            runs[-1].append(word)
        else:
            runs.append([word])
    for run in runs:
        while run and _excess(run[0], yardstick) < EDGE:
            del run[0]
        while run and _excess(run[-1], yardstick) < EDGE:
            del run[-1]
    return [word for run in runs for word in run]


class PocketSphinx:
    """Three passes of one decoder over each stretch; see the module."""

    digits_only = frozenset({1})

    def __init__(self, producer: Producer, decoder: Any) -> None:
        self.producer = producer
        self._decoder = decoder
        decoder.add_allphone_file("phones", None)
        decoder.add_jsgf_string("digits", f"#JSGF V1.0; grammar digits; public <run> = ({' | '.join(DIGITS)})+;")
        self._spells = False

    def hear(self, stretches: Iterable[Stretch]) -> tuple[Reading, ...]:
        """Reading 0 holds words, reading 1 the digits (and letters beside them) that pass the gate."""
        said: list[Word] = []
        counted: list[Word] = []
        for stretch in stretches:
            sound = _levelled(stretch.sound)
            words = self._pass("_default", sound)
            frames = len(sound) * 100 // RATE_HZ + 100
            phones = _per_frame(self._pass("phones", sound), frames)
            yardstick = phones + LANGUAGE_SHARE * (_per_frame(words, frames) - phones)
            said += _timed([w for w in words if _is_word(w)], phones, stretch.start_ms)
            numbers = _unless_said(self._numbers(sound, yardstick), words, phones)
            counted += _timed(numbers, phones, stretch.start_ms)
        return tuple(said), tuple(counted)

    def _pass(self, search: str, sound: Sound) -> list[Heard]:
        decoder = self._decoder
        decoder.activate_search(search)
        decoder.start_utt()
        decoder.process_raw(sound.tobytes(), full_utt=True)
        decoder.end_utt()
        return [
            Heard(s.word, s.start_frame, s.end_frame + 1, math.log(s.ascore) if s.ascore > 0 else UNDERFLOW)
            for s in decoder.seg() or ()
            if s.end_frame >= s.start_frame
        ]

    def _numbers(self, sound: Sound, yardstick: NDArray[np.float64]) -> list[Heard]:
        """The digits that pass the gate; about long runs, what the grammar with letters makes of the surroundings."""
        words = [w for w in self._pass("digits", sound) if _is_word(w)]
        passed = trimmed([w for w, keep in zip(words, gated(words, yardstick, GATE), strict=True) if keep], yardstick)
        if len(passed) < LONG_RUN:
            return passed
        if not self._spells:
            _add_letters(self._decoder)
            self._spells = True
        spelled = [w for w in self._pass("letters", sound) if _is_word(w)]
        sure = [w for w, keep in zip(spelled, gated(spelled, yardstick, LETTER_GATE), strict=True) if keep]
        return _with_beside(passed, sure)


def _with_beside(digits: Sequence[Heard], spelled: Sequence[Heard]) -> list[Heard]:
    """Digits, and the spelled words in a chain with them in which nothing is further apart than `BESIDE_FRAMES`."""
    every = sorted([*digits, *spelled], key=lambda w: w.start)
    chains: list[list[Heard]] = []
    for word in every:
        if chains and word.start - max(w.end for w in chains[-1]) <= BESIDE_FRAMES:
            chains[-1].append(word)
        else:
            chains.append([word])
    certain = set(digits)
    kept = [w for chain in chains if sum(w in certain for w in chain) >= LONG_RUN for w in chain]
    outside = [w for w in kept if all(w.end <= d.start or w.start >= d.end for d in digits)]
    return sorted([*digits, *outside], key=lambda w: w.start)


def _unless_said(numbers: Sequence[Heard], words: Sequence[Heard], phones: NDArray[np.float64]) -> list[Heard]:
    """The numbers without those of which most lies under long words of another kind that are heard for certain."""
    said = np.zeros(len(phones), bool)
    for w in words:
        plain = _plain(w.word)
        if len(plain) >= LONG_WORD and plain not in NUMBER_WORDS and _is_word(w):
            said[w.start : w.end] = _confidence(_excess(w, phones)) >= SURE_WORD
    return [n for n in numbers if 2 * int(said[n.start : n.end].sum()) <= n.end - n.start]


def _excess(word: Heard, phones: NDArray[np.float64]) -> float:
    """How far a word is ahead of the phone loop, in nats a frame; usually behind, so negative."""
    return (word.nats - float(phones[word.start : word.end].sum())) / (word.end - word.start)


def _add_letters(decoder: Any) -> None:
    """Adds a unigram model, in the ARPA format, in which every digit and letter is as likely as any other."""
    words = (*DIGITS, *LETTERS)
    share = -math.log10(len(words) + 1)
    entries = [f"{share:.4f} </s>", "-99 <s>", *(f"{share:.4f} {word}" for word in words)]
    text = f"\\data\\\nngram 1={len(entries)}\n\n\\1-grams:\n" + "\n".join(entries) + "\n\n\\end\\\n"
    with tempfile.NamedTemporaryFile("w", suffix=".lm") as file:
        file.write(text)
        file.flush()
        decoder.add_lm_file("letters", file.name)


def _timed(words: Sequence[Heard], phones: NDArray[np.float64], offset_ms: int) -> list[Word]:
    """Words in milliseconds; the confidence falls from 1 to 0 as they fit worse than the phone loop."""
    return [
        Word(
            _plain(w.word).rstrip("."),
            offset_ms + w.start * FRAME_MS,
            offset_ms + w.end * FRAME_MS,
            _confidence(_excess(w, phones)),
        )
        for w in words
    ]


def _confidence(excess: float) -> float:
    return 1 / (1 + math.exp(min(50.0, max(-50.0, 2 * (HALF_SURE - excess)))))


def _weights_sha256(folder: Path) -> str:
    """One digest over the model: the sorted lines `path, NUL, sha256` of its files."""
    lines = []
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        lines.append(f"{file.relative_to(folder).as_posix()}\0{digest}\n")
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def load(identity: str, options: RecognizerOptions) -> PocketSphinx:
    """The embedded English recogniser; raises `MissingModelError` where the package is not installed."""
    if options.model is not None:
        raise UsageError("pocketsphinx brings its own model; ask for it without a colon")
    if options.language != "en":
        raise UsageError("pocketsphinx hears English only; give --recognizer faster-whisper:FOLDER for other languages")
    try:
        import pocketsphinx
    except ImportError:
        raise MissingModelError("pocketsphinx is not installed: pip install 'veridact[locate]'") from None
    decoder = pocketsphinx.Decoder(loglevel="FATAL")
    producer = Producer(
        id=identity,
        kind="model",
        name="pocketsphinx",
        version=version("pocketsphinx"),
        weights_sha256=_weights_sha256(Path(pocketsphinx.get_model_path())),
        settings={"gate_permille": round(GATE * 1000)},
    )
    return PocketSphinx(producer, decoder)
