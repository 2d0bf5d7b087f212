"""The lint rule `cut-word`: at the start or end of a range the sound goes on as loud as inside, so a word may be cut.

The loudness of the media is compared on both sides of each end of every range, before padding. A word that is cut is
loud on both sides of the cut; between words there is usually a dip. On read speech the rule reports about two of three
cuts, and one of four true ends of words. It only reports; nothing else depends on it.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.audio.stream import AudioStream as AvAudioStream
from numpy.typing import NDArray

from veridact.errors import MediaError
from veridact.media.origin import origin
from veridact.media.video import MediaFile, demux, reason_of
from veridact.sandbox.heartbeat import beat
from veridact.schema.manifest import AudioRange, AudioStream, Manifest
from veridact.schema.plan.audibility import seconds
from veridact.schema.plan.effects import counted_ranges
from veridact.tools.edit.times import clock_text
from veridact.tools.lint import Finding

STEP_MS = 10
"""Loudness is measured in steps of this length, in milliseconds."""
OUTSIDE_STEPS = 3
"""The number of steps outside a range that must all be loud for a word to count as cut."""
LOUD_SHARE = 0.7
"""A step outside is loud when its loudness exceeds this share of the median loudness inside."""
MIN_LOUDNESS = 0.003
"""A step below this share of full scale is never loud: room noise on both sides is no word."""
RATE_HZ = 8000


def loudness(media: MediaFile, index: int, origin_seconds: Fraction) -> NDArray[np.float64]:
    """The root mean square of each step of a sound stream, `(steps,)`, full scale 1, from 0 ms of the file's clock.

    `origin_seconds` is what a player shows as 0. Raises `MediaError` where the stream does not decode.
    """
    with demux(media) as container:
        stream = container.streams[index]
        if not isinstance(stream, AvAudioStream):
            raise MediaError(f"stream {index} is not a sound stream")
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
        chunks: list[NDArray[Any]] = []
        start: Fraction | None = None
        try:
            for frame in container.decode(stream):
                beat()
                if start is None and frame.pts is not None and frame.time_base:
                    start = frame.pts * frame.time_base - origin_seconds
                chunks += [out.to_ndarray().reshape(-1) for out in resampler.resample(frame)]
        except (av.FFmpegError, ValueError) as e:
            raise MediaError(f"the sound of stream {index} does not decode: {reason_of(e)}") from None
    samples = np.concatenate(chunks) if chunks else np.zeros(0, np.float32)
    lead = round((start or Fraction(0)) * RATE_HZ)
    samples = np.concatenate([np.zeros(max(0, lead), np.float32), samples[max(0, -lead) :]])
    size = RATE_HZ // 1000 * STEP_MS
    steps = samples[: len(samples) // size * size].reshape(-1, size).astype(np.float64)
    return np.asarray(np.sqrt((steps**2).mean(axis=1)))


def cut_ends(levels: NDArray[np.float64], start_ms: int, end_ms: int) -> tuple[bool, bool]:
    """Whether the sound goes on over the start, and over the end, of a range; `levels` are those of `loudness`."""
    first, last = start_ms // STEP_MS, -(-end_ms // STEP_MS)
    inside = levels[first:last]
    if not inside.size:
        return False, False
    floor = max(MIN_LOUDNESS, LOUD_SHARE * float(np.median(inside)))
    before = levels[max(0, first - OUTSIDE_STEPS) : first + 1]
    after = levels[last - 1 : last + OUTSIDE_STEPS]
    return (
        first > 0 and before.size > 1 and bool((before > floor).all()),
        after.size > 1 and bool((after > floor).all()),
    )


def _covered(items: Sequence[AudioRange], ms: int, after: bool) -> bool:
    """Whether a range covers the sound just before or just after `ms`, so that a range ending there cuts nothing."""
    return any(r.start_ms <= ms < r.end_ms if after else r.start_ms < ms <= r.end_ms for r in items)


def cut_words(items: Sequence[AudioRange], stream: int, levels: NDArray[np.float64]) -> Iterator[Finding]:
    """The findings on all ranges of one stream: an end that another range covers cuts nothing."""
    for item in items:
        ends = (item.start_ms, item.end_ms)
        for cut, at, side in zip(cut_ends(levels, *ends), ends, ("start", "end"), strict=True):
            if cut and not _covered(items, at, after=side == "end"):
                when = clock_text(seconds(at))
                words = f"{item.id}: sound goes on over the {side} of the range ({when}); a word may be cut"
                yield Finding("cut-word", 60, words, item.id, stream, at, at + 1)


def inspect(manifest: Manifest, media: MediaFile) -> list[Finding]:
    """The findings on every range that is not rejected, on each sound stream that it applies to."""
    findings: list[Finding] = []
    zero = origin(media)
    for stream in manifest.source.streams:
        items = [r for _, r, effect in counted_ranges(manifest, stream.index) if effect is not None]
        if isinstance(stream, AudioStream) and items:
            findings += cut_words(items, stream.index, loudness(media, stream.index, zero))
    return findings
