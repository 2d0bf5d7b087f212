"""The interface of a speech recogniser, the types that it takes and returns, and the table of recognisers.

A recogniser transcribes one channel of one audio stream into *hypotheses*, sequences of timed words. The first has
every word that it recognised. Each later one has the digits and letters of a single number, from a recogniser that
spots numbers separately.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from veridact.errors import UsageError
from veridact.schema.manifest import Producer

SAMPLE_RATE_HZ = 16_000
Samples = NDArray[np.int16]
"""`(n,)` samples of mono audio at `SAMPLE_RATE_HZ`."""


@dataclass(frozen=True, slots=True)
class Word:
    """A recognised word, half-open in milliseconds of the manifest; its text is in no repr, so in no error either.

    `start_ms` and `end_ms` are None for a word without a time; `confidence` is from 0 to 1.
    """

    text: str = field(repr=False)
    start_ms: int | None
    end_ms: int | None
    confidence: float = 1.0


Hypothesis = tuple[Word, ...]
"""A sequence of recognised words in order of time."""


@dataclass(frozen=True)
class SpeechSegment:
    """The samples between two silences; `start_ms` is the time of the first sample, in milliseconds of the manifest."""

    start_ms: int
    samples: Samples


@dataclass(frozen=True)
class RecognizerOptions:
    """The options of a recogniser; `model` is what follows the colon in `NAME:MODEL`, a path or the name of a model."""

    model: str | None = None
    language: str = "en"
    device: str = "cpu"
    allow_download: bool = False


class Recognizer(Protocol):
    """A speech recogniser."""

    producer: Producer

    def transcribe(self, segments: Iterable[SpeechSegment]) -> tuple[Hypothesis, ...]:
        """The words of one channel, then a hypothesis for each number spotted; consumes the segments one by one."""


RECOGNIZERS = {
    "pocketsphinx": "veridact.locate.speech.recognizers.pocketsphinx",
    "faster-whisper": "veridact.locate.speech.recognizers.faster_whisper",
    "whisperx": "veridact.locate.speech.recognizers.whisperx",
    "words": "veridact.locate.speech.recognizers.transcript_file",
}
"""The module of each recogniser by its name; each module has `load(producer_id, options)`."""

DEFAULT_RECOGNIZER = "pocketsphinx"


def load(spec: str, options: RecognizerOptions, producer_id: str) -> Recognizer:
    """Loads the recogniser `NAME[:MODEL]`; the model of `spec` replaces that of `options`.

    Raises `UsageError` for an unknown name, and what the `load` of that recogniser raises.
    """
    name, _, model = spec.partition(":")
    if name not in RECOGNIZERS:
        raise UsageError(f"there is no recognizer {name!r}; choose from {', '.join(RECOGNIZERS)}")
    loaded: Recognizer = import_module(RECOGNIZERS[name]).load(producer_id, replace(options, model=model or None))
    return loaded


def samples_as_float(samples: Samples) -> NDArray[np.float32]:
    """16-bit samples as floats from -1 to 1."""
    return samples.astype(np.float32) / np.float32(32768)
