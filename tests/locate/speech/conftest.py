"""Speech synthesised by espeak-ng for the tests, and words with times."""

import io
import shutil
import subprocess
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from veridact.locate.speech.recognizers.base import Hypothesis, Word

Samples = np.ndarray[Any, Any]


@pytest.fixture(scope="session")
def synthesize() -> Callable[..., Samples]:
    """Text as 16-bit samples of 22050 Hz; skips where espeak-ng is not installed."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("needs espeak-ng: apt-get install espeak-ng")

    def synthesized(text: str, voice: str = "en-us") -> Samples:
        command = ["espeak-ng", "-v", voice, "-s", "150", "--stdout", text]
        raw = subprocess.run(command, capture_output=True, check=True).stdout
        with wave.open(io.BytesIO(raw)) as source:
            assert source.getframerate() == 22050
            return np.frombuffer(source.readframes(len(raw) // 2), np.int16)

    return synthesized


@pytest.fixture
def hypothesis() -> Callable[[str], Hypothesis]:
    """A sentence as words of 280 ms, one every 300 ms, with a confidence of 1."""
    return lambda text: tuple(Word(w, 300 * i, 300 * i + 280) for i, w in enumerate(text.split()))


@pytest.fixture(scope="session")
def write_wav() -> Callable[[Path, Samples, int], Path]:
    """Writes (n,) or (n, channels) samples as WAV."""

    def written(path: Path, samples: Samples, rate_hz: int) -> Path:
        with wave.open(str(path), "wb") as out:
            out.setparams((1 if samples.ndim == 1 else samples.shape[1], 2, rate_hz, 0, "NONE", "NONE"))
            out.writeframes(np.ascontiguousarray(samples).tobytes())
        return path

    return written
