"""Exact time: the digest of a timeline, milliseconds as samples, and the clock that maps frames to seconds."""

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from veridact.errors import UsageError
from veridact.schema.manifest import AudioStream, Manifest, PictureStream, VideoStream


def pts_sha256(pts: Sequence[int]) -> str:
    """SHA-256 over the big-endian int64 presentation timestamps in presentation order."""
    return hashlib.sha256(np.asarray(pts, dtype=">i8").tobytes()).hexdigest()


def first_fault(pts: Sequence[int | None]) -> str | None:
    """Why these presentation timestamps are not a timeline (missing or not increasing), or None when they are."""
    previous: int | None = None
    for frame, value in enumerate(pts):
        if value is None:
            return f"frame {frame} has no timestamp"
        if previous is not None and value <= previous:
            return f"the timestamp of frame {frame} does not come after the one before it"
        previous = value
    return None


def sample_range(start_ms: int, end_ms: int, rate_hz: int) -> tuple[int, int]:
    """Half-open milliseconds as half-open samples at `rate_hz`, rounded outward to whole samples."""
    return (start_ms * rate_hz // 1000, -(-end_ms * rate_hz // 1000))


def inner_sample_range(start_ms: int, end_ms: int, rate_hz: int) -> tuple[int, int]:
    """Half-open milliseconds as half-open samples at `rate_hz`, rounded inward to whole samples; may be empty."""
    start = -(-start_ms * rate_hz // 1000)
    return start, max(start, end_ms * rate_hz // 1000)


def milliseconds_up(seconds: Fraction) -> int:
    """A duration in seconds as milliseconds, rounded up."""
    return -int(-seconds * 1000 // 1)


@dataclass(frozen=True)
class Frame:
    """A point in time given as a 0-based frame number."""

    number: int


@dataclass(frozen=True)
class Seconds:
    """A point in time given in exact seconds since the origin, which a player shows as 0."""

    value: Fraction


Instant = Frame | Seconds


@dataclass(frozen=True)
class Span:
    """A half-open range of time; None stands for the start or end of the clip."""

    start: Instant | None
    end: Instant | None


_COMMON = (25, 30, 24, 50, 60, 15, 10, 12, 20, 5, 29, 23, 59, 120, 48, 8, 100, 1)
_RATES = tuple(dict.fromkeys((*_COMMON, *range(1, 241))))
_FEW_FRAMES, _MAX_FRAMES = 30_000, 2_000_000
"""Each guess hashes a whole timeline: above the first number of frames only common rates are tried, above the second
none."""


@dataclass(frozen=True)
class Clock:
    """The timeline of one stream: the `pts` of every frame, None where unknown, and the origin, 0 in a player."""

    stream: int
    frames: int
    time_base: Fraction
    pts: Sequence[int] | None
    origin_seconds: Fraction

    def pts_of(self, frame: int) -> int:
        """The pts of a frame; raises `UsageError` where the timeline is unknown."""
        if self.pts is None:
            raise UsageError(
                f"the frame rate of stream {self.stream} is not constant: name the footage with --media, "
                "or cut at key frames only"
            )
        return self.pts[frame]

    def seconds_of(self, frame: int) -> Fraction | None:
        """The start of a frame in seconds since the origin; None where the timeline is unknown.

        `frame` may be the number of frames: the last frame is taken to last as long as the one before it.
        """
        if self.pts is None:
            return None
        if frame < self.frames:
            ticks = self.pts[frame]
        else:
            ticks = self.pts[-1] + (self.pts[-1] - self.pts[-2] if self.frames > 1 else 0)
        return ticks * self.time_base - self.origin_seconds

    def frame_of(self, at: Instant, up: bool) -> int:
        """The frame presented at a time or, with `up`, the first that starts at or after it.

        The result may be the number of frames. Raises `UsageError` for seconds where the timeline is unknown.
        """
        if isinstance(at, Frame):
            return at.number
        if self.pts is None:
            raise UsageError(
                f"the frame rate of stream {self.stream} is not constant: write frame numbers, or name the footage "
                "with --media"
            )
        ticks = (at.value + self.origin_seconds) / self.time_base
        return bisect_left(self.pts, ticks) if up else max(0, bisect_right(self.pts, ticks) - 1)

    def span(self, span: Span, inward: bool = False) -> tuple[int, int]:
        """A range as frames [first, end), rounded outward to whole frames or, for a `keep`, `inward`.

        Raises `UsageError` when it is empty or outside the clip.
        """
        first = 0 if span.start is None else self.frame_of(span.start, up=inward)
        end = self.frames if span.end is None else self._end_of(span.end, inward)
        if first >= self.frames or end > self.frames:
            raise UsageError(f"stream {self.stream} has frames 0 to {self.frames - 1}; give a range within them")
        if end <= first:
            raise UsageError("the range holds no frame or ends before it begins; write FROM-TO")
        return first, end

    def _end_of(self, at: Instant, inward: bool) -> int:
        """The end frame, exclusive, of a range that ends at a time; inward, the last frame ends by then."""
        length = self.seconds_of(self.frames)
        if inward and isinstance(at, Seconds) and length is not None and at.value >= length:
            return self.frames
        return self.frame_of(at, up=not inward)

    def assumed(self) -> "Clock":
        """The clock itself, or one with frame numbers as pts where the timeline is unknown: for display, not edits."""
        return self if self.pts is not None else replace(self, pts=range(self.frames))

    def second_in_frames(self) -> int:
        """The mean number of frames per second, rounded, at least 1; 25 where the timeline is unknown."""
        end = self.seconds_of(self.frames)
        start = self.seconds_of(0)
        if end is None or start is None or end <= start:
            return 25
        return max(1, round(self.frames / (end - start)))


Clocks = Mapping[int, Clock]
"""The clock of each video stream or picture, by stream index."""


def _guesses(time_base: Fraction, frames: int) -> Iterator[Sequence[int]]:
    """Candidate timelines of constant frame rate, starting at frame 0, or one or two frames later as some muxers do.

    Where a tick is a millisecond or more, every whole number of ticks per frame is tried too, as in animated pictures.
    """
    numbers: Any = np.arange(frames, dtype=np.int64)
    for rate in _RATES if frames <= _FEW_FRAMES else _COMMON:
        for step in (1 / (rate * time_base), Fraction(1001, 1000) / (rate * time_base)):
            if step >= 1:
                rounded = (2 * numbers * step.numerator + step.denominator) // (2 * step.denominator)
                for start in range(3):
                    yield rounded + round(start * step)
    if time_base >= Fraction(1, 1000):
        for ticks in range(1, int(1 / time_base) + 1):
            yield numbers * ticks


def constant_rate(time_base: Fraction, frames: int, digest: str) -> Sequence[int] | None:
    """The pts of a stream with a constant frame rate, proven by their digest; None where no candidate has it."""
    if frames > _MAX_FRAMES:
        return None
    for guess in _guesses(time_base, frames):
        if pts_sha256(guess) == digest:
            return [int(p) for p in guess]
    return None


def constant_rate_near(
    seconds: Sequence[Fraction], time_base: Fraction, digest: str, unit: Fraction = Fraction(1, 1000)
) -> Sequence[int] | None:
    """The timestamps of a stream whose rate is constant, from times that were rounded to whole `unit`s.

    The first frame may come later and frames may be left out; the digest proves the result. None where there is none.
    """
    if len(seconds) > _MAX_FRAMES:
        return None
    units: Any = np.array([round(t / unit) for t in seconds], np.int64)
    for rate in _RATES if len(seconds) <= _FEW_FRAMES else _COMMON:
        for period in (Fraction(1, rate), Fraction(1001, 1000 * rate)):
            per_unit, ticks = unit / period, period / time_base
            frames = (2 * units * per_unit.numerator + per_unit.denominator) // (2 * per_unit.denominator)
            pts = (2 * frames * ticks.numerator + ticks.denominator) // (2 * ticks.denominator)
            if pts_sha256(pts) == digest:
                return [int(p) for p in pts]
    return None


def _proven_timeline(stream: VideoStream | PictureStream) -> tuple[Fraction, Sequence[int] | None]:
    """The time base of a stream, and its pts where the manifest's digest proves them."""
    if stream.time_base is None or stream.pts_sha256 is None:
        return Fraction(1, 1000), [0]
    time_base = Fraction(*stream.time_base)
    return time_base, constant_rate(time_base, stream.frames, stream.pts_sha256)


def from_manifest(manifest: Manifest) -> Clocks:
    """The clocks of all video streams and pictures, as far as the manifest alone proves their timelines.

    Where there is audio, or a timeline is not proven, the origin is taken to be 0 of the file's clock.
    """
    streams = [s for s in manifest.source.streams if isinstance(s, VideoStream | PictureStream)]
    timelines = {s.index: _proven_timeline(s) for s in streams}
    starts = [pts[0] * time_base for time_base, pts in timelines.values() if pts]
    has_audio = any(isinstance(s, AudioStream) for s in manifest.source.streams)
    zero = Fraction(0) if has_audio or len(starts) < len(streams) else min(starts, default=Fraction(0))
    return {s.index: Clock(s.index, s.frames, *timelines[s.index], zero) for s in streams}
