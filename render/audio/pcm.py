"""Re-encoding of audio: decoded exactly, covered sample by sample, encoded without loss.

Integer samples stay as they are. A float or 32-bit sample of a lossy codec becomes 24 bits, rounded to the nearest
(scaling by a power of two and `rint` are exact in IEEE arithmetic); lossless audio that needs more bits than the output
has is refused.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from veridact.errors import MediaError
from veridact.media.containers import LOSSLESS_OF, MAX_FLAC_CHANNELS, alac_layout, layout_name
from veridact.render.audio.decode import Block, is_lossless
from veridact.render.audio.packets import AvAudioPacket
from veridact.render.audio.tone import silence_value, tone
from veridact.schema.plan.audio import Covers, Overlap, Span, sample_position

_CHUNK_SAMPLES = 4096
_DRIFT_MS = 5
_GAP_MS = 50
_LONGEST_GAP_S = 3600
# lpc_type=fixed is integer arithmetic only; ALAC's level 1 is its fixed predictor.
_FLAC = {"lpc_type": "fixed", "compression_level": "5"}
_ALAC = {"compression_level": "1"}
# PCM kept in its own format, because FLAC and ALAC have neither float nor 32-bit samples.
_WIDE = frozenset({"pcm_f32le", "pcm_f64le", "pcm_s32le"})
_KEPT_PCM = {"mp4": _WIDE, "mov": _WIDE, "mkv": _WIDE, "wav": _WIDE | {"pcm_u8", "pcm_s16le", "pcm_s24le"}}


@dataclass(frozen=True)
class AudioEncoding:
    """How a covered stream is encoded: a lossless codec, its sample format, and the significant `bits` of a sample."""

    codec: str
    sample_format: str
    planar: bool
    bits: int
    layout: str
    rate_hz: int
    options: tuple[tuple[str, str], ...] = ()


def choose_encoding(container: str, codec: str, block: Block) -> AudioEncoding:
    """How audio with the parameters of `block`, decoded from `codec`, is encoded in a container.

    Raises `MediaError` where the container has no exact encoding for it.
    """
    sample_format, bits = ("s16", 16) if block.sample_format in {"u8", "s16"} else ("s32", 24)
    kept = codec.replace("be", "le")
    channels = block.samples.shape[0]
    named = layout_name(block.layout, channels)
    if kept in _KEPT_PCM.get(container, ()):
        width = 32 if block.sample_format == "s32" and kept == "pcm_s32le" else bits
        layout = named if container == "mp4" else block.layout  # PCM in MP4 has no unnamed layouts
        return AudioEncoding(kept, block.sample_format, False, width, layout, block.rate_hz)
    pcm = AudioEncoding(f"pcm_s{bits}le", sample_format, False, bits, block.layout, block.rate_hz)
    match LOSSLESS_OF.get(container):
        case "flac" if channels > MAX_FLAC_CHANNELS and container == "mkv":
            return pcm
        case "flac":
            return AudioEncoding("flac", sample_format, False, bits, named, block.rate_hz, tuple(_FLAC.items()))
        case "alac":
            alac = alac_layout(named)
            if alac is not None:
                return AudioEncoding("alac", sample_format, True, bits, alac, block.rate_hz, tuple(_ALAC.items()))
            if container == "mov":
                return pcm
            raise MediaError(
                f"{container} cannot hold covered {block.layout} sound; set output.container to mkv or mp4"
            )
        case "pcm":
            return pcm
    raise MediaError(
        f"{container} cannot hold covered sound exactly; set output.container to flac, m4a or mkv, or remove the ranges"
    )


def add_encoder(output: Any, encoding: AudioEncoding) -> AudioStream:
    """Adds an audio stream with an open, single-threaded, bit-exact encoder to an output; raises `MediaError`."""
    try:
        stream: AudioStream = output.add_stream(
            encoding.codec,
            rate=encoding.rate_hz,
            options=dict(encoding.options),
            layout=encoding.layout,
            format=encoding.sample_format + ("p" if encoding.planar else ""),
            time_base=Fraction(1, encoding.rate_hz),
        )
        stream.codec_context.thread_count = 1
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        stream.codec_context.open()
    except (av.FFmpegError, ValueError) as e:
        raise MediaError(
            f"{encoding.layout} sound at {encoding.rate_hz} Hz cannot be written as {encoding.codec}; drop the stream"
        ) from e
    return stream


def convert_samples(block: Block, encoding: AudioEncoding, codec: str) -> NDArray[Any]:
    """The samples of a block, decoded from `codec`, in the sample format of `encoding`, shape (channels, n).

    Raises `MediaError` for lossless samples that would lose bits and for samples that are not finite.
    """
    samples = block.samples
    if block.sample_format == encoding.sample_format and (block.sample_format not in {"s32"} or encoding.bits == 32):
        return samples.copy()
    if block.sample_format == "u8":
        return np.asarray((samples.astype(np.int16) - 128) << 8, "<i2")
    if block.sample_format == "s32":
        if is_lossless(codec):
            if np.any(samples & 0xFF):
                raise MediaError("the sound has 32 bits a sample; set output.container to wav, or mkv with PCM sound")
            return samples.copy()
        wide: NDArray[Any] = np.clip((samples.astype(np.int64) + 128) >> 8, -(1 << 23), (1 << 23) - 1)
    else:
        if not np.all(np.isfinite(samples)):
            raise MediaError("the sound has samples that are no numbers; drop the stream in output.streams")
        wide = np.clip(np.rint(samples.astype(np.float64) * (1 << 23)), -(1 << 23), (1 << 23) - 1).astype(np.int64)
    return np.asarray(wide << 8, "<i4")


def cover_samples(
    samples: NDArray[Any], start: int, spans: Sequence[Span], encoding: AudioEncoding, tone_start: int
) -> int:
    """Covers `samples`, shape (channels, n), in place on every channel; returns how many sample times were covered.

    The first column is sample `start`; `spans` lie within it. `tone_start` is the step of the tone there.
    """
    shift = tone_start - start
    covered = np.zeros(samples.shape[1], bool)
    for span in spans:
        part = slice(span.start - start, span.end - start)
        if span.effect == "beep":
            step, count = span.start + shift, span.end - span.start
            samples[:, part] = tone(step, count, encoding.rate_hz, encoding.sample_format)
        else:
            samples[:, part] = silence_value(encoding.sample_format)
        covered[part] = True
    return int(np.count_nonzero(covered))


def timed_blocks(blocks: Iterator[Block], origin: Fraction) -> Iterator[tuple[int, int, Block]]:
    """Each block with its first sample's position by counting and by its timestamp, which differ by at most 50 ms.

    A difference of up to 5 ms is drift and moves the count. A gap of more than 50 ms is filled with silence, as players
    do. `origin` is sample 0 in seconds. Raises `MediaError` for timestamps that jump or run slower than the samples.
    """
    expected: int | None = None
    overlap: Overlap | None = None
    for block in blocks:
        stamped = int(sample_position(block.pts, block.time_base, origin, block.rate_hz) // 1)
        if expected is None or overlap is None:
            expected, overlap = stamped, Overlap(block.rate_hz)
        ahead = stamped - expected
        if abs(ahead) > _LONGEST_GAP_S * block.rate_hz:
            raise MediaError("the timestamps of the sound jump by hours; cut the file there first")
        jittery = abs(ahead) <= max(3 * block.time_base * block.rate_hz, Fraction(2))
        drifting = abs(ahead) * 1000 <= _DRIFT_MS * block.rate_hz
        if not jittery and (drifting or abs(ahead) * 1000 > _GAP_MS * block.rate_hz):
            overlap.check(expected, stamped)
            if not drifting and ahead > 0:
                yield from _silence(block, expected, ahead)
            expected = stamped
        yield expected, expected if jittery else stamped, block
        expected += block.samples.shape[1]


def _silence(like: Block, start: int, count: int) -> Iterator[tuple[int, int, Block]]:
    """Silent samples [start, start + count) as blocks of at most one chunk, with the parameters of `like`."""
    for at in range(start, start + count, _CHUNK_SAMPLES):
        size = min(_CHUNK_SAMPLES, start + count - at)
        quiet = np.full((like.samples.shape[0], size), silence_value(like.sample_format), like.samples.dtype)
        yield at, at, Block(like.pts, like.time_base, like.rate_hz, like.layout, like.sample_format, quiet)


def covered_chunks(
    blocks: Iterator[Block], encoding: AudioEncoding, codec: str, covers: Covers, origin: Fraction, chunk: int
) -> Iterator[tuple[int, NDArray[Any], int]]:
    """The covered audio in chunks of `chunk` samples (the last may be shorter): (position, samples, samples covered).

    The tone's phase counts output samples from the first, so that it is continuous.
    """
    pending: list[NDArray[Any]] = []
    start = size = covered = written = 0
    for at, stamped, block in timed_blocks(blocks, origin):
        samples = convert_samples(block, encoding, codec)
        count = samples.shape[1]
        if stamped != at:
            cover_samples(samples, stamped, covers.painted(stamped, stamped + count), encoding, written)
        covered += cover_samples(samples, at, covers.painted(at, at + count), encoding, written)
        start = at if not size else start
        pending.append(samples)
        size += count
        written += count
        if size >= chunk:
            joined = np.concatenate(pending, axis=1)
            for offset in range(0, size - size % chunk, chunk):
                yield start + offset, joined[:, offset : offset + chunk], covered
                covered = 0
            start, pending, size = start + size - size % chunk, [joined[:, size - size % chunk :]], size % chunk
    if size:
        yield start, np.concatenate(pending, axis=1), covered


def chunk_samples(stream: AudioStream) -> int:
    """The encoder's frame size in samples, or a default for an encoder that takes any number."""
    return stream.codec_context.frame_size or _CHUNK_SAMPLES


def encode(
    stream: AudioStream, chunks: Iterator[tuple[int, NDArray[Any], int]], encoding: AudioEncoding, origin: Fraction
) -> Iterator[tuple[AvAudioPacket, int]]:
    """The packets of the covered chunks, each with the number of covered samples encoded since the previous packet."""
    name = encoding.sample_format + ("p" if encoding.planar else "")
    origin_samples = int(origin * encoding.rate_hz // 1)
    covered = 0
    for start, samples, count in chunks:
        packed = samples if encoding.planar else samples.T.reshape(1, -1)
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(packed), format=name, layout=encoding.layout)
        frame.sample_rate = encoding.rate_hz
        frame.pts = start + origin_samples
        frame.time_base = Fraction(1, encoding.rate_hz)
        covered += count
        for packet in stream.encode(frame):
            yield packet, covered
            covered = 0
    for packet in stream.encode(None):
        yield packet, covered
        covered = 0
