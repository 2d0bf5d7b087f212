"""A transcript with times from anywhere, instead of listening: JSON of the Whisper family, CTM, WebVTT, SRT.

Times in the file count from 0 ms of the manifest, what a player shows as 0. A cue of subtitles has one time for all its
words: each of them is covered with the whole cue.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from veridact.errors import UsageError
from veridact.locate.speech.recognizers.base import Reading, RecognizerOptions, Stretch, Word
from veridact.schema.manifest import Producer

MAX_BYTES = 64 << 20
MAX_MS = 10**12
_CLOCK = r"(?:([0-9]{1,4}):)?([0-9]{1,2}):([0-9]{2})[.,]([0-9]{3})"
_CUE = re.compile(rf"^\s*{_CLOCK}\s+-->\s+{_CLOCK}")
_TAG = re.compile(r"<[^>]*>")


def _ms(seconds: Any) -> int | None:
    """Seconds of a transcript as milliseconds; None for what is no time."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds * 1000 <= MAX_MS:
        return None
    return round(seconds * 1000)


def words_of_segments(segments: Iterable[Any], offset_ms: int = 0) -> Iterator[Word]:
    """The words of Whisper-like segments, `words[] {word, start, end, score or probability}`; a segment without words
    gives those of its text, each with the times of all of it. Raises `ValueError` for anything else."""
    for segment in segments:
        if not isinstance(segment, dict):
            raise ValueError("a segment is no object")
        timed = segment.get("words")
        if not isinstance(timed, list) or not timed:
            timed = [{**segment, "word": w} for w in str(segment.get("text", "")).split()]
        for entry in timed:
            text = entry.get("word", entry.get("text")) if isinstance(entry, dict) else None
            if not isinstance(text, str):
                raise ValueError("a word has no text")
            start, end = _ms(entry.get("start")), _ms(entry.get("end"))
            score = entry.get("score", entry.get("probability", entry.get("confidence", 1.0)))
            sure = float(score) if isinstance(score, int | float) and 0 <= score <= 1 else 1.0
            for part in text.split():
                yield Word(
                    part, None if start is None else start + offset_ms, None if end is None else end + offset_ms, sure
                )


def _json(text: str) -> list[Word]:
    tree = json.loads(text)
    if isinstance(tree, dict) and isinstance(tree.get("segments"), list):
        return list(words_of_segments(tree["segments"]))
    if isinstance(tree, dict) and isinstance(tree.get("word_segments"), list):
        return list(words_of_segments([{"words": tree["word_segments"]}]))
    if isinstance(tree, list) and tree:
        segments = tree if "words" in tree[0] or "segments" in tree[0] or "text" in tree[0] else [{"words": tree}]
        return list(words_of_segments(segments))
    raise ValueError("no segments")


def _ctm(text: str) -> list[Word]:
    """`file channel start duration word [confidence]` a line, times in seconds; `;;` begins a comment."""
    words = []
    for line in text.splitlines():
        fields = line.split()
        if not fields or line.startswith(";;"):
            continue
        start, duration = float(fields[2]), float(fields[3])
        sure = float(fields[5]) if len(fields) > 5 and 0 <= float(fields[5]) <= 1 else 1.0
        words.append(Word(fields[4], _ms(start), _ms(start + duration), sure))
    return sorted(words, key=lambda w: w.start_ms or 0)


def _clock_ms(parts: Sequence[str | None]) -> int:
    hours, minutes, seconds, thousandths = (int(p or 0) for p in parts)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + thousandths


def _cues(text: str) -> list[Word]:
    """WebVTT and SRT: every word of a cue has the cue's times."""
    words: list[Word] = []
    times: tuple[int, int] | None = None
    for line in text.splitlines():
        if found := _CUE.match(line):
            times = _clock_ms(found.groups()[:4]), _clock_ms(found.groups()[4:])
        elif not line.strip():
            times = None
        elif times is not None:
            words += [Word(part, *times) for part in _TAG.sub("", line).split()]
    if not words:
        raise ValueError("no cues")
    return words


FORMATS = {".json": _json, ".ctm": _ctm, ".vtt": _cues, ".srt": _cues}


class Words:
    """The words of a file, the same for every stream."""

    def __init__(self, producer: Producer, words: Reading) -> None:
        self.producer = producer
        self._words = words

    def hear(self, stretches: Iterable[Stretch]) -> tuple[Reading, ...]:
        """The file's words; goes through the sound all the same, for the share of speech that they do not reach."""
        for _ in stretches:
            pass
        return (self._words,)


def load(identity: str, options: RecognizerOptions) -> Words:
    """The transcript at `options.model`; raises `UsageError`, which never quotes what the file says."""
    if options.model is None:
        raise UsageError("--recognizer words needs a file: words:FILE, with .json, .ctm, .vtt or .srt")
    path = Path(options.model)
    parse = FORMATS.get(path.suffix.lower())
    if parse is None:
        raise UsageError(f"words:{path}: unknown kind of transcript; give one of {', '.join(FORMATS)}")
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
        raise UsageError(f"words:{path}: not a transcript of the kind that {path.suffix} names") from None
    settings: dict[str, bool | int | str] = {"format": path.suffix.lower().removeprefix(".")}
    return Words(Producer(id=identity, kind="import", name="words", settings=settings), words)
