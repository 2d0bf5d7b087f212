"""WhisperX (the extra `whisperx`): Whisper, then forced alignment that times each word; on a processor or with CUDA."""

import os
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
from veridact.locate.speech.recognizers.transcript_file import words_of_segments
from veridact.sandbox.heartbeat import patience
from veridact.schema.manifest import Producer


class WhisperX:
    """A model and an aligner; words that the aligner cannot time stay without a time."""

    def __init__(self, producer: Producer, package: Any, model: Any, aligner: tuple[Any, Any], device: str) -> None:
        self.producer = producer
        self._package, self._model, self._aligner, self._device = package, model, aligner, device

    def transcribe(self, segments: Iterable[SpeechSegment]) -> tuple[Hypothesis, ...]:
        """One hypothesis: the aligned words of all segments."""
        words: list[Word] = []
        for segment in segments:
            samples = samples_as_float(segment.samples)
            with patience():
                outputs = self._model.transcribe(samples, batch_size=1)["segments"]
                aligned = self._package.align(outputs, *self._aligner, samples, self._device)
            words += words_of_segments(aligned["segments"], segment.start_ms)
        return (tuple(words),)


def load(producer_id: str, options: RecognizerOptions) -> WhisperX:
    """Loads the model `options.model` and the aligner of its language; downloads nothing unless `allow_download`.

    Raises `MissingModelError` where the package, the model or the aligner is missing.
    """
    if options.model is None:
        raise MissingModelError("whisperx needs a model: --recognizer whisperx:FOLDER, or a name with --allow-download")
    if not options.allow_download:
        if not Path(options.model).is_dir():
            raise MissingModelError(
                f"whisperx:{options.model}: no such folder; give a model's folder, or its name with --allow-download"
            )
        os.environ["HF_HUB_OFFLINE"] = "1"  # read when the libraries below are first imported
    try:
        import whisperx
    except ImportError:
        raise MissingModelError("whisperx is not installed: pip install 'veridact[whisperx]'") from None
    compute_type = "float16" if options.device == "cuda" else "int8"
    try:
        model = whisperx.load_model(
            options.model, options.device, compute_type=compute_type, language=options.language, vad_method="silero"
        )
        aligner = whisperx.load_align_model(language_code=options.language, device=options.device)
    except (RuntimeError, ValueError, OSError):
        raise MissingModelError(
            f"whisperx:{options.model}: the model, or the aligner for {options.language}, is not on this machine; "
            "--allow-download fetches them"
        ) from None
    producer = Producer(
        id=producer_id,
        kind="model",
        name="whisperx",
        version=version("whisperx"),
        settings={"language": options.language, "compute_type": compute_type},
    )
    return WhisperX(producer, whisperx, model, aligner, options.device)
