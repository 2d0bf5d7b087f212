"""The main path of hearing: decode each stream, cut it at silences, recognise words, find what is personal in them.

Nothing that was said leaves this module but as ranges of milliseconds, unless the caller asks for a transcript.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.audio.stream import AudioStream

from veridact.errors import MediaError
from veridact.locate.speech import transcript
from veridact.locate.speech.audio import channel, distinct_channels
from veridact.locate.speech.pii.finder import Wanted, find, read_phrases
from veridact.locate.speech.pii.presidio import Presidio
from veridact.locate.speech.ranges import ProposedRange, joined, overlap_ms, range_of, united
from veridact.locate.speech.recognizers.base import (
    DEFAULT_RECOGNIZER,
    RATE_HZ,
    Reading,
    Recognizer,
    RecognizerOptions,
    Sound,
    Stretch,
    load,
)
from veridact.locate.speech.vad import Voice, stretches
from veridact.media.origin import origin
from veridact.media.video import MediaFile, demux
from veridact.progress import ReportProgress
from veridact.sandbox.heartbeat import patience
from veridact.schema.manifest import Producer

HEARD_LABELS = (
    "person_name", "location", "phone_number", "credit_card", "iban", "email", "date", "id_number", "speech", "custom",
)  # fmt: skip
DEFAULT_HEARD = ("person_name", "phone_number", "credit_card", "iban", "email", "id_number")
CONFIDENT = 0.5
"""A word counts as understood from this confidence on."""

RECOGNIZER_ID, VOICE_ID, FINDER_ID = "heard", "voice", "words"


@dataclass(frozen=True)
class HearOptions:
    """What to listen for and with; `recognizer` is NAME[:MODEL], `speech` is pii or all."""

    labels: tuple[str, ...] = DEFAULT_HEARD
    recognizer: str = DEFAULT_RECOGNIZER
    speech: str = "pii"
    language: str = "en"
    spacy: Path | None = None
    keep_words: Path | None = None
    deny_words: Path | None = None
    transcript: Path | None = None
    device: str = "cpu"
    allow_download: bool = False

    @property
    def asked_for(self) -> list[str]:
        """The options by which a caller asks for something that only listening can give."""
        given = {
            "--speech all": self.speech == "all",
            "--deny-words": self.deny_words,
            "--keep-words": self.keep_words,
            "--spacy": self.spacy,
            "--transcript": self.transcript,
        }
        return [name for name, value in given.items() if value]


@dataclass(frozen=True)
class HeardStream:
    """What became of one audio stream: `reason` says why it was not searched, `not_understood_permille` how much of the
    voiced time has no confident word (None where nobody speaks)."""

    index: int
    searched: bool
    reason: str | None
    not_understood_permille: int | None


@dataclass(frozen=True)
class Heard:
    """Everything that hearing proposes."""

    streams: tuple[HeardStream, ...]
    ranges: tuple[ProposedRange, ...]
    producers: tuple[Producer, ...]
    transcript: Path | None = None

    def remarks(self) -> tuple[str, ...]:
        """What the caller must know, in lines for stderr."""
        lines = [f"stream {s.index}: the sound was not searched: {s.reason}" for s in self.streams if not s.searched]
        for s in self.streams:
            if s.not_understood_permille:
                percent = -(-s.not_understood_permille // 10)
                lines.append(f"stream {s.index}: {percent} % of the speech was not understood; listen to it yourself")
        if self.transcript is not None:
            lines.append(f"{self.transcript} holds everything that was said; keep it as safe as the recording")
        return tuple(lines)


@dataclass(frozen=True)
class _Channel:
    """One channel as it was heard."""

    readings: tuple[Reading, ...]
    voiced_ms: tuple[tuple[int, int], ...]
    end_ms: int


class Ears:
    """The models of one run: a voice detector, a recogniser and a finder of personal words."""

    def __init__(self, options: HearOptions) -> None:
        """Loads every model; raises `MissingModelError` or `UsageError` before any media is opened."""
        asked = RecognizerOptions(None, options.language, options.device, options.allow_download)
        deny = read_phrases(options.deny_words, "--deny-words") if options.deny_words else frozenset()
        keep = read_phrases(options.keep_words, "--keep-words") if options.keep_words else frozenset()
        if options.transcript is not None:
            transcript.check_target(options.transcript)
        self.options = options
        self.voice = Voice(VOICE_ID)
        self.recognizer: Recognizer = load(options.recognizer, asked, RECOGNIZER_ID)
        self.presidio = Presidio(FINDER_ID, options.language, str(options.spacy) if options.spacy else None)
        self.wanted = Wanted(frozenset(options.labels), options.language, keep, deny)

    @property
    def all_speech(self) -> bool:
        return self.options.speech == "all" or "speech" in self.options.labels


def hear(media: MediaFile, options: HearOptions, report: ReportProgress) -> Heard:
    """What is to be covered in the sound of a file, every stream and every distinct channel of it."""
    with patience():
        ears = Ears(options)
    zero = origin(media)
    streams: list[HeardStream] = []
    ranges: list[ProposedRange] = []
    said: list[tuple[int, int, int, Reading]] = []
    for index, seconds in _audio_streams(media):
        try:
            channels = _channels(media, index, zero, ears, seconds, report)
        except MediaError as e:
            streams.append(HeardStream(index, False, str(e), None))
            continue
        for number, heard in channels.items():
            with patience():
                ranges += _ranges(heard, index, ears)
            said += [(index, number, i, reading) for i, reading in enumerate(heard.readings)]
        streams.append(HeardStream(index, True, None, _not_understood(list(channels.values()))))
    if options.transcript is not None:
        transcript.write(options.transcript, said)
    producers = (_noting(ears.recognizer.producer, streams), ears.voice.producer, ears.presidio.producer)
    return Heard(tuple(streams), joined(ranges), producers, options.transcript)


def _noting(producer: Producer, streams: Sequence[HeardStream]) -> Producer:
    """The recogniser, with how much of each stream it did not understand; `lint` reads this."""
    shares = {
        f"stream_{s.index}_not_understood_permille": s.not_understood_permille
        for s in streams
        if s.not_understood_permille is not None
    }
    return producer.model_copy(update={"settings": {**producer.settings, **shares}})


def _audio_streams(media: MediaFile) -> list[tuple[int, int]]:
    """The audio streams that have a decoder, and about how many seconds each lasts."""
    with demux(media) as container:
        return [
            (s.index, int((container.duration or 0) // 1_000_000))
            for s in container.streams
            if isinstance(s, AudioStream) and s.codec_context is not None
        ]


def _channels(
    media: MediaFile, index: int, zero: Fraction, ears: Ears, seconds: int, report: ReportProgress
) -> dict[int, _Channel]:
    distinct = distinct_channels(media, index, zero)
    heard = {}
    for place, number in enumerate(distinct):
        before = place * seconds

        def told(at_seconds: int, before: int = before) -> None:
            report(f"stream {index} seconds heard", before + min(at_seconds, seconds), seconds * len(distinct))

        heard[number] = _hear_channel(channel(media, index, zero, number), ears, told)
    return heard


def _hear_channel(source: Iterator[tuple[int, Sound]], ears: Ears, told: Callable[[int], None]) -> _Channel:
    """Runs voice detector and recogniser over a channel, a stretch at a time."""
    voiced: list[tuple[int, int]] = []
    last = 0

    def noted() -> Iterator[tuple[int, Sound]]:
        nonlocal last
        for start, sound in source:
            last = max(last, (start + len(sound)) * 1000 // RATE_HZ)
            yield start, sound

    def spoken() -> Iterator[Stretch]:
        for found in stretches(ears.voice.scored(noted())):
            voiced.extend(found.voiced_ms)
            yield found.stretch
            told(last // 1000)

    readings = ears.recognizer.hear(spoken())
    return _Channel(readings, tuple(united(voiced)), last)


def _ranges(heard: _Channel, stream: int, ears: Ears) -> Iterator[ProposedRange]:
    for number, reading in enumerate(heard.readings):
        for finding in find(reading, number > 0, ears.wanted, ears.presidio):
            proposed = range_of(finding, reading, stream, RECOGNIZER_ID, heard.end_ms)
            if proposed.start_ms < heard.end_ms:
                yield proposed
    if ears.all_speech:
        for start_ms, end_ms in heard.voiced_ms:
            yield ProposedRange("speech", start_ms, end_ms, 1000, stream, VOICE_ID)


def _not_understood(channels: Sequence[_Channel]) -> int | None:
    """The share of voiced time, in thousandths, over which no reading has a confident word."""
    voiced_ms = missed_ms = 0
    for heard in channels:
        sure = [
            (w.start_ms, w.end_ms)
            for reading in heard.readings
            for w in reading
            if w.confidence >= CONFIDENT and w.start_ms is not None and w.end_ms is not None
        ]
        total = sum(end - start for start, end in heard.voiced_ms)
        voiced_ms += total
        missed_ms += total - overlap_ms(heard.voiced_ms, sure)
    return missed_ms * 1000 // voiced_ms if voiced_ms else None
