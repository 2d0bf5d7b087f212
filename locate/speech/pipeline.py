"""The main path of speech: from the audio streams of a file to proposed ranges.

    stream ─► distinct channels ─► voice activity ─► segments ─► transcript ─► PII ─► merged ranges

What was said leaves this module only as labels and milliseconds, unless the caller asks for a transcript.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.audio.stream import AudioStream

from veridact.errors import MediaError
from veridact.locate.speech import transcript
from veridact.locate.speech.audio import channel_samples, distinct_channels
from veridact.locate.speech.pii.finder import PiiFinder, read_phrases
from veridact.locate.speech.pii.presidio import Presidio
from veridact.locate.speech.ranges import ProposedRange, merge_intervals, merge_ranges, overlap_ms, range_of
from veridact.locate.speech.recognizers.base import (
    DEFAULT_RECOGNIZER,
    SAMPLE_RATE_HZ,
    Hypothesis,
    Recognizer,
    RecognizerOptions,
    Samples,
    SpeechSegment,
    load,
)
from veridact.locate.speech.vad import VoiceActivityDetector, speech_segments
from veridact.media.origin import is_presented, origin
from veridact.media.video import MediaFile, demux
from veridact.progress import AUDIO_SECONDS, ReportProgress
from veridact.sandbox.heartbeat import patience
from veridact.schema.manifest import Producer

AUDIO_LABELS = (
    "person_name", "location", "phone_number", "credit_card", "iban", "email", "date", "id_number", "speech", "custom",
)  # fmt: skip
DEFAULT_AUDIO_LABELS = ("person_name", "phone_number", "credit_card", "iban", "email", "id_number")
MIN_CONFIDENCE = 0.5
"""A word counts as understood from this confidence on."""

RECOGNIZER_ID, VAD_ID, PII_FINDER_ID = "heard", "voice", "words"
"""Producer ids; part of the manifest."""


@dataclass(frozen=True)
class SpeechOptions:
    """The options of speech; `recognizer` is NAME[:MODEL], and `cover`, the option `--speech`, is pii or all."""

    labels: tuple[str, ...] = DEFAULT_AUDIO_LABELS
    recognizer: str = DEFAULT_RECOGNIZER
    cover: str = "pii"
    language: str = "en"
    spacy: Path | None = None
    keep_words: Path | None = None
    deny_words: Path | None = None
    transcript: Path | None = None
    device: str = "cpu"
    allow_download: bool = False

    @property
    def audio_only(self) -> list[str]:
        """Those of the given options, as on the command line, that have no effect without an audio label."""
        given = {
            "--speech all": self.cover == "all",
            "--deny-words": self.deny_words,
            "--keep-words": self.keep_words,
            "--spacy": self.spacy,
            "--transcript": self.transcript,
        }
        return [name for name, value in given.items() if value]


@dataclass(frozen=True)
class AudioStreamResult:
    """The outcome for one audio stream: whether it was searched, and if not, for what `reason`.

    `not_understood_permille` is the share of the voiced time without a confident word, None where none is voiced.
    """

    index: int
    searched: bool
    reason: str | None
    not_understood_permille: int | None


@dataclass(frozen=True)
class SpeechResult:
    """The outcome for every audio stream, the proposed ranges, the producers, and the transcript file if any."""

    streams: tuple[AudioStreamResult, ...]
    ranges: tuple[ProposedRange, ...]
    producers: tuple[Producer, ...]
    transcript: Path | None = None

    def notes(self) -> tuple[str, ...]:
        """What the user must know besides the manifest, in lines for stderr."""
        lines = [f"stream {s.index}: the sound was not searched: {s.reason}" for s in self.streams if not s.searched]
        for s in self.streams:
            if s.not_understood_permille:
                percent = -(-s.not_understood_permille // 10)
                lines.append(f"stream {s.index}: {percent} % of the speech was not understood; listen to it yourself")
        if self.transcript is not None:
            lines.append(f"{self.transcript} holds everything that was said; keep it as safe as the recording")
        return tuple(lines)


@dataclass(frozen=True)
class _ChannelTranscript:
    """The hypotheses of one channel: the first with all words, each later one a single spotted number.

    `voiced_ms` is half-open, in order and without overlap; `end_ms` is the end of the audio.
    """

    hypotheses: tuple[Hypothesis, ...]
    voiced_ms: tuple[tuple[int, int], ...]
    end_ms: int


class SpeechModels:
    """The models of one run: a voice activity detector, a recogniser and a PII finder."""

    def __init__(self, options: SpeechOptions) -> None:
        """Loads every model; raises `MissingModelError` or `UsageError` before any audio is decoded."""
        recognizer_options = RecognizerOptions(None, options.language, options.device, options.allow_download)
        deny = read_phrases(options.deny_words, "--deny-words") if options.deny_words else frozenset()
        keep = read_phrases(options.keep_words, "--keep-words") if options.keep_words else frozenset()
        if options.transcript is not None:
            transcript.check_target(options.transcript)
        self.vad = VoiceActivityDetector(VAD_ID)
        self.recognizer: Recognizer = load(options.recognizer, recognizer_options, RECOGNIZER_ID)
        presidio = Presidio(PII_FINDER_ID, options.language, str(options.spacy) if options.spacy else None)
        self.pii_finder = PiiFinder(presidio, frozenset(options.labels), options.language, keep, deny)
        self.cover_all_speech = options.cover == "all" or "speech" in options.labels


def locate_speech(media: MediaFile, options: SpeechOptions, report: ReportProgress) -> SpeechResult:
    """Transcribes every distinct channel of every audio stream, finds PII in the words, and merges its ranges.

    A stream that does not decode is reported as not searched. Raises `MissingModelError`, `UsageError` or `SafetyError`
    before any audio is decoded.
    """
    with patience():
        models = SpeechModels(options)
    origin_seconds = origin(media)
    streams: list[AudioStreamResult] = []
    ranges: list[ProposedRange] = []
    hypotheses: list[tuple[int, int, int, Hypothesis]] = []
    for index, duration_seconds in _audio_streams(media):
        try:
            channels = _transcribe_stream(media, index, origin_seconds, models, duration_seconds, report)
        except MediaError as e:
            streams.append(AudioStreamResult(index, False, str(e), None))
            continue
        for number, channel in channels.items():
            with patience():
                ranges += _find_ranges(channel, index, models)
            hypotheses += [(index, number, i, hypothesis) for i, hypothesis in enumerate(channel.hypotheses)]
        streams.append(AudioStreamResult(index, True, None, _not_understood_permille(channels.values())))
    if options.transcript is not None:
        transcript.write(options.transcript, hypotheses)
    recognizer = _with_not_understood(models.recognizer.producer, streams)
    producers = (recognizer, models.vad.producer, models.pii_finder.presidio.producer)
    return SpeechResult(tuple(streams), merge_ranges(ranges), producers, options.transcript)


def _with_not_understood(producer: Producer, streams: Sequence[AudioStreamResult]) -> Producer:
    """The recogniser with the share that it did not understand of each stream among its settings; `lint` reads them."""
    shares = {
        f"stream_{s.index}_not_understood_permille": s.not_understood_permille
        for s in streams
        if s.not_understood_permille is not None
    }
    return producer.model_copy(update={"settings": {**producer.settings, **shares}})


def _audio_streams(media: MediaFile) -> list[tuple[int, int]]:
    """The audio streams that have a decoder, each with the duration of the file in seconds, 0 where it is unknown."""
    with demux(media) as container:
        return [
            (s.index, int((container.duration or 0) // 1_000_000))
            for s in container.streams
            if isinstance(s, AudioStream) and is_presented(s)
        ]


def _transcribe_stream(
    media: MediaFile,
    index: int,
    origin_seconds: Fraction,
    models: SpeechModels,
    duration_seconds: int,
    report: ReportProgress,
) -> dict[int, _ChannelTranscript]:
    """The transcript of each distinct channel of a stream; `report` counts the seconds of all of them together."""
    channels = distinct_channels(media, index, origin_seconds)
    total_seconds = duration_seconds * len(channels)
    transcripts = {}
    for n, channel in enumerate(channels):

        def report_seconds(seconds: int, before: int = n * duration_seconds) -> None:
            report(f"stream {index}{AUDIO_SECONDS}", before + min(seconds, duration_seconds), total_seconds)

        samples = channel_samples(media, index, origin_seconds, channel)
        transcripts[channel] = _transcribe_channel(samples, models, report_seconds)
    return transcripts


def _transcribe_channel(
    blocks: Iterator[tuple[int, Samples]], models: SpeechModels, report_seconds: Callable[[int], None]
) -> _ChannelTranscript:
    """Segments a channel by voice activity and transcribes it, with one segment in memory at a time."""
    voiced_ms: list[tuple[int, int]] = []
    end_ms = 0

    def measured() -> Iterator[tuple[int, Samples]]:
        nonlocal end_ms
        for start, samples in blocks:
            end_ms = max(end_ms, (start + len(samples)) * 1000 // SAMPLE_RATE_HZ)
            yield start, samples

    def segments() -> Iterator[SpeechSegment]:
        for speech in speech_segments(models.vad.score(measured())):
            voiced_ms.extend(speech.voiced_ms)
            yield speech.segment
            report_seconds(end_ms // 1000)

    hypotheses = models.recognizer.transcribe(segments())
    return _ChannelTranscript(hypotheses, tuple(merge_intervals(voiced_ms)), end_ms)


def _find_ranges(channel: _ChannelTranscript, stream: int, models: SpeechModels) -> Iterator[ProposedRange]:
    """The ranges of the PII in a channel that begin before its end; all voiced time where all speech is covered."""
    for number, hypothesis in enumerate(channel.hypotheses):
        find = models.pii_finder.find_in_number if number > 0 else models.pii_finder.find
        for match in find(hypothesis):
            proposed = range_of(match, hypothesis, stream, RECOGNIZER_ID, channel.end_ms)
            if proposed.start_ms < channel.end_ms:
                yield proposed
    if models.cover_all_speech:
        for start_ms, end_ms in channel.voiced_ms:
            yield ProposedRange("speech", start_ms, end_ms, 1000, stream, VAD_ID)


def _not_understood_permille(channels: Iterable[_ChannelTranscript]) -> int | None:
    """The share of voiced time, in thousandths, over which no hypothesis has a confident word; None without any."""
    voiced_ms = missed_ms = 0
    for channel in channels:
        understood = [
            (w.start_ms, w.end_ms)
            for hypothesis in channel.hypotheses
            for w in hypothesis
            if w.confidence >= MIN_CONFIDENCE and w.start_ms is not None and w.end_ms is not None
        ]
        total = sum(end - start for start, end in channel.voiced_ms)
        voiced_ms += total
        missed_ms += total - overlap_ms(channel.voiced_ms, understood)
    return missed_ms * 1000 // voiced_ms if voiced_ms else None
