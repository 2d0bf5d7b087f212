"""WhisperX (the extra `whisperx`): Whisper, then an alignment that times each word; on a processor or with CUDA."""

import os
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from veridact.errors import MissingModelError
from veridact.locate.speech.recognizers.base import Reading, RecognizerOptions, Stretch, Word, sound_as_float
from veridact.locate.speech.recognizers.transcript_file import words_of_segments
from veridact.sandbox.heartbeat import patience
from veridact.schema.manifest import Producer


class WhisperX:
    """A model and an aligner; words that the aligner cannot time stay without a time."""

    def __init__(self, producer: Producer, package: Any, model: Any, aligner: tuple[Any, Any], device: str) -> None:
        self.producer = producer
        self._package, self._model, self._aligner, self._device = package, model, aligner, device

    def hear(self, stretches: Iterable[Stretch]) -> tuple[Reading, ...]:
        """The aligned words of each stretch."""
        words: list[Word] = []
        for stretch in stretches:
            sound = sound_as_float(stretch.sound)
            with patience():
                segments = self._model.transcribe(sound, batch_size=1)["segments"]
                aligned = self._package.align(segments, *self._aligner, sound, self._device)
            words += words_of_segments(aligned["segments"], stretch.start_ms)
        return (tuple(words),)


def load(identity: str, options: RecognizerOptions) -> WhisperX:
    """The model that `options.model` names; raises `MissingModelError`; fetches nothing unless it may."""
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
    precision = "float16" if options.device == "cuda" else "int8"
    try:
        model = whisperx.load_model(
            options.model, options.device, compute_type=precision, language=options.language, vad_method="silero"
        )
        aligner = whisperx.load_align_model(language_code=options.language, device=options.device)
    except (RuntimeError, ValueError, OSError):
        raise MissingModelError(
            f"whisperx:{options.model}: the model, or the aligner for {options.language}, is not on this machine; "
            "--allow-download fetches them"
        ) from None
    producer = Producer(
        id=identity,
        kind="model",
        name="whisperx",
        version=version("whisperx"),
        settings={"language": options.language, "compute_type": precision},
    )
    return WhisperX(producer, whisperx, model, aligner, options.device)
