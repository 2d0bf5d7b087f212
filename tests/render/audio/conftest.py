"""Synthetic audio files, one way to render a stream into a file, and one way to decode it as a player does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from veridact.media.containers import MUXERS
from veridact.media.video import open_media
from veridact.render.audio.stream import AudioOutput, render_audio
from veridact.schema.plan.audio import SoundPlan

FINE = {"fflags": "+bitexact", "movie_timescale": "14112000"}


def noise(samples: int, channels: int, seed: int = 3) -> np.ndarray[Any, Any]:
    """Noise with another tone on every channel: float64 in ±0.5, shape (channels, samples)."""
    random = np.random.default_rng(seed)
    at = np.arange(samples)
    return np.stack(
        [0.3 * np.sin(at * (0.03 + 0.01 * c)) + random.normal(0, 0.04, samples) for c in range(channels)]
    ).clip(-0.5, 0.5)


def to_sample_format(values: np.ndarray[Any, Any], sample_format: str) -> np.ndarray[Any, Any]:
    """The values in a sample format; `s32` keeps 24 bits."""
    scaled = {
        "u8": lambda: (values * 127 + 128).astype("u1"),
        "s16": lambda: (values * 32767).astype("<i2"),
        "s32": lambda: (values * (1 << 23)).astype("<i4") << 8,
        "flt": lambda: values.astype("<f4"),
        "dbl": lambda: values.astype("<f8"),
    }
    return scaled[sample_format]()


def write_audio(
    path: Path,
    codec: str,
    container: str,
    *,
    rate: int = 48000,
    layout: str = "stereo",
    samples: int = 48000,
    sample_format: str | None = None,
    start: int = 0,
    options: dict[str, str] | None = None,
) -> None:
    """Encodes noise with FFmpeg into a file; `start` is the first pts in samples."""
    with av.open(
        str(path), "w", format=container, container_options=dict(FINE) if container == "mp4" else {}
    ) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout, options=options or {})
        if sample_format is not None:
            stream.codec_context.format = sample_format
        stream.codec_context.thread_count = 1
        stream.codec_context.flags |= av.codec.context.Flags.bitexact  # FFmpeg's AAC else names its encoder in a packet
        stream.codec_context.open()
        name = stream.codec_context.format.name
        size = stream.codec_context.frame_size or 1024
        values = to_sample_format(noise(samples, stream.codec_context.channels), name.removesuffix("p"))
        for at in range(0, samples, size):
            part = values[:, at : at + size]
            packed = part if name.endswith("p") else part.T.reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(packed), format=name, layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, start + at, Fraction(1, rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


@dataclass(frozen=True)
class DecodedAudio:
    """What a player presents: `samples` (channels, n), the time of the first in seconds, and the packets' bytes."""

    samples: np.ndarray[Any, Any]
    first: Fraction
    rate: int
    layout: str
    codec: str
    packets: tuple[bytes, ...]


def decode_audio(path: Path, index: int = 0) -> DecodedAudio:
    """Decodes one audio stream with libavcodec's default decoder, edit lists and priming applied."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[index]
        frames, packets = [], []
        for packet in container.demux(stream):
            packets.append(bytes(packet))
            frames += packet.decode()
        parts = []
        for frame in frames:
            channels = frame.layout.nb_channels
            dtype = {"u8": "u1", "s16": "i2", "s32": "i4", "flt": "f4", "dbl": "f8"}[
                frame.format.name.removesuffix("p")
            ]
            if frame.format.is_planar:
                planes = [np.frombuffer(memoryview(frame.planes[c]), dtype, frame.samples) for c in range(channels)]
                parts.append(np.stack(planes))
            else:
                flat = np.frombuffer(memoryview(frame.planes[0]), dtype, frame.samples * channels)
                parts.append(flat.reshape(-1, channels).T)
        return DecodedAudio(
            np.concatenate(parts, axis=1),
            Fraction(frames[0].pts) * frames[0].time_base,
            frames[0].sample_rate,
            frames[0].layout.name,
            stream.codec_context.codec.canonical_name,
            tuple(packets),
        )


def render_to(
    source: Path, plan: SoundPlan, container: str, target: Path, index: int = 0, **kwargs: Any
) -> AudioOutput:
    """Renders one stream of a file into a new file."""
    options = dict(FINE) if container in {"mp4", "mov", "m4a"} else {"fflags": "+bitexact"}
    with open_media(source) as media:
        out = render_audio(media, index, plan, kwargs.get("origin", Fraction(0)), container)
        options |= out.muxer_options()
        with av.open(str(target), "w", format=MUXERS[container], container_options=options) as output:
            stream = out.add_to(output)
            for packet in out.packets(stream):
                output.mux(packet)
        return out


@pytest.fixture
def audio_file(tmp_path: Path) -> Callable[..., Path]:
    """Makes a file of noise; gives its path."""

    def make(codec: str, container: str, **kwargs: Any) -> Path:
        path = tmp_path / f"in.{codec}.{container}"
        write_audio(path, codec, container, **kwargs)
        return path

    return make


@pytest.fixture
def rendered(tmp_path: Path) -> Callable[..., tuple[AudioOutput, Path]]:
    """Renders a stream; gives its `AudioOutput` and the path of the file."""
    numbers: Iterator[int] = iter(range(1000))

    def render(source: Path, plan: SoundPlan, container: str, **kwargs: Any) -> tuple[AudioOutput, Path]:
        target = tmp_path / f"out{next(numbers)}.{container}"
        return render_to(source, plan, container, target, **kwargs), target

    return render


@pytest.fixture
def decoded_audio() -> Callable[..., DecodedAudio]:
    """Decodes a file as a player does."""
    return decode_audio
