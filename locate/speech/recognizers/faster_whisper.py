"""Whisper by faster-whisper (CTranslate2, without torch): a converted model by folder, or by name with a download."""

import hashlib
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from veridact.errors import MissingModelError
from veridact.locate.speech.recognizers.base import Reading, RecognizerOptions, Stretch, Word, sound_as_float
from veridact.sandbox.heartbeat import patience
from veridact.schema.manifest import Producer

WEIGHTS = "model.bin"


class FasterWhisper:
    """One model; every stretch is transcribed on its own, so that nothing said earlier colours it."""

    def __init__(self, producer: Producer, model: Any, language: str) -> None:
        self.producer = producer
        self._model = model
        self._language = language

    def hear(self, stretches: Iterable[Stretch]) -> tuple[Reading, ...]:
        """The words of each stretch, with the model's own probability as confidence."""
        words: list[Word] = []
        for stretch in stretches:
            with patience():
                segments = list(self._transcribed(stretch))
            for segment in segments:
                for w in segment.words or ():
                    start, end = (stretch.start_ms + round(t * 1000) for t in (w.start, w.end))
                    words += [Word(part, start, end, float(w.probability)) for part in w.word.split()]
        return (tuple(words),)

    def _transcribed(self, stretch: Stretch) -> Iterable[Any]:
        segments: Iterable[Any] = self._model.transcribe(
            sound_as_float(stretch.sound),
            language=self._language,
            word_timestamps=True,
            condition_on_previous_text=False,
            vad_filter=False,
        )[0]
        return segments


def load(identity: str, options: RecognizerOptions) -> FasterWhisper:
    """The model that `options.model` names; raises `MissingModelError`."""
    try:
        import faster_whisper
    except ImportError:
        raise MissingModelError("faster-whisper is not installed: pip install 'veridact[locate]'") from None
    if options.model is None:
        raise MissingModelError("faster-whisper needs a model: --recognizer faster-whisper:FOLDER with its model.bin")
    weights = Path(options.model) / WEIGHTS
    if not weights.is_file() and not options.allow_download:
        raise MissingModelError(
            f"faster-whisper:{options.model}: no folder with a {WEIGHTS}; get one from huggingface.co/Systran, or name "
            "a model with --allow-download"
        )
    precision = "float16" if options.device == "cuda" else "int8"
    try:
        model = faster_whisper.WhisperModel(
            options.model,
            device=options.device,
            compute_type=precision,
            local_files_only=not options.allow_download,
        )
    except (RuntimeError, ValueError, OSError):
        raise MissingModelError(f"faster-whisper:{options.model}: not a model that CTranslate2 can load") from None
    named: dict[str, Any] = {}
    if weights.is_file():
        with weights.open("rb") as file:
            named["weights_sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    producer = Producer(
        id=identity,
        kind="model",
        name="faster-whisper",
        version=version("faster-whisper"),
        runtime=f"ctranslate2 {version('ctranslate2')}",
        settings={"language": options.language, "compute_type": precision},
        **named,
    )
    return FasterWhisper(producer, model, options.language)
