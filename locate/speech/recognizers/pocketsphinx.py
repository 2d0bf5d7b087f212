"""The embedded recogniser: PocketSphinx with the English model that its wheel carries. It hears sound four times.

    words     the language model of the wheel           ──► reading 0
    everyday  digits, letters and everyday words, flat  ─┐
    digits    nothing but digits, flat                  ─┼► where numbers are said: a reading each
    phones    any sounds, the yardstick of the others   ─┘

`number_spotting` weighs them. In a flat model a word is as likely whatever was said before it; the language
model hears few digits in a row, for few were in what it has read.
"""

import hashlib
import math
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from veridact.errors import MissingModelError, UsageError
from veridact.locate.speech.recognizers.base import RATE_HZ, Reading, RecognizerOptions, Sound, Stretch, Word
from veridact.locate.speech.recognizers.number_spotting import (
    BIAS,
    DIGITS,
    LETTERS,
    SILENCE,
    Floats,
    Heard,
    Passes,
    excess,
    numbers,
    per_frame,
    scores,
)
from veridact.sandbox.heartbeat import beat
from veridact.schema.manifest import Producer

DICTIONARY = Path("en-us/cmudict-en-us.dict")
FRAME_MS = 10
EVERYDAY_WORDS = 1000
EVERYDAY_SHARE = 0.2
"""How likely an everyday word is beside a digit or a letter; among each other as the root of how common they are."""

END_SHARE = 0.01
"""How likely speech is to end after a word."""

SPELLED = 2
"""From so many letters on, a number is taken to be spelled."""

HALF_SURE = -3.0
"""Nats a frame behind any sounds at which a word is taken to be as likely right as wrong; a rough measure."""

FLOOR_RMS = 60
LEVEL_PEAK = 14_000
UNDERFLOW = -745.0
"""Nats below which a likelihood is 0 as a double."""


def _levelled(sound: Sound) -> Sound:
    """The sound at a usual level over a faint noise: perfect silence has no logarithm, and the model never met any.

    The noise is the same every time.
    """
    peak = max(1, int(np.abs(sound.astype(np.int32)).max(initial=0)))
    noise = np.random.default_rng(0).normal(0, FLOOR_RMS, len(sound))
    levelled: Sound = np.clip(sound * (LEVEL_PEAK / peak) + noise, -32768, 32767).astype(np.int16)
    return levelled


class PocketSphinx:
    """Four passes of one decoder over each stretch; see the module."""

    def __init__(self, producer: Producer, decoder: Any, dictionary: Path) -> None:
        self.producer = producer
        self._decoder = decoder
        decoder.add_allphone_file("phones", None)
        _add_flat(decoder, "digits", dict.fromkeys(DIGITS, 1.0))
        _add_flat(decoder, "everyday", _everyday(decoder, dictionary))

    def hear(self, stretches: Iterable[Stretch]) -> tuple[Reading, ...]:
        """Reading 0 holds words, each one after it a number."""
        said: list[Word] = []
        digits: list[Heard] = []
        everyday: list[Heard] = []
        heard: list[tuple[int, Floats, Floats]] = []
        for stretch in stretches:
            passes = self._passes(_levelled(stretch.sound))
            at = stretch.start_ms // FRAME_MS
            said += _timed([w for w in passes.words if w.is_word], passes.sounds, stretch.start_ms)
            digits += _later([w for w in passes.digits if w.is_word], at)
            everyday += _later([w for w in passes.everyday if w.is_word], at)
            heard.append((at, scores(passes), passes.sounds))
        score, sounds = _joined(heard)
        found = []
        for start, end in numbers(score, digits, everyday):
            inside = [_within(words, start, end) for words in (digits, [w for w in everyday if w.is_spelled])]
            found.append(tuple(_timed(_with_letters(*inside), sounds, 0)))
        return tuple(said), *found

    def _passes(self, sound: Sound) -> Passes:
        frames = len(sound) * 100 // RATE_HZ + 2
        words, everyday, digits, phones = (self._pass(s, sound) for s in ("_default", "everyday", "digits", "phones"))
        return Passes(frames, words, everyday, digits, per_frame(phones, frames))

    def _pass(self, search: str, sound: Sound) -> list[Heard]:
        decoder = self._decoder
        decoder.activate_search(search)
        decoder.start_utt()
        decoder.process_raw(sound.tobytes(), full_utt=True)
        decoder.end_utt()
        beat()
        return [
            Heard(s.word, s.start_frame, s.end_frame + 1, math.log(s.ascore) if s.ascore > 0 else UNDERFLOW)
            for s in decoder.seg() or ()
            if s.end_frame >= s.start_frame
        ]


