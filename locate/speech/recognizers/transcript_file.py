"""A transcript file in place of a recogniser: JSON of the Whisper family, CTM, WebVTT or SRT.

Times in the file count from 0 ms of the manifest, which is what a player shows as 0. A subtitle cue has one time for
all its words, so each of its words has the times of the whole cue.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from veridact.errors import UsageError
from veridact.locate.speech.recognizers.base import Hypothesis, RecognizerOptions, SpeechSegment, Word
from veridact.schema.manifest import Producer

MAX_BYTES = 64 << 20
MAX_MS = 10**12
_TIMESTAMP = r"(?:([0-9]{1,4}):)?([0-9]{1,2}):([0-9]{2})[.,]([0-9]{3})"
_CUE_TIMING = re.compile(rf"^\s*{_TIMESTAMP}\s+-->\s+{_TIMESTAMP}")
_TAG = re.compile(r"<[^>]*>")


def _ms(seconds: Any) -> int | None:
    """Seconds as milliseconds; None for a value that is no time from 0 to `MAX_MS`."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds * 1000 <= MAX_MS:
        return None
    return round(seconds * 1000)


def words_of_segments(segments: Iterable[Any], offset_ms: int = 0) -> Iterator[Word]:
    """The words of Whisper-like segments, `words[] {word, start, end, score or probability}`, times in seconds.

    A segment without words gives those of its text, each with the times of the whole segment. `offset_ms` is added to
    every time. Raises `ValueError` for anything else.
    """
    for segment in segments:
        if not isinstance(segment, dict):
            raise ValueError("a segment is no object")
        entries = segment.get("words")
        if not isinstance(entries, list) or not entries:
            entries = [{**segment, "word": w} for w in str(segment.get("text", "")).split()]
        for entry in entries:
            text = entry.get("word", entry.get("text")) if isinstance(entry, dict) else None
            if not isinstance(text, str):
                raise ValueError("a word has no text")
            start, end = _ms(entry.get("start")), _ms(entry.get("end"))
            score = entry.get("score", entry.get("probability", entry.get("confidence", 1.0)))
            confidence = float(score) if isinstance(score, int | float) and 0 <= score <= 1 else 1.0
            for part in text.split():
                yield Word(
                    part,
                    None if start is None else start + offset_ms,
                    None if end is None else end + offset_ms,
                    confidence,
                )


def _parse_json(text: str) -> list[Word]:
    tree = json.loads(text)
    if isinstance(tree, dict) and isinstance(tree.get("segments"), list):
        return list(words_of_segments(tree["segments"]))
    if isinstance(tree, dict) and isinstance(tree.get("word_segments"), list):
        return list(words_of_segments([{"words": tree["word_segments"]}]))
    if isinstance(tree, list) and tree:
        segments = tree if "words" in tree[0] or "segments" in tree[0] or "text" in tree[0] else [{"words": tree}]
        return list(words_of_segments(segments))
    raise ValueError("no segments")


def _parse_ctm(text: str) -> list[Word]:
    """NIST CTM: a line is `file channel start duration word [confidence]`, times in seconds; `;;` begins a comment."""
    words = []
    for line in text.splitlines():
        fields = line.split()
        if not fields or line.startswith(";;"):
            continue
        start, duration = float(fields[2]), float(fields[3])
        confidence = float(fields[5]) if len(fields) > 5 and 0 <= float(fields[5]) <= 1 else 1.0
        words.append(Word(fields[4], _ms(start), _ms(start + duration), confidence))
    return sorted(words, key=lambda w: w.start_ms or 0)


def _timestamp_ms(parts: Sequence[str | None]) -> int:
    hours, minutes, seconds, milliseconds = (int(p or 0) for p in parts)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds


def _parse_cues(text: str) -> list[Word]:
    """WebVTT and SRT: every word of a cue has the times of the cue."""
    words: list[Word] = []
    times: tuple[int, int] | None = None
    for line in text.splitlines():
        if timing := _CUE_TIMING.match(line):
            times = _timestamp_ms(timing.groups()[:4]), _timestamp_ms(timing.groups()[4:])
        elif not line.strip():
            times = None
        elif times is not None:
            words += [Word(part, *times) for part in _TAG.sub("", line).split()]
    if not words:
        raise ValueError("no cues")
    return words


PARSERS = {".json": _parse_json, ".ctm": _parse_ctm, ".vtt": _parse_cues, ".srt": _parse_cues}


class TranscriptFile:
    """The words of a file, the same for every audio stream."""

    def __init__(self, producer: Producer, words: Hypothesis) -> None:
        self.producer = producer
        self._words = words

    def transcribe(self, segments: Iterable[SpeechSegment]) -> tuple[Hypothesis, ...]:
        """One hypothesis: the words of the file.

        Consumes the segments all the same, so that the voiced time is known that those words leave out.
        """
        for _ in segments:
            pass
        return (self._words,)


def load(producer_id: str, options: RecognizerOptions) -> TranscriptFile:
    """Reads the transcript at `options.model`; raises `UsageError`, which never quotes the content of the file."""
    if options.model is None:
        raise UsageError("--recognizer words needs a file: words:FILE, with .json, .ctm, .vtt or .srt")
    path = Path(options.model)
    parse = PARSERS.get(path.suffix.lower())
    if parse is None:
        raise UsageError(f"words:{path}: unknown kind of transcript; give one of {', '.join(PARSERS)}")
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as e:
        raise UsageError(f"words:{path}: cannot be read ({e.strerror})") from None
    if len(raw) > MAX_BYTES:
        raise UsageError(f"words:{path}: longer than 64 MiB; split it")
    try:
        words = tuple(parse(raw.decode("utf-8-sig")))
    except (ValueError, TypeError, IndexError, RecursionError):
        raise UsageError(
            f"words:{path}: not a transcript of the kind that {path.suffix} names; give it the suffix of its format"
        ) from None
    settings: dict[str, bool | int | str] = {"format": path.suffix.lower().removeprefix(".")}
    return TranscriptFile(Producer(id=producer_id, kind="import", name="words", settings=settings), words)
