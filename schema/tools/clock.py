"""Frames and seconds: the timeline of each stream, as far as the manifest alone can prove it or the media tells it.

A manifest holds only the digest of its presentation times. That is enough to *prove* a constant frame rate: the times
of every usual rate are written down and hashed, and the right one meets the digest. Anything else needs the media.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from schema import contained, presentation
from schema.errors import UsageError
from schema.manifest import AudioStream, Manifest, PictureStream, VideoStream
from schema.media import MediaFile, check_source, open_media
from schema.origin import origin
from schema.timeline import pts_sha256
from schema.tools.times import Frame, Instant, Seconds, Span

_COMMON = (25, 30, 24, 50, 60, 15, 10, 12, 20, 5, 29, 23, 59, 120, 48, 8, 100, 1)
_RATES = tuple(dict.fromkeys((*_COMMON, *range(1, 241))))
_FEW_FRAMES, _MAX_FRAMES = 30_000, 2_000_000
"""Each guess hashes the whole timeline: long ones are compared with the common rates only, very long ones with none."""


@dataclass(frozen=True)
class Clock:
    """The timeline of one stream; `pts` is None where it is not known, `origin_seconds` what a player shows as 0."""

    stream: int
    frames: int
    time_base: Fraction
    pts: Sequence[int] | None
    origin_seconds: Fraction

    def pts_of(self, frame: int) -> int:
        """The timestamp of a frame; raises `UsageError` where the timeline is not known."""
        if self.pts is None:
            raise UsageError(
                f"the frame rate of stream {self.stream} is not constant: name the footage with --media, "
                "or cut at key frames only"
            )
        return self.pts[frame]

    def seconds_of(self, frame: int) -> Fraction | None:
        """When a frame begins, in seconds as a player shows them; None where it is not known.

        `frame` may be the number of frames: the last one is taken to last as long as the one before it.
        """
        if self.pts is None:
            return None
        if frame < self.frames:
            ticks = self.pts[frame]
        else:
            ticks = self.pts[-1] + (self.pts[-1] - self.pts[-2] if self.frames > 1 else 0)
        return ticks * self.time_base - self.origin_seconds

    def frame_of(self, at: Instant, up: bool) -> int:
        """The frame shown at a time or, with `up`, the first that begins at or after it; may be the number of frames.

        Raises `UsageError` where seconds are asked and the timeline is not known.
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
        """A range as frames [first, end), widened outward to whole frames or, for a `keep`, narrowed `inward`.

        Raises `UsageError` when it is empty or off the clip.
        """
        first = 0 if span.start is None else self.frame_of(span.start, up=inward)
        end = self.frames if span.end is None else self._end_of(span.end, inward)
        if first >= self.frames or end > self.frames:
            raise UsageError(f"stream {self.stream} has frames 0 to {self.frames - 1}; give a range within them")
        if end <= first:
            raise UsageError("the range holds no frame or ends before it begins; write FROM-TO")
        return first, end

    def _end_of(self, at: Instant, inward: bool) -> int:
        """The frame after the last of a range that ends at a time: inward, the last is one that is over by then."""
        length = self.seconds_of(self.frames)
        if inward and isinstance(at, Seconds) and length is not None and at.value >= length:
            return self.frames
        return self.frame_of(at, up=not inward)

    def assumed(self) -> "Clock":
        """The same clock where it is known, else one that counts frames: near enough to look, not to cut."""
        return self if self.pts is not None else replace(self, pts=range(self.frames))

    def second_in_frames(self) -> int:
        """How many frames make up a second, on average; 25 where the timeline is not known."""
        length = self.seconds_of(self.frames)
        begin = self.seconds_of(0)
        if length is None or begin is None or length <= begin:
            return 25
        return max(1, round(self.frames / (length - begin)))


Clocks = Mapping[int, Clock]


def _guesses(time_base: Fraction, frames: int) -> Iterator[Sequence[int]]:
    """The timestamps of constant rates, starting at 0 or, as some writers do, one or two frames later.

    Where a tick is a millisecond or more, any whole number of ticks is tried as well: pictures move like that.
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
    """The timestamps of a stream whose rate is constant, proven by their digest; None when it is not."""
    if frames > _MAX_FRAMES:
        return None
    for guess in _guesses(time_base, frames):
        if pts_sha256(guess) == digest:
            return [int(p) for p in guess]
    return None


def _known(stream: VideoStream | PictureStream) -> tuple[Fraction, Sequence[int] | None]:
    if stream.time_base is None or stream.pts_sha256 is None:
        return Fraction(1, 1000), [0]
    time_base = Fraction(*stream.time_base)
    return time_base, constant_rate(time_base, stream.frames, stream.pts_sha256)


def from_manifest(manifest: Manifest) -> Clocks:
    """The clocks of all streams with a picture, as far as the manifest alone proves them.

    Where there is sound, or a timeline that it does not prove, 0 ms is taken to be 0 of the file's clock.
    """
    streams = [s for s in manifest.source.streams if isinstance(s, VideoStream | PictureStream)]
    known = {s.index: _known(s) for s in streams}
    starts = [pts[0] * time_base for time_base, pts in known.values() if pts]
    heard = any(isinstance(s, AudioStream) for s in manifest.source.streams)
    zero = Fraction(0) if heard or len(starts) < len(streams) else min(starts, default=Fraction(0))
    return {s.index: Clock(s.index, s.frames, *known[s.index], zero) for s in streams}


def from_media(manifest: Manifest, path: Path) -> Clocks:
    """The clocks of all streams with a picture, from the footage; raises `BindingError` when it is another file."""
    known = from_manifest(manifest)
    with open_media(path) as media:
        check_source(media, manifest.source.sha256)
        told = contained.look(lambda: _times(manifest, known, media), media.fd)
    times = {i: known[i].pts or told["pts"][str(i)] for i in known}
    zero = Fraction(*told["origin"])
    return {i: Clock(i, c.frames, c.time_base, times[i], zero) for i, c in known.items()}


def _times(manifest: Manifest, known: Clocks, media: MediaFile) -> dict[str, Any]:
    """What only the footage tells: the timestamps that the manifest does not prove, and when 0 ms is."""
    streams = [s for s in manifest.source.streams if isinstance(s, VideoStream | PictureStream)]
    unknown = [s for s in streams if not known[s.index].pts]
    return {
        "pts": {s.index: presentation.read(media, s).tolist() for s in unknown},
        "origin": origin(media).as_integer_ratio(),
    }


def clocks(manifest: Manifest, media: Path | None) -> Clocks:
    """The clocks of a manifest, with the footage where it is given."""
    return from_manifest(manifest) if media is None else from_media(manifest, media)
