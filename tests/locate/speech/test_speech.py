"""Speech from end to end, on synthesised speech; the recogniser runs once for all tests of one recording."""

import socket
import stat
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from veridact.errors import MediaError, SafetyError
from veridact.locate.speech.audio import decode_blocks, distinct_channels
from veridact.locate.speech.pipeline import DEFAULT_AUDIO_LABELS, SpeechOptions, locate_speech
from veridact.locate.speech.ranges import overlap_ms
from veridact.locate.speech.recognizers.transcript_file import TranscriptFile
from veridact.locate.speech.vad import VoiceActivityDetector, speech_segments
from veridact.media.origin import origin
from veridact.media.source import read_source
from veridact.media.video import open_media

RATE_HZ = 22050
CARD = "four zero one two, eight eight eight eight, one two three four, five six seven four"
BEFORE = (
    "thank you for calling, please wait a moment while I look for the right file.",
    "our customers usually prefer the smaller model because it is easier to carry around.",
    "yes, it is the corporate card, and the number on the front reads",
)
AFTER = ("and then we can go on with the rest of the order that you placed last week.",)


def quiet(what: str, done: int, total: int) -> None:
    """No progress."""


@pytest.fixture(scope="module")
def call(synthesize, write_wav, tmp_path_factory) -> tuple[Path, tuple[int, int]]:
    """A recording, and the half-open milliseconds of the card number in it."""
    first, number, last = (np.concatenate([synthesize(t) for t in part]) for part in (BEFORE, (CARD,), AFTER))
    path = write_wav(tmp_path_factory.mktemp("call") / "call.wav", np.concatenate([first, number, last]), RATE_HZ)
    return path, (len(first) * 1000 // RATE_HZ, (len(first) + len(number)) * 1000 // RATE_HZ)


class Refused(socket.socket):
    """A socket that cannot be opened."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        raise AssertionError("the network was used")


@pytest.fixture(scope="module")
def located(call, tmp_path_factory):
    """The result of the embedded default for the recording, and its transcript file.

    There is no network (SPEC §2: nothing is fetched at run time), and temporary files go to a folder that is checked.
    """
    target, temporary = (tmp_path_factory.mktemp(name) for name in ("located", "temporary"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "socket", Refused)
        patch.setattr(socket, "getaddrinfo", Refused)
        patch.setattr(tempfile, "tempdir", str(temporary))
        with open_media(call[0]) as media:
            options = SpeechOptions(labels=DEFAULT_AUDIO_LABELS, transcript=target / "transcript.tsv")
            result = locate_speech(media, options, quiet)
    assert list(temporary.rglob("*")) == []
    return result, target / "transcript.tsv"


def test_the_card_number_is_covered(call, located):
    start, end = call[1]
    covered = [(r.start_ms, r.end_ms) for r in located[0].ranges]
    assert overlap_ms([call[1]], covered) >= 0.95 * (end - start)


def test_little_else_is_covered(call, located):
    """Of the speech before and after the number; the digit pass takes the words right before it for digits as well."""
    with open_media(call[0]) as media:
        [stream] = [s for s in read_source(media).streams if s.type == "audio"]
    other = [(0, call[1][0]), (call[1][1], stream.duration_ms)]
    covered = [(r.start_ms, r.end_ms) for r in located[0].ranges]
    assert overlap_ms(other, covered) <= 0.15 * sum(b - a for a, b in other)


def test_models_are_named_with_their_digests(located):
    names = {p.name: p for p in located[0].producers}
    assert set(names) == {"pocketsphinx", "silero-vad", "presidio-analyzer"}
    assert names["pocketsphinx"].weights_sha256
    assert names["silero-vad"].weights_sha256
    assert {r.by for r in located[0].ranges} <= {p.id for p in located[0].producers}


def test_the_share_not_understood_is_reported(located):
    [stream] = located[0].streams
    assert stream.searched
    assert 0 < stream.not_understood_permille <= 1000
    assert "not understood" in located[0].notes()[0]
    assert "everything that was said" in located[0].notes()[-1]


def test_a_transcript_is_for_its_owner_alone_and_never_overwritten(call, located):
    assert stat.S_IMODE(located[1].stat().st_mode) == 0o600
    assert "\tfour\n" in located[1].read_text()
    with open_media(call[0]) as media, pytest.raises(SafetyError, match="exists"):
        locate_speech(media, SpeechOptions(transcript=located[1]), quiet)


def words_file(folder: Path, text: str, start: float, end: float) -> str:
    path = folder / "words.ctm"
    path.write_text(f"a 1 {start} {end - start} {text}\n")
    return f"words:{path}"


def test_a_planted_secret_is_nowhere(call, tmp_path, monkeypatch, capfd):
    """Recognised words are in memory only: not in the result, not on stderr, not in a file."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    (tmp_path / "list").write_text("hunter2\n")
    recognizer = words_file(tmp_path, "hunter2", 1.0, 1.5)
    with open_media(call[0]) as media:
        result = locate_speech(media, SpeechOptions(recognizer=recognizer, deny_words=tmp_path / "list"), quiet)
    assert [(r.label, r.start_ms, r.end_ms) for r in result.ranges] == [("custom", 940, 1560)]
    out, err = capfd.readouterr()
    assert "hunter2" not in out + err + repr(result)
    assert list((tmp_path / "tmp").rglob("*")) == []


def test_an_error_does_not_quote_what_was_said(call, tmp_path, monkeypatch, capfd, caplog):
    """After a failure at the end of the audio no recognised word is in the error, on stderr or in a log."""

    def broken(self, segments):
        list(segments)
        raise MediaError(f"stream 0 stopped after {self._words}")

    monkeypatch.setattr(TranscriptFile, "transcribe", broken)
    with open_media(call[0]) as media:
        result = locate_speech(media, SpeechOptions(recognizer=words_file(tmp_path, "hunter2", 1.0, 1.5)), quiet)
    out, err = capfd.readouterr()
    assert "stopped after" in result.notes()[0]
    assert "hunter2" not in out + err + repr(result) + caplog.text + "".join(result.notes())


def test_words_of_the_embedded_recognizer_are_in_the_transcript_alone(call, located, caplog):
    """Every run of four recognised words is searched for in the result, as text and as digits."""
    words = [line.split("\t")[-1] for line in located[1].read_text().splitlines()[1:]]
    reported = repr(located[0]) + "".join(located[0].notes()) + caplog.text
    runs = [" ".join(words[i : i + 4]) for i in range(len(words) - 3)]
    assert len(runs) > 20
    assert not [run for run in runs if run in reported]
    assert "4012" not in reported


def test_all_speech(call, tmp_path):
    recognizer = words_file(tmp_path, "nothing", 1.0, 1.5)
    with open_media(call[0]) as media:
        result = locate_speech(media, SpeechOptions(recognizer=recognizer, cover="all"), quiet)
    covered = [(r.start_ms, r.end_ms) for r in result.ranges if r.label == "speech"]
    assert overlap_ms([call[1]], covered) >= 0.99 * (call[1][1] - call[1][0])


def test_tones_and_noise_are_no_speech():
    at = np.arange(16000 * 6) / 16000
    tone = (8000 * np.sin(2 * np.pi * 440 * at)).astype(np.int16)
    noise = np.random.default_rng(1).normal(0, 3000, 16000 * 6).astype(np.int16)
    for sound in (tone, noise, np.zeros(16000 * 6, np.int16)):
        assert list(speech_segments(VoiceActivityDetector("voice").score(iter([(0, sound)])))) == []


def film(path: Path, tracks: list[tuple[np.ndarray, float]], video_at: float | None) -> Path:
    """A Matroska file with sound at the given seconds and, where asked for, a frame of video."""
    with av.open(str(path), "w") as out:
        if video_at is not None:
            video = out.add_stream("ffv1", rate=10, width=16, height=16, pix_fmt="yuv420p")
        streams = [out.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono") for _ in tracks]
        if video_at is not None:
            frame = av.VideoFrame(16, 16, "yuv420p")
            frame.pts, frame.time_base = round(video_at * 10), Fraction(1, 10)
            out.mux([*video.encode(frame), *video.encode(None)])
        for stream, (samples, at) in zip(streams, tracks, strict=True):
            frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), "s16", "mono")
            frame.sample_rate, frame.time_base = RATE_HZ, Fraction(1, RATE_HZ)
            frame.pts = round(at * RATE_HZ)
            out.mux([*stream.encode(frame), *stream.encode(None)])
    return path


