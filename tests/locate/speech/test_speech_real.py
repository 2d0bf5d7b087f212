"""Real recordings: spoken digits by the embedded default, a name by a transcript."""

import json

import numpy as np
import pytest

from veridact.locate.speech.pipeline import SpeechOptions, locate_speech
from veridact.locate.speech.ranges import overlap_ms
from veridact.locate.speech.vad import VoiceActivityDetector, speech_segments
from veridact.media.video import open_media

pytestmark = pytest.mark.real_media


def quiet(what: str, done: int, total: int) -> None:
    """No progress."""


def covered_share(path, sound_16k) -> float:
    """The share of the speech that is covered in a recording of nothing but digits."""
    detected = speech_segments(VoiceActivityDetector("voice").score(iter([(0, sound_16k)])))
    voiced = [v for speech in detected for v in speech.voiced_ms]
    spoken = [(a + 250, b - 250) for a, b in voiced if b - a > 500]  # the detector pads by 250 ms
    with open_media(path) as media:
        result = locate_speech(media, SpeechOptions(), quiet)
    return overlap_ms(spoken, [(r.start_ms, r.end_ms) for r in result.ranges]) / sum(b - a for a, b in spoken)


def test_digits_of_a_speech_corpus_are_covered(real_media, write_wav, tmp_path):
    samples = np.frombuffer((real_media / "speech/pocketsphinx/dhd.2934z.raw").read_bytes(), "<i2")
    path = write_wav(tmp_path / "digits.wav", samples, 16000)
    assert covered_share(path, samples) >= 0.95


def test_three_digit_groups_are_covered(real_media):
    from veridact.locate.speech.audio import channel_samples

    path = real_media / "speech/vosk_test.wav"
    with open_media(path) as media:
        sound = np.concatenate([s for _, s in channel_samples(media, 0, 0, 0)])
    assert covered_share(path, sound) >= 0.9


def test_a_name_is_covered_within_80_ms_by_a_transcript(real_media, tmp_path):
    truth = json.loads((real_media / "GROUND_TRUTH.json").read_text())["speech"]
    [name] = [n for n in truth if n.endswith("-0870.wav")]
    entry = truth[name]
    words = [{"word": w, "start": a, "end": b} for w, a, b in entry["words"]]
    (tmp_path / "words.json").write_text(json.dumps({"segments": [{"words": words}]}))
    with open_media(real_media / name) as media:
        [found] = locate_speech(media, SpeechOptions(recognizer=f"words:{tmp_path / 'words.json'}"), quiet).ranges
    [person] = entry["pii"]
    assert found.label == "person_name"
    assert person["start"] * 1000 - 80 <= found.start_ms <= person["start"] * 1000
    assert person["end"] * 1000 <= found.end_ms <= person["end"] * 1000 + 80
