"""Where somebody speaks: Silero's voice detector, from inside the wheel of faster-whisper, run by onnxruntime.

Thresholds and paddings are those that keep speech even under loud noise and mark neither noise, tones
nor silence. Sound goes through in order and is cut into stretches at silences, so memory does not grow with duration.
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
from veridact.locate.speech.recognizers.base import RATE_HZ, Sound, Stretch
from veridact.schema.manifest import Producer

HOP = 512
CONTEXT = 64
BATCH_HOPS = 256
START_SCORE = 0.3
STAY_SCORE = 0.15
PAD = RATE_HZ // 4
MIN_SILENCE = RATE_HZ * 6 // 10
LONGEST = RATE_HZ * 25
MODEL = "silero_vad_v6.onnx"


@dataclass(frozen=True)
class Scored:
    """Hops of 512 samples with the score of each; `start` counts samples from 0 ms."""

    start: int
    sound: Sound
    scores: NDArray[np.float32]


class Voice:
    """The detector; one state a channel, so `scored` may be called for several channels one after the other."""

    def __init__(self, identity: str) -> None:
        """Loads the model; raises `MissingModelError` where the package that carries it is not installed."""
        found = find_spec("faster_whisper")
        if found is None or not found.origin:
            raise MissingModelError("the voice detector is not installed: pip install 'veridact[locate]'")
        path = Path(found.origin).parent / "assets" / MODEL
        if not path.is_file():
            raise MissingModelError(f"faster-whisper lacks its {MODEL}; install version 1.2 of it again")
        import onnxruntime

        weights = path.read_bytes()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
        self.producer = Producer(
            id=identity,
            kind="model",
            name="silero-vad",
            version="6",
            weights_sha256=hashlib.sha256(weights).hexdigest(),
            runtime=f"onnxruntime {version('onnxruntime')}",
            settings={"start_permille": round(START_SCORE * 1000), "stay_permille": round(STAY_SCORE * 1000)},
        )

    def scored(self, source: Iterator[tuple[int, Sound]]) -> Iterator[Scored]:
        """Scores a channel in batches, gaps between its pieces filled with silence."""
        state = [np.zeros((1, 1, 128), np.float32)] * 2
        context = np.zeros(CONTEXT, np.float32)
        for start, sound in _batches(source):
            hops = (sound.astype(np.float32) / np.float32(32768)).reshape(-1, HOP)
            before = np.vstack([context, hops[:-1, -CONTEXT:]])
            context = hops[-1, -CONTEXT:]
            scores, *state = self._session.run(None, {"input": np.hstack([before, hops]), "h": state[0], "c": state[1]})
            yield Scored(start, sound, scores.reshape(-1))


def _batches(source: Iterator[tuple[int, Sound]]) -> Iterator[tuple[int, Sound]]:
    """Whole hops, many at a time; the last is filled up with silence."""
    size = HOP * BATCH_HOPS
    held = np.zeros(0, np.int16)
    begin: int | None = None
    for start, sound in source:
        begin = start if begin is None else begin
        missing = max(0, start - begin - len(held))
        while missing:
            fill = min(missing, size)
            held = np.concatenate([held, np.zeros(fill, np.int16)])
            missing -= fill
            while len(held) >= size:
                yield begin, held[:size]
                begin, held = begin + size, held[size:]
        held = np.concatenate([held, sound])
        while len(held) >= size:
            yield begin, held[:size]
            begin, held = begin + size, held[size:]
    if begin is not None and len(held):
        yield begin, np.concatenate([held, np.zeros(-len(held) % HOP, np.int16)])


@dataclass(frozen=True)
class Spoken:
    """A stretch to hear, and the half-open milliseconds inside it in which somebody speaks."""

    stretch: Stretch
    voiced_ms: tuple[tuple[int, int], ...]


class _Open:
    """A stretch that is still growing."""

    def __init__(self) -> None:
        self.start = 0
        self.pieces: list[Sound] = []
        self.flags: list[bool] = []

    def add(self, at: int, hop: Sound, voiced: bool) -> None:
        if not self.pieces:
            self.start = at
        self.pieces.append(hop)
        self.flags.append(voiced)

    def take(self, count: int) -> Spoken | None:
        """Closes the first `count` hops; what follows stays open."""
        sound, flags = np.concatenate(self.pieces[:count]), self.flags[:count]
        start, self.start = self.start, self.start + count * HOP
        self.pieces, self.flags = self.pieces[count:], self.flags[count:]
        if not any(flags):
            return None
        cut = max(0, -start)  # priming before 0 ms is never presented
        spans = [(a + start, b + start) for a, b in _runs(flags, len(sound))]
        return Spoken(
            Stretch((start + cut) * 1000 // RATE_HZ, sound[cut:]),
            tuple((max(0, a) * 1000 // RATE_HZ, -(-b * 1000 // RATE_HZ)) for a, b in spans if b > 0),
        )


def _runs(flags: list[bool], length: int) -> list[tuple[int, int]]:
    """Runs of voiced hops as samples, padded, overlapping ones joined."""
    edges = np.flatnonzero(np.diff([0, *map(int, flags), 0])) * HOP
    runs: list[tuple[int, int]] = []
    for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        a, b = max(0, a - PAD), min(length, b + PAD)
        if runs and a <= runs[-1][1]:
            runs[-1] = (runs[-1][0], b)
        else:
            runs.append((a, b))
    return runs


def stretches(source: Iterator[Scored]) -> Iterator[Spoken]:
    """Cuts scored sound at silences of 0.6 s, or at the least voiced hop where speech goes on for 25 s."""
    pad = -(-PAD // HOP)
    hold = max(2 * pad, MIN_SILENCE // HOP)
    opened, speaking, silent = _Open(), False, 0
    for part in source:
        for i, score in enumerate(part.scores.tolist()):
            speaking = score >= (STAY_SCORE if speaking else START_SCORE)
            silent = 0 if speaking else silent + 1
            opened.add(part.start + i * HOP, part.sound[i * HOP : (i + 1) * HOP], speaking)
            count = len(opened.flags)
            if silent >= hold and count >= hold:
                if (closed := opened.take(count - pad)) is not None:
                    yield closed
            elif count * HOP >= LONGEST:
                quiet = [i for i in range(count // 2, count - pad) if not opened.flags[i]]
                if (closed := opened.take((quiet[-1] + 1) if quiet else count)) is not None:
                    yield closed
    if opened.flags and (closed := opened.take(len(opened.flags))) is not None:
        yield closed
