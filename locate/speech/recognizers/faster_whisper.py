"""Whisper by faster-whisper (CTranslate2, without torch): a converted model from a folder, or one to download."""

import hashlib
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from veridact.errors import MissingModelError
from veridact.locate.speech.recognizers.base import (
    Hypothesis,
    RecognizerOptions,
    SpeechSegment,
    Word,
    samples_as_float,
)
from veridact.sandbox.heartbeat import patience
from veridact.schema.manifest import Producer

WEIGHTS = "model.bin"


class FasterWhisper:
    """One model; each speech segment is transcribed without the text of earlier ones, so that none biases another."""

    def __init__(self, producer: Producer, model: Any, language: str) -> None:
        self.producer = producer
        self._model = model
        self._language = language

    def transcribe(self, segments: Iterable[SpeechSegment]) -> tuple[Hypothesis, ...]:
        """One hypothesis: the words of all segments, with the model's own probability as confidence."""
        words: list[Word] = []
        for segment in segments:
            with patience():
                outputs = list(self._model_outputs(segment))
            for output in outputs:
                for w in output.words or ():
                    start, end = (segment.start_ms + round(t * 1000) for t in (w.start, w.end))
                    words += [Word(part, start, end, float(w.probability)) for part in w.word.split()]
        return (tuple(words),)

    def _model_outputs(self, segment: SpeechSegment) -> Iterable[Any]:
        """The segments of Whisper, with word times in seconds, in one speech segment."""
        outputs: Iterable[Any] = self._model.transcribe(
            samples_as_float(segment.samples),
            language=self._language,
            word_timestamps=True,
            condition_on_previous_text=False,
            vad_filter=False,
        )[0]
        return outputs


def load(producer_id: str, options: RecognizerOptions) -> FasterWhisper:
    """Loads the model `options.model`; raises `MissingModelError` where the package or the model is missing."""
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
    compute_type = "float16" if options.device == "cuda" else "int8"
    try:
        model = faster_whisper.WhisperModel(
            options.model,
            device=options.device,
            compute_type=compute_type,
            local_files_only=not options.allow_download,
        )
    except (RuntimeError, ValueError, OSError):
        raise MissingModelError(
            f"faster-whisper:{options.model}: CTranslate2 cannot load this model; give a folder with a converted one"
        ) from None
    producer = Producer(
        id=producer_id,
        kind="model",
        name="faster-whisper",
        version=version("faster-whisper"),
        runtime=f"ctranslate2 {version('ctranslate2')}",
        settings={"language": options.language, "compute_type": compute_type},
        **_weights_sha256(weights),
    )
    return FasterWhisper(producer, model, options.language)


def _weights_sha256(weights: Path) -> dict[str, Any]:
    """The producer field with the digest of the weights; none for a model that the library keeps in its own cache."""
    if not weights.is_file():
        return {}
    with weights.open("rb") as file:
        return {"weights_sha256": hashlib.file_digest(file, "sha256").hexdigest()}
