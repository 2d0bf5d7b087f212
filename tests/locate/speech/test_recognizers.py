"""Recognisers without their models: transcript files, and adapters over outputs of the documented shape."""

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from veridact.errors import MissingModelError, UsageError
from veridact.locate.speech.recognizers.base import RecognizerOptions, SpeechSegment, Word, load
from veridact.locate.speech.recognizers.faster_whisper import FasterWhisper
from veridact.locate.speech.recognizers.whisperx import WhisperX
from veridact.schema.manifest import Producer

PRODUCER = Producer(id="heard", kind="model", name="recorded", settings={})
SEGMENT = SpeechSegment(5000, np.zeros(16000, np.int16))
OPTIONS = RecognizerOptions()

FILES = {
    "whisperx.json": (
        {"segments": [{"start": 0.2, "end": 1.6, "text": "john 5", "words": [
            {"word": "John", "start": 0.63, "end": 0.98, "score": 0.9}, {"word": "5"}]}]},
        [("John", 630, 980, 0.9), ("5", None, None, 1.0)],
    ),
    "whisper.json": (
        {"text": "hi", "segments": [{"id": 0, "start": 0.0, "end": 1.0, "text": " hi you", "words": [
            {"word": " hi", "start": 0.0, "end": 0.4, "probability": 0.5}]}]},
        [("hi", 0, 400, 0.5)],
    ),
    "without-words.json": (
        {"segments": [{"start": 1, "end": 2, "text": "two words"}]},
        [("two", 1000, 2000, 1.0), ("words", 1000, 2000, 1.0)],
    ),
    "a.ctm": (";; comment\nrec 1 0.50 0.25 hello 0.8\nrec 1 0.10 0.20 oh\n",
              [("oh", 100, 300, 1.0), ("hello", 500, 750, 0.8)]),
    "a.vtt": ("WEBVTT\n\n00:01.000 --> 00:02.500\n<v Ann>hello <b>you</b>\n\n01:00:00.000 --> 01:00:01.000\nlate\n",
              [("hello", 1000, 2500, 1.0), ("you", 1000, 2500, 1.0), ("late", 3_600_000, 3_601_000, 1.0)]),
    "a.srt": ("1\n00:00:01,000 --> 00:00:02,000\nhello\n\n2\n00:00:03,000 --> 00:00:04,000\nyou\n",
              [("hello", 1000, 2000, 1.0), ("you", 3000, 4000, 1.0)]),
}  # fmt: skip


def fields(words: tuple[Word, ...]) -> list[tuple[str, int | None, int | None, float]]:
    return [(w.text, w.start_ms, w.end_ms, w.confidence) for w in words]


@pytest.mark.parametrize("name", FILES)
def test_a_transcript_in_a_file(name, tmp_path: Path):
    content, expected = FILES[name]
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    [hypothesis] = load(f"words:{path}", OPTIONS, "heard").transcribe([SEGMENT])
    assert fields(hypothesis) == expected


BROKEN = {
    "a.json": '{"segments": [{"words": [{"word": 7, "secret": "hunter2"}]}]}',
    "b.json": "hunter2",
    "a.ctm": "hunter2",
    "a.vtt": "hunter2",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_transcript_is_refused_and_not_quoted(name, tmp_path: Path):
    (tmp_path / name).write_text(BROKEN[name])
    with pytest.raises(UsageError) as refused:
        load(f"words:{tmp_path / name}", OPTIONS, "heard")
    assert "hunter2" not in str(refused.value)


REFUSED = {
    "unknown": ("siri", UsageError, "choose from"),
    "no file": ("words", UsageError, "words:FILE"),
    "no such kind": ("words:a.doc", UsageError, ".json"),
    "no model": ("faster-whisper", MissingModelError, "FOLDER"),
    "no such model": ("faster-whisper:nowhere", MissingModelError, "--allow-download"),
    "no such whisperx": ("whisperx:nowhere", MissingModelError, "--allow-download"),
    "pocketsphinx takes none": ("pocketsphinx:x", UsageError, "own model"),
}


@pytest.mark.parametrize(("spec", "error", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_says_what_to_do(spec, error, says):
    with pytest.raises(error, match=says):
        load(spec, OPTIONS, "heard")


def test_another_language_needs_another_recognizer():
    with pytest.raises(UsageError, match="English only"):
        load("pocketsphinx", RecognizerOptions(language="de"), "heard")


def test_words_never_show_in_a_repr():
    assert "hunter2" not in repr(Word("hunter2", 0, 1))


def test_faster_whisper_requests_word_times_and_offsets_them():
    options_seen = {}

    def transcribe(sound, **options):
        options_seen.update(options, length=len(sound), kind=str(sound.dtype))
        word = SimpleNamespace(word=" 4012", start=0.5, end=0.75, probability=0.25)
        return iter([SimpleNamespace(words=[word]), SimpleNamespace(words=None)]), SimpleNamespace(language="en")

    model = FasterWhisper(PRODUCER, SimpleNamespace(transcribe=transcribe), "en")
    assert fields(model.transcribe([SEGMENT])[0]) == [("4012", 5500, 5750, 0.25)]
    assert options_seen == {"language": "en", "word_timestamps": True, "condition_on_previous_text": False,
                     "vad_filter": False, "length": 16000, "kind": "float32"}  # fmt: skip


def test_whisperx_aligns_each_segment_and_keeps_words_without_times():
    segments = [{"start": 0.0, "end": 1.0, "text": "call 5"}]
    aligned = {"segments": [{**segments[0], "words": [
        {"word": "call", "start": 0.1, "end": 0.3, "score": 0.8}, {"word": "5"}]}]}  # fmt: skip
    package = SimpleNamespace(align=lambda given, model, meta, sound, device: aligned if given is segments else None)
    model = SimpleNamespace(transcribe=lambda sound, batch_size: {"segments": segments, "language": "en"})
    hypotheses = WhisperX(PRODUCER, package, model, ("model", "meta"), "cpu").transcribe([SEGMENT])
    assert fields(hypotheses[0]) == [("call", 5100, 5300, 0.8), ("5", None, None, 1.0)]


def test_whisperx_is_loaded_with_its_model_and_aligner(tmp_path: Path, monkeypatch):
    package = ModuleType("whisperx")
    package.load_model = lambda *args, **kwargs: (args, kwargs)
    package.load_align_model = lambda **kwargs: ("aligner", kwargs)
    monkeypatch.setitem(sys.modules, "whisperx", package)
    monkeypatch.setattr("veridact.locate.speech.recognizers.whisperx.version", lambda name: "3.8.0")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    loaded = load(f"whisperx:{tmp_path}", RecognizerOptions(language="de"), "heard")
    assert loaded.producer.version == "3.8.0"
    assert loaded.producer.settings["language"] == "de"
