"""Decoding one audio stream for speech recognition: every channel at 16 kHz, timed from 0 ms of the manifest.

0 ms is the earliest presentation time among the video and audio streams, edit lists and priming applied (SPEC §1.1.5):

    video   |.....#########          first frame at 1.5 s of the file's clock: 0 ms
    audio   |.......###########      first sample at 1.7 s: 200 ms
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
from veridact.locate.speech.recognizers.base import SAMPLE_RATE_HZ, Samples
from veridact.media.video import MediaFile, demux, reason_of
from veridact.sandbox.heartbeat import beat

GAP_SECONDS = Fraction(1, 10)
"""Where timestamps run ahead of the samples by more than this, silence fills the gap; less is rounding."""

MAX_CHANNELS = 64
MIN_DIFFERENCE_PERMILLE = 10
"""Two channels are distinct when, in some second, their difference has at least this share of their energy."""

SILENCE_MEAN_SQUARE = 30.0**2
"""The mean square of 16-bit samples up to which a second counts as silent."""


@dataclass(frozen=True)
class AudioBlock:
    """`(channels, n)` samples at 16 kHz; `start` is the first, counted from 0 ms, and negative in priming."""

    start: int
    samples: NDArray[np.int16]


def decode_blocks(media: MediaFile, index: int, origin_seconds: Fraction) -> Iterator[AudioBlock]:
    """The decoded audio of a stream in order; where a timestamp jumps ahead, so does the start of the next block.

    `origin_seconds` is 0 ms of the manifest on the file's clock. Raises `MediaError` where the stream does not decode.
    """
    with demux(media) as container:
        stream = container.streams[index]
        if not isinstance(stream, AudioStream):
            raise MediaError(f"stream {index} is not an audio stream")
        resampler: av.AudioResampler | None = None
        layout: str | None = None
        position: int | None = None
        try:
            for frame in _frames(container, stream):
                if frame.pts is None or frame.time_base is None:
                    raise MediaError(f"stream {index} has sound without a timestamp; remux it to MKV first")
                start = round((frame.pts * frame.time_base - origin_seconds) * SAMPLE_RATE_HZ)
                gap = position is not None and start - position > GAP_SECONDS * SAMPLE_RATE_HZ
                if position is None or resampler is None or gap or frame.layout.name != layout:
                    if resampler is not None and position is not None:
                        yield from _resampled(resampler, None, position)
                    resampler, layout = av.AudioResampler("s16p", None, SAMPLE_RATE_HZ), frame.layout.name
                    position = start
                frame.pts = None
                for block in _resampled(resampler, frame, position):
                    position = block.start + block.samples.shape[1]
                    yield block
        except (av.FFmpegError, ValueError) as e:
            raise MediaError(f"stream {index} has sound that does not decode: {reason_of(e)}") from None
        if resampler is None or position is None:
            raise MediaError(f"stream {index} has no sound that decodes")
        yield from _resampled(resampler, None, position)


def _frames(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise MediaError(f"stream {stream.index} is damaged or cut short")
        for frame in packet.decode():
            if isinstance(frame, AudioFrame) and frame.samples:
                beat()
                yield frame


def _resampled(resampler: av.AudioResampler, frame: AudioFrame | None, position: int) -> Iterator[AudioBlock]:
    """A frame at 16 kHz from sample `position` on; None flushes the resampler."""
    for resampled in resampler.resample(frame):
        channels = resampled.layout.nb_channels
        if channels > MAX_CHANNELS:
            raise MediaError(f"a stream has {channels} channels; downmix it to at most {MAX_CHANNELS} first")
        planes = [np.frombuffer(memoryview(resampled.planes[c]), np.int16, resampled.samples) for c in range(channels)]
        yield AudioBlock(position, np.stack(planes))
        position += resampled.samples


def distinct_channels(media: MediaFile, index: int, origin_seconds: Fraction) -> tuple[int, ...]:
    """The channels to transcribe: the first, and each that differs in some second from all that are distinct so far."""
    distinct = [0]
    for block in _one_second_blocks(decode_blocks(media, index, origin_seconds)):
        samples = block.astype(np.float64)
        for channel in range(1, len(samples)):
            if channel not in distinct and all(_differ(samples[channel], samples[other]) for other in distinct):
                distinct.append(channel)
    return tuple(distinct)


def _one_second_blocks(blocks: Iterator[AudioBlock]) -> Iterator[NDArray[np.int16]]:
    """The blocks concatenated to about a second each; a change in the number of channels ends one early."""
    pending: list[NDArray[np.int16]] = []
    count = 0
    for block in blocks:
        if pending and pending[0].shape[0] != block.samples.shape[0]:
            yield np.concatenate(pending, axis=1)
            pending, count = [], 0
        pending.append(block.samples)
        count += block.samples.shape[1]
        if count >= SAMPLE_RATE_HZ:
            yield np.concatenate(pending, axis=1)
            pending, count = [], 0
    if pending:
        yield np.concatenate(pending, axis=1)


def _differ(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    energy = max(float(np.mean(one**2)), float(np.mean(other**2)))
    difference = float(np.mean((one - other) ** 2))
    return energy > SILENCE_MEAN_SQUARE and difference * 1000 > energy * MIN_DIFFERENCE_PERMILLE


def channel_samples(
    media: MediaFile, index: int, origin_seconds: Fraction, channel: int
) -> Iterator[tuple[int, Samples]]:
    """One channel as `(start sample, samples)`; where the stream has fewer channels for a time, the first instead."""
    for block in decode_blocks(media, index, origin_seconds):
        yield block.start, np.ascontiguousarray(block.samples[channel if channel < len(block.samples) else 0])
