"""Everything that is not substituted: decoded exactly, covered sample by sample, and encoded without loss.

Integers stay integers. A float or 32-bit sample of a lossy codec becomes 24 bits, rounded to the nearest (a power of
two and `rint` are exact in IEEE arithmetic); lossless sound that needs more than the output holds is refused.
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
from veridact.media.containers import LOSSLESS_OF, alac_layout
from veridact.render.audio.decode import Block, is_lossless
from veridact.render.audio.packets import AudioPacket
from veridact.render.audio.tone import silence_of, tone
from veridact.schema.plan.audio import Covers, Overlap, Span, sample_position

_CHUNK_SAMPLES = 4096
_DRIFT_MS = 5
_GAP_MS = 50
_LONGEST_GAP_S = 3600
# lpc_type=fixed is integer arithmetic only; ALAC's level 1 is its fixed predictor.
_FLAC = {"lpc_type": "fixed", "compression_level": "5"}
_ALAC = {"compression_level": "1"}
# PCM that its container takes as it is, because FLAC and ALAC hold neither floats nor 32 bits.
_WIDE = frozenset({"pcm_f32le", "pcm_f64le", "pcm_s32le"})
_KEPT_PCM = {"mp4": _WIDE, "mov": _WIDE, "mkv": _WIDE, "wav": _WIDE | {"pcm_u8", "pcm_s16le", "pcm_s24le"}}


@dataclass(frozen=True)
class Target:
    """The lossless codec of a covered stream: `form` are its numbers, `bits` how many of them count."""

    codec: str
    form: str
    planar: bool
    bits: int
    layout: str
    rate_hz: int
    options: tuple[tuple[str, str], ...] = ()


def choose_target(container: str, codec: str, block: Block) -> Target:
    """How sound like `block`, decoded from `codec`, is written to a container; raises `MediaError` where it cannot."""
    form, bits = ("s16", 16) if block.form in {"u8", "s16"} else ("s32", 24)
    kept = codec.replace("be", "le")
    if kept in _KEPT_PCM.get(container, ()):
        width = 32 if block.form == "s32" and kept == "pcm_s32le" else bits
        return Target(kept, block.form, False, width, block.layout, block.rate_hz)
    pcm = Target(f"pcm_s{bits}le", form, False, bits, block.layout, block.rate_hz)
    match LOSSLESS_OF.get(container):
        case "flac":
            return Target("flac", form, False, bits, block.layout, block.rate_hz, tuple(_FLAC.items()))
        case "alac":
            layout = alac_layout(block.layout)
            if layout is not None:
                return Target("alac", form, True, bits, layout, block.rate_hz, tuple(_ALAC.items()))
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


def add_encoder(output: Any, target: Target) -> AudioStream:
    """Adds the stream to an open output, encoder set to one thread and to nothing that depends on the machine."""
    try:
        stream: AudioStream = output.add_stream(
            target.codec,
            rate=target.rate_hz,
            options=dict(target.options),
            layout=target.layout,
            format=target.form + ("p" if target.planar else ""),
            time_base=Fraction(1, target.rate_hz),
        )
        stream.codec_context.thread_count = 1
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        stream.codec_context.open()
    except (av.FFmpegError, ValueError) as e:
        raise MediaError(
            f"{target.layout} sound at {target.rate_hz} Hz cannot be written as {target.codec}; drop the stream"
        ) from e
    return stream


def converted(block: Block, target: Target, codec: str) -> NDArray[Any]:
    """The samples of a block in the numbers of its target; raises `MediaError` for what would lose bits."""
    samples = block.samples
    if block.form == target.form and (block.form not in {"s32"} or target.bits == 32):
        return samples.copy()
    if block.form == "u8":
        return np.asarray((samples.astype(np.int16) - 128) << 8, "<i2")
    if block.form == "s32":
        if is_lossless(codec):
            if np.any(samples & 0xFF):
                raise MediaError("the sound has 32 bits a sample; set output.container to wav, or mkv with PCM sound")
            return samples.copy()
        wide: NDArray[Any] = np.clip((samples.astype(np.int64) + 128) >> 8, -(1 << 23), (1 << 23) - 1)
    else:
        if not np.all(np.isfinite(samples)):
            raise MediaError("the sound holds samples that are no numbers; it cannot be rendered")
        wide = np.clip(np.rint(samples.astype(np.float64) * (1 << 23)), -(1 << 23), (1 << 23) - 1).astype(np.int64)
    return np.asarray(wide << 8, "<i4")


def paint(
    samples: NDArray[Any], start: int, spans: Sequence[Span], form: str, rate_hz: int, tone_from: int | None = None
) -> int:
    """Covers `samples`, of which the first is sample `start`, in place on every channel; says how many were covered.

    `tone_from` is the step of the tone at the first sample (default: `start`).
    """
    shift = (start if tone_from is None else tone_from) - start
    covered = np.zeros(samples.shape[1], bool)
    for span in spans:
        part = slice(span.start - start, span.end - start)
        beep = span.effect == "beep"
        samples[:, part] = tone(span.start + shift, span.end - span.start, rate_hz, form) if beep else silence_of(form)
        covered[part] = True
    return int(np.count_nonzero(covered))


def placed(blocks: Iterator[Block], origin: Fraction) -> Iterator[tuple[int, int, Block]]:
    """Each block with the sample it begins at by counting and by its timestamp, which may disagree by 50 ms.

    A difference of up to 5 ms is drift and moves the count; a gap of more than 50 ms becomes silence, as a player makes
    it. Raises `MediaError` for timestamps that jump or that run slower than the sound.
    """
    expected: int | None = None
    overlap: Overlap | None = None
    for block in blocks:
        at = int(sample_position(block.pts, block.time_base, origin, block.rate_hz) // 1)
        if expected is None or overlap is None:
            expected, overlap = at, Overlap(block.rate_hz)
        ahead = at - expected
        if abs(ahead) > _LONGEST_GAP_S * block.rate_hz:
            raise MediaError("the timestamps of the sound jump by hours; cut the file there first")
        jittery = abs(ahead) <= max(3 * block.time_base * block.rate_hz, Fraction(2))
        drifting = abs(ahead) * 1000 <= _DRIFT_MS * block.rate_hz
        if not jittery and (drifting or abs(ahead) * 1000 > _GAP_MS * block.rate_hz):
            overlap.check(expected, at)
            if not drifting and ahead > 0:
                yield from _silence(block, expected, ahead)
            expected = at
        yield expected, expected if jittery else at, block
        expected += block.samples.shape[1]


def _silence(like: Block, start: int, count: int) -> Iterator[tuple[int, int, Block]]:
    """`count` silent samples in blocks of one chunk."""
    for at in range(start, start + count, _CHUNK_SAMPLES):
        size = min(_CHUNK_SAMPLES, start + count - at)
        quiet = np.full((like.samples.shape[0], size), silence_of(like.form), like.samples.dtype)
        yield at, at, Block(like.pts, like.time_base, like.rate_hz, like.layout, like.form, quiet)


def covered_chunks(
    blocks: Iterator[Block], target: Target, codec: str, covers: Covers, origin: Fraction, chunk: int
) -> Iterator[tuple[int, NDArray[Any], int]]:
    """The covered sound in chunks of one length (the last may be shorter): position, samples, samples covered in it.

    The tone's phase counts the samples of the output from its first, so that it never jumps.
    """
    held: list[NDArray[Any]] = []
    start = size = covered = written = 0
    for at, stamped, block in placed(blocks, origin):
        samples = converted(block, target, codec)
        count = samples.shape[1]
        if stamped != at:
            paint(samples, stamped, covers.painted(stamped, stamped + count), target.form, target.rate_hz, written)
        covered += paint(samples, at, covers.painted(at, at + count), target.form, target.rate_hz, written)
        start = at if not size else start
        held.append(samples)
        size += count
        written += count
        if size >= chunk:
            whole = np.concatenate(held, axis=1)
            for offset in range(0, size - size % chunk, chunk):
                yield start + offset, whole[:, offset : offset + chunk], covered
                covered = 0
            start, held, size = start + size - size % chunk, [whole[:, size - size % chunk :]], size % chunk
    if size:
        yield start, np.concatenate(held, axis=1), covered


def chunk_samples(stream: AudioStream) -> int:
    """How many samples an encoder takes at a time."""
    return stream.codec_context.frame_size or _CHUNK_SAMPLES


def encode(
    stream: AudioStream, chunks: Iterator[tuple[int, NDArray[Any], int]], target: Target, origin: Fraction
) -> Iterator[tuple[AudioPacket, int]]:
    """The packets of covered chunks and how many covered samples went in since the packet before."""
    name = target.form + ("p" if target.planar else "")
    zero = int(origin * target.rate_hz // 1)
    covered = 0
    for start, samples, count in chunks:
        packed = samples if target.planar else samples.T.reshape(1, -1)
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(packed), format=name, layout=target.layout)
        frame.sample_rate = target.rate_hz
        frame.pts = start + zero
        frame.time_base = Fraction(1, target.rate_hz)
        covered += count
        for packet in stream.encode(frame):
            yield packet, covered
            covered = 0
    for packet in stream.encode(None):
        yield packet, covered
        covered = 0
