"""The share of spoken numbers that is covered, and of other speech, for each voice and noise level.

    python -P benchmarks/speech.py [--recognizer NAME[:MODEL]] [--quick]

Speech is made by espeak-ng (Debian package `espeak-ng`), each part of a sentence on its own, so its times are exact.
"""

import argparse
import io
import os
import subprocess
import tempfile
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from veridact.locate.speech.pipeline import DEFAULT_AUDIO_LABELS, SpeechOptions, locate_speech
from veridact.locate.speech.ranges import overlap_ms
from veridact.media.video import open_media

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported, which a recogniser does
VOICES = ("en-us", "en-gb", "en-us+f2")
NOISES_DB = (None, 20, 10)
NUMBERS = ("card", "phone", "iban")
PARTS = (
    ("other", "thank you for calling, please wait a moment while I look for the right file."),
    ("other", "my credit card number is"),
    ("card", "four zero one two, eight eight eight eight, one two three four, five six seven four"),
    ("other", "and then we can go on with the rest of the order that you placed last week."),
    ("name", "my name is arthur pemberton."),
    ("other", "you can call me on this telephone number"),
    ("phone", "two one two, five five five, oh one, double four"),
    ("other", "could you tell me how long the delivery of the kitchen table is going to take?"),
    ("date", "I was born on the fourteenth of march nineteen eighty five."),
    ("other", "we walked along the river until the rain began and then we went home."),
    ("other", "the iban of the account is"),
    ("iban", "g b two nine, n w b k, six zero one six, one three three one, nine two six eight, one nine"),
    ("other", "there is nothing wrong with the printer but the paper was missing again."),
    ("address", "I live at twelve baker street in london."),
    ("other", "our customers usually prefer the smaller model because it is easier to carry around."),
    ("other", "the new telephone is"),
    ("phone", "six four six, nine three one, seven zero two eight"),
    ("other", "the other card has the number"),
    ("card", "five one zero five, one zero five one, zero five one zero, five one zero zero"),
    ("other", "she opened the window and listened to the birds singing in the garden behind the house."),
    ("other", "thank you very much and have a pleasant day."),
)


@dataclass(frozen=True)
class TimedPart:
    """A part of the scene and the half-open milliseconds in which it is spoken."""

    kind: str
    start_ms: int
    end_ms: int


def synthesize(text: str, voice: str) -> tuple[np.ndarray, int]:
    """Text as `(n,)` 16-bit samples without the silence around it, and their rate in Hz."""
    raw = subprocess.run(
        ["espeak-ng", "-v", voice, "-s", "150", "--stdout", text], capture_output=True, check=True
    ).stdout
    with wave.open(io.BytesIO(raw)) as source:
        rate = source.getframerate()
        samples = np.frombuffer(source.readframes(len(raw) // 2), np.int16)
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > 100)
    return samples[loud[0] : loud[-1] + 1], rate


def make_scene(voice: str, noise_db: int | None) -> tuple[np.ndarray, int, list[TimedPart]]:
    """The samples, rate and times of all parts one after another, 0.2 s apart, under white noise."""
    pieces, times, position, rate = [], [], 0, 22050
    for kind, text in PARTS:
        samples, rate = synthesize(text, voice)
        times.append(TimedPart(kind, position * 1000 // rate, (position + len(samples)) * 1000 // rate))
        pieces += [samples, np.zeros(rate // 5, np.int16)]
        position += len(samples) + rate // 5
    scene = np.concatenate(pieces) * 0.5
    if noise_db is not None:
        level = np.sqrt(np.mean(scene**2)) * 10 ** (-noise_db / 20)
        scene = scene + np.random.default_rng(11).normal(0, level, len(scene))
    return np.clip(scene, -32768, 32767).astype(np.int16), rate, times


def covered_shares(covered: list[tuple[int, int]], times: list[TimedPart]) -> dict[str, float]:
    """The covered share of the time of each kind of part."""
    kinds = dict.fromkeys(t.kind for t in times)
    spans = {kind: [(t.start_ms, t.end_ms) for t in times if t.kind == kind] for kind in kinds}
    return {k: overlap_ms(s, covered) / sum(b - a for a, b in s) for k, s in spans.items()}


def rows(recognizer: str, voices: tuple[str, ...], noises: tuple[int | None, ...]) -> Iterator[tuple[str, str, dict]]:
    """`(voice, noise, shares)` for every pair of them."""
    with tempfile.TemporaryDirectory() as folder:
        for voice in voices:
            for noise in noises:
                samples, rate, times = make_scene(voice, noise)
                path = Path(folder) / "scene.wav"
                with wave.open(str(path), "wb") as out:
                    out.setparams((1, 2, rate, 0, "NONE", "NONE"))
                    out.writeframes(samples.tobytes())
                with open_media(path) as media:
                    options = SpeechOptions(labels=(*DEFAULT_AUDIO_LABELS, "date", "location"), recognizer=recognizer)
                    result = locate_speech(media, options, lambda what, done, total: None)
                covered = [(r.start_ms, r.end_ms) for r in result.ranges]
                yield voice, "clean" if noise is None else f"{noise} dB", covered_shares(covered, times)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recognizer", default="pocketsphinx")
    parser.add_argument("--quick", action="store_true", help="the first voice, clean and at 20 dB only")
    given = parser.parse_args()
    columns = (*NUMBERS, "name", "date", "address", "other")
    print(f"{given.recognizer}: percent of the time covered\n")
    print("| voice | noise | " + " | ".join(columns) + " |")
    print("|---|---|" + "---|" * len(columns))
    voices, noises = (VOICES[:1], NOISES_DB[:2]) if given.quick else (VOICES, NOISES_DB)
    for voice, noise, share in rows(given.recognizer, voices, noises):
        print(f"| {voice} | {noise} | " + " | ".join(f"{100 * share[c]:.0f}" for c in columns) + " |", flush=True)


if __name__ == "__main__":
    main()
