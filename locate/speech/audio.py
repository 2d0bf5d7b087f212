"""Decoding one audio stream for listening: every channel as 16 kHz mono, timed from 0 ms of the manifest.

0 ms is the earliest presentation time among the video and audio streams, edit lists and priming applied (SPEC §1.1.5):

    video   |.....#########          first frame at 1.5 s of the file's clock: 0 ms
    sound   |.......###########      first sample at 1.7 s: 200 ms
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from veridact.errors import MediaError
from veridact.locate.speech.recognizers.base import RATE_HZ, Sound
from veridact.media.video import MediaFile, demux, reason_of
from veridact.sandbox.heartbeat import beat

GAP_SECONDS = Fraction(1, 10)
"""Where timestamps run ahead of the samples by more than this, the gap is heard as silence; less is rounding."""

MAX_CHANNELS = 64
DIFFERENT_PERMILLE = 10
"""Channels are heard separately when, in some second, their difference holds this share of their energy."""

QUIET_ENERGY = 30.0**2
"""The mean square below which a second counts as silent."""


@dataclass(frozen=True)
class Block:
    """A run of samples, (channels, n) at 16 kHz; `start` counts samples of 16 kHz from 0 ms."""

    start: int
    samples: NDArray[np.int16]


def blocks(media: MediaFile, index: int, zero: Fraction) -> Iterator[Block]:
    """The sound of a stream in order, gaps filled with silence; raises `MediaError` where it does not decode."""
    with demux(media) as container:
        stream = container.streams[index]
        if not isinstance(stream, AudioStream):
            raise MediaError(f"stream {index} is no sound")
        resampler: av.AudioResampler | None = None
        layout: str | None = None
        at: int | None = None
        try:
            for frame in _frames(container, stream):
                if frame.pts is None or frame.time_base is None:
                    raise MediaError(f"stream {index} has sound without a timestamp; remux it to MKV first")
                due = round((frame.pts * frame.time_base - zero) * RATE_HZ)
                if at is None or resampler is None or due - at > GAP_SECONDS * RATE_HZ or frame.layout.name != layout:
                    if resampler is not None and at is not None:
                        yield from _resampled(resampler, None, at)
                    resampler, at, layout = av.AudioResampler("s16p", None, RATE_HZ), due, frame.layout.name
                frame.pts = None
                for block in _resampled(resampler, frame, at):
                    at = block.start + block.samples.shape[1]
                    yield block
        except (av.FFmpegError, ValueError) as e:
            raise MediaError(f"stream {index} has sound that does not decode: {reason_of(e)}") from None
        if resampler is None or at is None:
            raise MediaError(f"stream {index} has no sound that decodes")
        yield from _resampled(resampler, None, at)


def _frames(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise MediaError(f"stream {stream.index} is damaged or cut short")
        for frame in packet.decode():
            if isinstance(frame, AudioFrame) and frame.samples:
                beat()
                yield frame


def _resampled(resampler: av.AudioResampler, frame: AudioFrame | None, at: int) -> Iterator[Block]:
    for out in resampler.resample(frame):
        channels = out.layout.nb_channels
        if channels > MAX_CHANNELS:
            raise MediaError(f"a stream has {channels} channels; at most {MAX_CHANNELS} are heard")
        planes = [np.frombuffer(memoryview(out.planes[c]), np.int16, out.samples) for c in range(channels)]
        yield Block(at, np.stack(planes))
        at += out.samples


def distinct_channels(media: MediaFile, index: int, zero: Fraction) -> tuple[int, ...]:
    """The channels that must be heard: the first, and each that differs from all of those in some second."""
    distinct = [0]
    for block in _seconds(blocks(media, index, zero)):
        sound = block.astype(np.float64)
        for channel in range(1, len(sound)):
            if channel not in distinct and all(_differ(sound[channel], sound[other]) for other in distinct):
                distinct.append(channel)
    return tuple(distinct)


def _seconds(source: Iterator[Block]) -> Iterator[NDArray[np.int16]]:
    """Blocks gathered to about a second each."""
    held: list[NDArray[np.int16]] = []
    count = 0
    for block in source:
        if held and held[0].shape[0] != block.samples.shape[0]:
            yield np.concatenate(held, axis=1)
            held, count = [], 0
        held.append(block.samples)
        count += block.samples.shape[1]
        if count >= RATE_HZ:
            yield np.concatenate(held, axis=1)
            held, count = [], 0
    if held:
        yield np.concatenate(held, axis=1)


def _differ(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    energy = max(float(np.mean(one**2)), float(np.mean(other**2)))
    return energy > QUIET_ENERGY and float(np.mean((one - other) ** 2)) * 1000 > energy * DIFFERENT_PERMILLE


def channel(media: MediaFile, index: int, zero: Fraction, number: int) -> Iterator[tuple[int, Sound]]:
    """One channel as `(start sample, samples)`; a stretch with fewer channels gives its first."""
    for block in blocks(media, index, zero):
        yield block.start, np.ascontiguousarray(block.samples[number if number < len(block.samples) else 0])
