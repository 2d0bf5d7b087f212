"""The embedded recogniser: PocketSphinx with the English model in its wheel, decoding each segment in four passes.

    words     the language model of the wheel            ──► hypothesis 0
    everyday  digits, letters and everyday words         ─┐
    digits    nothing but digits                         ─┼► number spotting: a hypothesis each
    phones    a phone loop, the background of the others ─┘

`number_spotting` weighs them. The everyday and digit models are unigram models: a word is as likely whatever precedes
it. The language model recognises few digits in a row, for few were in the text that it was trained on.
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
from veridact.locate.speech.recognizers.base import (
    SAMPLE_RATE_HZ,
    Hypothesis,
    RecognizerOptions,
    Samples,
    SpeechSegment,
    Word,
)
from veridact.locate.speech.recognizers.number_spotting import (
    BIAS,
    DIGITS,
    LETTERS,
    SILENCE_SCORE,
    DecodedWord,
    DecodingPasses,
    Floats,
    frame_nats,
    log_likelihood_ratio,
    number_scores,
    spot_numbers,
    within,
)
from veridact.sandbox.heartbeat import beat
from veridact.schema.manifest import Producer

SEARCHES = ("_default", "everyday", "digits", "phones")
"""The names in the decoder of the four passes above; the language model of the wheel is its default search."""

DICTIONARY = Path("en-us/cmudict-en-us.dict")
FRAMES_PER_SECOND = 100
FRAME_MS = 1000 // FRAMES_PER_SECOND
EVERYDAY_WORDS = 1000
EVERYDAY_SHARE = 0.2
"""The probability of all everyday words together, beside digits and letters; among themselves they are weighted by the
square root of their probability in the language model."""

END_SHARE = 0.01
"""The probability of the end of speech after a word."""

MIN_LETTERS = 2
"""From this many letters on, a number is taken to be spelled with letters."""

EVEN_RATIO = -3.0
"""The log likelihood ratio to the background, in nats a frame, that gives a confidence of 0.5; a rough measure."""

NOISE_RMS = 60
PEAK_LEVEL = 14_000
MIN_NATS = -745.0
"""The logarithm of the least positive double: what stands for a likelihood of 0."""


def _normalize_level(samples: Samples) -> Samples:
    """The samples scaled to a usual peak level, with faint noise, the same every time.

    Digital silence has no logarithm, and the model was trained on none.
    """
    peak = max(1, int(np.abs(samples.astype(np.int32)).max(initial=0)))
    noise = np.random.default_rng(0).normal(0, NOISE_RMS, len(samples))
    normalized: Samples = np.clip(samples * (PEAK_LEVEL / peak) + noise, -32768, 32767).astype(np.int16)
    return normalized


class PocketSphinx:
    """One decoder with four searches; each speech segment is decoded with all of them."""

    def __init__(self, producer: Producer, decoder: Any, dictionary: Path) -> None:
        self.producer = producer
        self._decoder = decoder
        decoder.add_allphone_file("phones", None)
        _add_unigram_model(decoder, "digits", dict.fromkeys(DIGITS, 1.0))
        _add_unigram_model(decoder, "everyday", _everyday_weights(decoder, dictionary))

    def transcribe(self, segments: Iterable[SpeechSegment]) -> tuple[Hypothesis, ...]:
        """Hypothesis 0 holds the words; each later one is a number that was spotted."""
        words: list[Word] = []
        digits: list[DecodedWord] = []
        everyday: list[DecodedWord] = []
        scored: list[tuple[int, Floats, Floats]] = []
        for segment in segments:
            passes = self._decode_segment(_normalize_level(segment.samples))
            first_frame = segment.start_ms // FRAME_MS
            words += _to_words(passes.words, passes.background_nats, segment.start_ms)
            digits += _shifted(passes.digits, first_frame)
            everyday += _shifted(passes.everyday, first_frame)
            scored.append((first_frame, number_scores(passes), passes.background_nats))
        scores, background_nats = _concatenate(scored)
        spelled = [w for w in everyday if w.is_spelled]
        numbers = []
        for start, end in spot_numbers(scores, digits, everyday):
            characters = _with_letters(within(digits, start, end), within(spelled, start, end))
            numbers.append(tuple(_to_words(characters, background_nats, 0)))
        return tuple(words), *numbers

    def _decode_segment(self, samples: Samples) -> DecodingPasses:
        frame_count = len(samples) * FRAMES_PER_SECOND // SAMPLE_RATE_HZ + 2
        words, everyday, digits, phones = (self._decode(search, samples) for search in SEARCHES)
        return DecodingPasses(frame_count, words, everyday, digits, frame_nats(phones, frame_count))

    def _decode(self, search: str, samples: Samples) -> list[DecodedWord]:
        """The best path of one search over all the samples, silence and noise included."""
        decoder = self._decoder
        decoder.activate_search(search)
        decoder.start_utt()
        decoder.process_raw(samples.tobytes(), full_utt=True)
        decoder.end_utt()
        beat()
        return [
            DecodedWord(s.word, s.start_frame, s.end_frame + 1, math.log(s.ascore) if s.ascore > 0 else MIN_NATS)
            for s in decoder.seg() or ()
            if s.end_frame >= s.start_frame
        ]


def _shifted(words: Sequence[DecodedWord], frames: int) -> list[DecodedWord]:
    """The words without silence and noise, so many frames later."""
    return [DecodedWord(w.word, w.start_frame + frames, w.end_frame + frames, w.nats) for w in words if w.is_speech]


def _with_letters(digits: Sequence[DecodedWord], spelled: Sequence[DecodedWord]) -> list[DecodedWord]:
    """The digits; where enough letters are among what was spelled, that, and the digits that overlap none of it."""
    if sum(w.is_letter for w in spelled) < MIN_LETTERS:
        return list(digits)
    missing = [d for d in digits if all(d.end_frame <= w.start_frame or d.start_frame >= w.end_frame for w in spelled)]
    return sorted([*spelled, *missing], key=lambda w: w.start_frame)


def _concatenate(scored: Sequence[tuple[int, Floats, Floats]]) -> tuple[Floats, Floats]:
    """Scores and background of `(first frame, scores, background)` on one line of frames from 0 ms; else silence."""
    frame_count = max((first + len(scores) for first, scores, _ in scored), default=0)
    all_scores, all_nats = np.full(frame_count, SILENCE_SCORE), np.zeros(frame_count)
    for first, scores, nats in scored:
        all_scores[first : first + len(scores)] = scores
        all_nats[first : first + len(nats)] = nats
    return all_scores, all_nats


def _everyday_weights(decoder: Any, dictionary: Path) -> dict[str, float]:
    """Weight 1 for every digit and letter, and weights for the likeliest words of the decoder's language model."""
    with dictionary.open(encoding="utf-8") as file:
        entries = [line.split()[0] for line in file if line.strip()]
    model, base = decoder.get_lm("_default"), decoder.logmath
    candidates = [w for w in entries if w[0].isalpha() and "(" not in w and w not in DIGITS and w not in LETTERS]
    common = sorted(((model.prob([w]), w) for w in candidates), reverse=True)[:EVERYDAY_WORDS]
    roots = {word: math.exp(base.log_to_ln(log) / 2) for log, word in common}
    share = EVERYDAY_SHARE / (1 - EVERYDAY_SHARE) * len((*DIGITS, *LETTERS)) / sum(roots.values())
    return dict.fromkeys((*DIGITS, *LETTERS), 1.0) | {word: root * share for word, root in roots.items()}


