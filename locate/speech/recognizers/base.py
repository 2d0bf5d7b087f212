"""Speech recognition: what a back end is, what it hears, and the table of those there are.

A back end hears one channel of one stream as *readings*. The first holds all the words that it made out. Each one after
it is one number, as the digits and letters of it, for a back end that listens for numbers on their own.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from veridact.errors import UsageError
from veridact.schema.manifest import Producer

RATE_HZ = 16_000
Sound = NDArray[np.int16]
"""Mono sound at `RATE_HZ`."""


@dataclass(frozen=True, slots=True)
class Word:
    """A heard word, half-open in milliseconds of the manifest; `text` never shows in a repr, so in no error either.

    `start_ms` and `end_ms` are None for a word without a time; `confidence` is from 0 to 1.
    """

    text: str = field(repr=False)
    start_ms: int | None
    end_ms: int | None
    confidence: float = 1.0


Reading = tuple[Word, ...]


@dataclass(frozen=True)
class Stretch:
    """A stretch of speech between two silences; `start_ms` is when its first sample sounds."""

    start_ms: int
    sound: Sound

    @property
    def end_ms(self) -> int:
        return self.start_ms + len(self.sound) * 1000 // RATE_HZ


@dataclass(frozen=True)
class RecognizerOptions:
    """How a back end is asked for: `model` is the part behind the colon, a path or a name."""

    model: str | None = None
    language: str = "en"
    device: str = "cpu"
    allow_download: bool = False


class Recognizer(Protocol):
    """A speech recogniser."""

    producer: Producer

    def hear(self, stretches: Iterable[Stretch]) -> tuple[Reading, ...]:
        """The words of one channel in order, and the numbers; takes all stretches, one at a time."""


RECOGNIZERS = {
    "pocketsphinx": "veridact.locate.speech.recognizers.pocketsphinx",
    "faster-whisper": "veridact.locate.speech.recognizers.faster_whisper",
    "whisperx": "veridact.locate.speech.recognizers.whisperx",
    "words": "veridact.locate.speech.recognizers.transcript_file",
}
"""Where each back end lives; its module has `load(identity, options)`."""

DEFAULT_RECOGNIZER = "pocketsphinx"


def load(spec: str, options: RecognizerOptions, identity: str) -> Recognizer:
    """The back end that `NAME[:MODEL]` asks for; raises `UsageError` for a name that is none."""
    name, _, model = spec.partition(":")
    if name not in RECOGNIZERS:
        raise UsageError(f"there is no recognizer {name!r}; choose from {', '.join(RECOGNIZERS)}")
    asked = RecognizerOptions(model or None, options.language, options.device, options.allow_download)
    loaded: Recognizer = import_module(RECOGNIZERS[name]).load(identity, asked)
    return loaded


def sound_as_float(sound: Sound) -> NDArray[np.float32]:
    """16-bit sound as floats from -1 to 1."""
    return sound.astype(np.float32) / np.float32(32768)