def test_0_ms_is_the_earliest_of_the_streams(tmp_path):
    loud = np.full(RATE_HZ, 9000, np.int16)
    path = film(tmp_path / "late.mkv", [(loud, 2.5)], video_at=1.0)
    with open_media(path) as media:
        origin_seconds = origin(media)
        assert origin_seconds == 1
        first = next(decode_blocks(media, 1, origin_seconds))
    assert abs(first.start - 24000) <= 16


def test_priming_of_aac_is_before_0_and_not_decoded(tmp_path):
    path = tmp_path / "sound.m4a"
    samples = np.zeros((1, 48000), np.float32)
    samples[0, 24000:] = 0.5 * np.sin(np.arange(24000) / 10)
    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples, "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
        out.mux([*stream.encode(frame), *stream.encode(None)])
    with open_media(path) as media:
        got = list(decode_blocks(media, 0, origin(media)))
    sound = np.concatenate([b.samples[0] for b in got])
    assert got[0].start == 0
    assert abs(int(np.flatnonzero(np.abs(sound.astype(int)) > 2000)[0]) - 8000) < 40


def test_two_streams_have_ranges_each(call, synthesize, tmp_path):
    speech = synthesize("my name is arthur")
    path = film(tmp_path / "two.mkv", [(speech, 0.0), (speech, 1.0)], video_at=0.0)
    recognizer = words_file(tmp_path, "emma", 1.0, 1.5)
    with open_media(path) as media:
        result = locate_speech(media, SpeechOptions(recognizer=recognizer), quiet)
    assert [(r.stream, r.label) for r in result.ranges] == [(1, "person_name"), (2, "person_name")]


def test_channels_that_differ_are_distinct(write_wav, tmp_path):
    rng = np.random.default_rng(2)
    left, right = rng.normal(0, 2000, (2, RATE_HZ * 3)).astype(np.int16)
    for name, pair, channels in (("same", (left, left), (0,)), ("differ", (left, right), (0, 1))):
        path = write_wav(tmp_path / f"{name}.wav", np.stack(pair, axis=1), RATE_HZ)
        with open_media(path) as media:
            assert distinct_channels(media, 0, Fraction(0)) == channels


def test_audio_that_does_not_decode_is_reported_and_not_searched(call, tmp_path, monkeypatch):
    def damaged(*args):
        raise MediaError("stream 0 is damaged or cut short")

    monkeypatch.setattr("veridact.locate.speech.pipeline.distinct_channels", damaged)
    recognizer = words_file(tmp_path, "emma", 1.0, 1.5)
    with open_media(call[0]) as media:
        result = locate_speech(media, SpeechOptions(recognizer=recognizer), quiet)
    assert result.streams[0].searched is False
    assert result.notes() == ("stream 0: the sound was not searched: stream 0 is damaged or cut short",)
