"""Voice activity detection: Silero VAD, from inside the wheel of faster-whisper, run by onnxruntime.

Its thresholds and pads keep speech even under loud noise and mark neither noise, tones nor silence. The audio passes
through in order and is cut into speech segments at silences, so memory does not grow with its duration.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veridact.errors import MissingModelError
from veridact.locate.speech.recognizers.base import SAMPLE_RATE_HZ, Samples, SpeechSegment, samples_as_float
from veridact.schema.manifest import Producer

HOP_SAMPLES = 512
CONTEXT_SAMPLES = 64
BATCH_HOPS = 256
START_SCORE = 0.3
STAY_SCORE = 0.15
"""Hysteresis: speech starts at a hop of the first score and goes on over hops of the second."""

PAD_SAMPLES = SAMPLE_RATE_HZ // 4
MIN_SILENCE_SAMPLES = SAMPLE_RATE_HZ * 6 // 10
MAX_SEGMENT_SAMPLES = SAMPLE_RATE_HZ * 25
MODEL = "silero_vad_v6.onnx"


@dataclass(frozen=True)
class ScoredHops:
    """Hops of 512 samples with a score each; `start` is the number of the first sample, counted from 0 ms."""

    start: int
    samples: Samples
    scores: NDArray[np.float32]


class VoiceActivityDetector:
    """The loaded model; it keeps no state between calls of `score`, so channels may follow one another."""

    def __init__(self, producer_id: str) -> None:
        """Loads the model; raises `MissingModelError` where the package that carries it is not installed."""
        package = find_spec("faster_whisper")
        if package is None or not package.origin:
            raise MissingModelError("the voice activity detector is not installed: pip install 'veridact[locate]'")
        path = Path(package.origin).parent / "assets" / MODEL
        if not path.is_file():
            raise MissingModelError(f"faster-whisper lacks its {MODEL}; install version 1.2 of it again")
        import onnxruntime

        weights = path.read_bytes()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
        self.producer = Producer(
            id=producer_id,
            kind="model",
            name="silero-vad",
            version="6",
            weights_sha256=hashlib.sha256(weights).hexdigest(),
            runtime=f"onnxruntime {version('onnxruntime')}",
            settings={"start_permille": round(START_SCORE * 1000), "stay_permille": round(STAY_SCORE * 1000)},
        )

    def score(self, blocks: Iterator[tuple[int, Samples]]) -> Iterator[ScoredHops]:
        """Scores a channel, given as `(start sample, samples)`, in batches; gaps between blocks count as silence."""
        state = [np.zeros((1, 1, 128), np.float32)] * 2
        context = np.zeros(CONTEXT_SAMPLES, np.float32)
        for start, samples in _batches(blocks):
            hops = samples_as_float(samples).reshape(-1, HOP_SAMPLES)
            contexts = np.vstack([context, hops[:-1, -CONTEXT_SAMPLES:]])
            context = hops[-1, -CONTEXT_SAMPLES:]
            inputs = {"input": np.hstack([contexts, hops]), "h": state[0], "c": state[1]}
            scores, *state = self._session.run(None, inputs)
            yield ScoredHops(start, samples, scores.reshape(-1))


def _batches(blocks: Iterator[tuple[int, Samples]]) -> Iterator[tuple[int, Samples]]:
    """The blocks as batches of whole hops, gaps filled with silence; the last is padded with silence to a whole hop."""
    size = HOP_SAMPLES * BATCH_HOPS
    buffer = np.zeros(0, np.int16)
    buffer_start: int | None = None
    for start, samples in blocks:
        buffer_start = start if buffer_start is None else buffer_start
        missing = max(0, start - buffer_start - len(buffer))
        while missing:
            fill = min(missing, size)
            buffer = np.concatenate([buffer, np.zeros(fill, np.int16)])
            missing -= fill
            while len(buffer) >= size:
                yield buffer_start, buffer[:size]
                buffer_start, buffer = buffer_start + size, buffer[size:]
        buffer = np.concatenate([buffer, samples])
        while len(buffer) >= size:
            yield buffer_start, buffer[:size]
            buffer_start, buffer = buffer_start + size, buffer[size:]
    if buffer_start is not None and len(buffer):
        yield buffer_start, np.concatenate([buffer, np.zeros(-len(buffer) % HOP_SAMPLES, np.int16)])


@dataclass(frozen=True)
class DetectedSpeech:
    """A speech segment and the half-open milliseconds inside it that are voiced."""

    segment: SpeechSegment
    voiced_ms: tuple[tuple[int, int], ...]


class _SegmentBuffer:
    """The hops of a segment that is not complete yet, and for each whether it is voiced."""

    def __init__(self) -> None:
        self.start = 0
        self.hops: list[Samples] = []
        self.voiced: list[bool] = []

    def append(self, start: int, hop: Samples, voiced: bool) -> None:
        """Adds one hop; `start` is the number of its first sample."""
        if not self.hops:
            self.start = start
        self.hops.append(hop)
        self.voiced.append(voiced)

    def take(self, count: int) -> DetectedSpeech | None:
        """Removes the first `count` hops and returns them as a segment; None if none of them is voiced."""
        samples, voiced = np.concatenate(self.hops[:count]), self.voiced[:count]
        start, self.start = self.start, self.start + count * HOP_SAMPLES
        self.hops, self.voiced = self.hops[count:], self.voiced[count:]
        if not any(voiced):
            return None
        skip = max(0, -start)  # priming before 0 ms is never presented
        runs = [(a + start, b + start) for a, b in _padded_runs(voiced, len(samples))]
        return DetectedSpeech(
            SpeechSegment((start + skip) * 1000 // SAMPLE_RATE_HZ, samples[skip:]),
            tuple((max(0, a) * 1000 // SAMPLE_RATE_HZ, -(-b * 1000 // SAMPLE_RATE_HZ)) for a, b in runs if b > 0),
        )


def _padded_runs(voiced: list[bool], length: int) -> list[tuple[int, int]]:
    """Runs of voiced hops as half-open samples, padded within `length`, overlapping ones merged."""
    edges = np.flatnonzero(np.diff([0, *map(int, voiced), 0])) * HOP_SAMPLES
    runs: list[tuple[int, int]] = []
    for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        a, b = max(0, a - PAD_SAMPLES), min(length, b + PAD_SAMPLES)
        if runs and a <= runs[-1][1]:
            runs[-1] = (runs[-1][0], b)
        else:
            runs.append((a, b))
    return runs


def speech_segments(batches: Iterator[ScoredHops]) -> Iterator[DetectedSpeech]:
    """Cuts scored audio into segments at silences of 0.6 s.

    Where speech goes on for 25 s, at the last unvoiced hop in the second half of it, or at 25 s if there is none.
    """
    pad_hops = -(-PAD_SAMPLES // HOP_SAMPLES)
    silence_hops = max(2 * pad_hops, MIN_SILENCE_SAMPLES // HOP_SAMPLES)
    buffer, speaking, silent = _SegmentBuffer(), False, 0
    for batch in batches:
        for i, score in enumerate(batch.scores.tolist()):
            speaking = score >= (STAY_SCORE if speaking else START_SCORE)
            silent = 0 if speaking else silent + 1
            hop = batch.samples[i * HOP_SAMPLES : (i + 1) * HOP_SAMPLES]
            buffer.append(batch.start + i * HOP_SAMPLES, hop, speaking)
            count = len(buffer.voiced)
            if silent >= silence_hops and count >= silence_hops:
                if (speech := buffer.take(count - pad_hops)) is not None:
                    yield speech
            elif count * HOP_SAMPLES >= MAX_SEGMENT_SAMPLES:
                unvoiced = [n for n in range(count // 2, count - pad_hops) if not buffer.voiced[n]]
                if (speech := buffer.take((unvoiced[-1] + 1) if unvoiced else count)) is not None:
                    yield speech
    if buffer.voiced and (speech := buffer.take(len(buffer.voiced))) is not None:
        yield speech