def _add_unigram_model(decoder: Any, name: str, weights: Mapping[str, float]) -> None:
    """Adds a search with a unigram model of the weights, in the ARPA format."""
    total = sum(weights.values())
    shares = {word: weight / total for word, weight in weights.items()} | {"</s>": END_SHARE}
    entries = ["-99 <s>", *(f"{math.log10(share):.4f} {word}" for word, share in shares.items())]
    text = f"\\data\\\nngram 1={len(entries)}\n\n\\1-grams:\n" + "\n".join(entries) + "\n\n\\end\\\n"
    with tempfile.NamedTemporaryFile("w", suffix=".lm") as file:
        file.write(text)
        file.flush()
        decoder.add_lm_file(name, file.name)


def _to_words(decoded: Sequence[DecodedWord], background_nats: Floats, offset_ms: int) -> list[Word]:
    """The words without silence and noise, in milliseconds, with a confidence from their log likelihood ratio."""
    return [
        Word(
            w.text.rstrip("."),
            offset_ms + w.start_frame * FRAME_MS,
            offset_ms + w.end_frame * FRAME_MS,
            _confidence(log_likelihood_ratio(w, background_nats)),
        )
        for w in decoded
        if w.is_speech
    ]


def _confidence(ratio: float) -> float:
    """A logistic function of a log likelihood ratio: from 0 to 1, and 0.5 at `EVEN_RATIO`."""
    return 1 / (1 + math.exp(min(50.0, max(-50.0, 2 * (EVEN_RATIO - ratio)))))


def _weights_sha256(folder: Path) -> str:
    """One digest over the model: the sorted lines `path, NUL, sha256` of its files."""
    lines = []
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        lines.append(f"{file.relative_to(folder).as_posix()}\0{digest}\n")
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def load(producer_id: str, options: RecognizerOptions) -> PocketSphinx:
    """Loads the embedded English recogniser; raises `MissingModelError` where the package is not installed.

    Raises `UsageError` for a model or another language.
    """
    if options.model is not None:
        raise UsageError("pocketsphinx brings its own model; ask for it without a colon")
    if options.language != "en":
        raise UsageError(
            "pocketsphinx recognises English only; give --recognizer faster-whisper:FOLDER for other languages"
        )
    try:
        import pocketsphinx
    except ImportError:
        raise MissingModelError("pocketsphinx is not installed: pip install 'veridact[locate]'") from None
    decoder = pocketsphinx.Decoder(loglevel="FATAL")
    model = Path(pocketsphinx.get_model_path())
    producer = Producer(
        id=producer_id,
        kind="model",
        name="pocketsphinx",
        version=version("pocketsphinx"),
        weights_sha256=_weights_sha256(model),
        settings={"number_bias_permille": round(BIAS * 1000)},
    )
    return PocketSphinx(producer, decoder, model / DICTIONARY)
