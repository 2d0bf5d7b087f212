"""Writing the transcript to a file, on explicit request only: it holds everything that is to be hidden."""

import os
from collections.abc import Iterable
from pathlib import Path

from veridact import atomic_write
from veridact.errors import MachineError, SafetyError
from veridact.locate.speech.recognizers.base import Hypothesis


def check_target(path: Path) -> None:
    """Raises `SafetyError` for a target that exists, before any work is done."""
    if os.path.lexists(path):
        raise SafetyError(f"--transcript {path}: exists; it is never overwritten, choose another name")


def write(path: Path, hypotheses: Iterable[tuple[int, int, int, Hypothesis]]) -> None:
    """Writes `(stream, channel, number of the hypothesis, words)` as tab-separated values, mode 0600, one word a line.

    A time that a word lacks is an empty field. Raises `MachineError` where the file cannot be written.
    """
    lines = ["stream\tchannel\treading\tstart_ms\tend_ms\tconfidence_permille\tword\n"]
    for stream, channel, number, words in hypotheses:
        for w in words:
            times = "\t".join("" if t is None else str(t) for t in (w.start_ms, w.end_ms))
            text = " ".join(w.text.split())
            lines.append(f"{stream}\t{channel}\t{number}\t{times}\t{round(w.confidence * 1000)}\t{text}\n")
    try:
        atomic_write.write_new(path, "".join(lines).encode(), 0o600)
    except OSError as e:
        raise MachineError(f"--transcript {path}: cannot be written ({e.strerror})") from None