def _later(words: Sequence[Heard], frames: int) -> list[Heard]:
    return [Heard(w.word, w.start + frames, w.end + frames, w.nats) for w in words]


def _within(words: Sequence[Heard], start: int, end: int) -> list[Heard]:
    """The words that lie in half-open frames, at least by half."""
    return [w for w in words if 2 * (min(w.end, end) - max(w.start, start)) > w.end - w.start]


def _with_letters(digits: Sequence[Heard], spelled: Sequence[Heard]) -> list[Heard]:
    """The digits; where letters were heard among them, what was spelled, and the digits that it leaves out."""
    if sum(w.plain in LETTERS for w in spelled) < SPELLED:
        return list(digits)
    missing = [d for d in digits if all(d.end <= w.start or d.start >= w.end for w in spelled)]
    return sorted([*spelled, *missing], key=lambda w: w.start)


def _joined(heard: Sequence[tuple[int, Floats, Floats]]) -> tuple[Floats, Floats]:
    """Scores and sounds of stretches on one line of frames from 0 ms; nothing is said between them."""
    frames = max((at + len(score) for at, score, _ in heard), default=0)
    scores_of, sounds_of = np.full(frames, SILENCE), np.zeros(frames)
    for at, score, sounds in heard:
        scores_of[at : at + len(score)] = score
        sounds_of[at : at + len(sounds)] = sounds
    return scores_of, sounds_of


def _everyday(decoder: Any, dictionary: Path) -> dict[str, float]:
    """Digits and letters, all alike, and the words that the language model of the decoder meets most, as weights."""
    with dictionary.open(encoding="utf-8") as file:
        listed = [line.split()[0] for line in file if line.strip()]
    model, base = decoder.get_lm("_default"), decoder.logmath
    plain = [w for w in listed if w[0].isalpha() and "(" not in w and w not in DIGITS and w not in LETTERS]
    common = sorted(((model.prob([w]), w) for w in plain), reverse=True)[:EVERYDAY_WORDS]
    roots = {word: math.exp(base.log_to_ln(log) / 2) for log, word in common}
    share = EVERYDAY_SHARE / (1 - EVERYDAY_SHARE) * len((*DIGITS, *LETTERS)) / sum(roots.values())
    return dict.fromkeys((*DIGITS, *LETTERS), 1.0) | {word: root * share for word, root in roots.items()}


def _add_flat(decoder: Any, name: str, weights: Mapping[str, float]) -> None:
    """Adds a model of words that do not depend on one another, in the ARPA format."""
    total = sum(weights.values())
    shares = {word: weight / total for word, weight in weights.items()} | {"</s>": END_SHARE}
    entries = ["-99 <s>", *(f"{math.log10(share):.4f} {word}" for word, share in shares.items())]
    text = f"\\data\\\nngram 1={len(entries)}\n\n\\1-grams:\n" + "\n".join(entries) + "\n\n\\end\\\n"
    with tempfile.NamedTemporaryFile("w", suffix=".lm") as file:
        file.write(text)
        file.flush()
        decoder.add_lm_file(name, file.name)


def _timed(words: Sequence[Heard], sounds: Floats, offset_ms: int) -> list[Word]:
    """Words in milliseconds; the confidence falls from 1 to 0 as they fit worse than any sounds."""
    return [
        Word(
            w.plain.rstrip("."),
            offset_ms + w.start * FRAME_MS,
            offset_ms + w.end * FRAME_MS,
            _confidence(excess(w, sounds)),
        )
        for w in words
    ]


def _confidence(ahead: float) -> float:
    return 1 / (1 + math.exp(min(50.0, max(-50.0, 2 * (HALF_SURE - ahead)))))


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
    model = Path(pocketsphinx.get_model_path())
    producer = Producer(
        id=identity,
        kind="model",
        name="pocketsphinx",
        version=version("pocketsphinx"),
        weights_sha256=_weights_sha256(model),
        settings={"number_bias_permille": round(BIAS * 1000)},
    )
    return PocketSphinx(producer, decoder, model / DICTIONARY)
