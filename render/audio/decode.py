"""Decoding that gives the same samples on every machine: integer decoders here, float decoders in a worker process.

The worker forces FFmpeg's plain C paths before any codec opens (`av_force_cpu_flags(0)` holds for the whole process,
and this one needs its fast paths for the picture).
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from veridact.errors import MachineError, MediaError
from veridact.media.containers import layout_name
from veridact.media.probe import codec_name
from veridact.media.video import MediaFile, demux, fraction, reason_of
from veridact.render.audio.packets import sound_packets
from veridact.sandbox.heartbeat import beat

MAX_CHANNELS = 8
# Codecs for which FFmpeg has an integer decoder beside its float one.
FIXED_DECODERS = {"aac": "aac_fixed", "mp3": "mp3", "mp2": "mp2", "mp1": "mp1", "ac3": "ac3_fixed"}
# Lossless or integer by nature: the decoder that FFmpeg picks is exact.
EXACT_PREFIXES = ("pcm_", "adpcm_")
EXACT_CODECS = frozenset({"flac", "alac", "tta", "wavpack", "ape", "truehd", "mlp", "wmalossless", "gsm", "gsm_ms"})
_DTYPES = {"u8": "u1", "s16": "<i2", "s32": "<i4", "flt": "<f4", "dbl": "<f8"}
# What libm picks by itself: these keep its sine and power tables off the fused multiply-add of newer processors.
_WORKER_TUNABLES = "glibc.cpu.hwcaps=-AVX,-AVX2,-FMA,-FMA4,-AVX512F"

Samples = NDArray[Any]


@dataclass(frozen=True)
class Block:
    """Decoded sound: `samples` is (channels, n) in the decoder's own numbers, `form` is u8, s16, s32, flt or dbl."""

    pts: int
    time_base: Fraction
    rate_hz: int
    layout: str
    form: str
    samples: Samples


def is_lossless(codec: str) -> bool:
    """Whether the codec's packets stand for whole numbers that any decoder gives alike."""
    return codec in EXACT_CODECS or codec.startswith(EXACT_PREFIXES)


def is_exact_here(codec: str) -> bool:
    """Whether this process decodes the codec exactly."""
    return codec in FIXED_DECODERS or is_lossless(codec)


def decoder_of(stream: AudioStream) -> AudioCodecContext:
    """An exact decoder of the stream, on one thread, that leaves out what an edit list or the codec hides."""
    own = stream.codec_context
    name = FIXED_DECODERS.get(codec_name(stream))
    context = own
    if name is not None:
        context = cast(AudioCodecContext, av.CodecContext.create(name, "r"))
        if own.extradata:
            context.extradata = own.extradata
        context.sample_rate = own.sample_rate
        context.layout = own.layout
        time_base = fraction(stream.time_base)
        context.options = {"pkt_timebase": f"{time_base.numerator}/{time_base.denominator}"}
    context.thread_count = 1
    context.flags |= av.codec.context.Flags.bitexact
    return context


def _block(frame: AudioFrame, stream: AudioStream, before: Block | None) -> Block:
    """A decoded frame as an array, timed by the one before where a packet holds several.

    Planes are read one by one, because PyAV reads past the eighth.
    """
    form = frame.format.name.removesuffix("p")
    channels = frame.layout.nb_channels
    if form not in _DTYPES or not 1 <= channels <= MAX_CHANNELS:
        raise MediaError(
            f"stream {stream.index} has {channels} channels of {form} samples; at most {MAX_CHANNELS} channels of 8 to "
            "32 bits can be covered; drop the stream"
        )
    dtype = np.dtype(_DTYPES[form])
    planes = frame.planes
    if frame.format.is_planar:
        samples = np.stack([np.frombuffer(memoryview(planes[c]), dtype, frame.samples) for c in range(channels)])
    else:
        samples = np.frombuffer(memoryview(planes[0]), dtype, frame.samples * channels).reshape(-1, channels).T.copy()
    pts, time_base = frame.pts, frame.time_base
    if pts is None and before is not None:
        pts = before.pts + int(Fraction(before.samples.shape[1], before.rate_hz) / before.time_base)
        time_base = before.time_base
    if pts is None or time_base is None:
        raise MediaError(f"stream {stream.index} has sound without a timestamp; remux it first: ffmpeg -i IN OUT.mkv")
    return Block(pts, time_base, frame.sample_rate, layout_name(frame.layout.name, channels), form, samples)


def decode_stream(container: InputContainer, stream: AudioStream) -> Iterator[Block]:
    """The presented samples of a stream in order; raises `MediaError` for damage or a change of rate or layout."""
    context = decoder_of(stream)
    shape: tuple[object, ...] | None = None
    before: Block | None = None
    number = 0
    try:
        for packet in sound_packets(container, stream):
            for frame in context.decode(packet if packet.size else None):
                if frame.is_corrupt:
                    raise MediaError(
                        f"sound packet {number} of stream {stream.index} is damaged; cut the file before it"
                    )
                block = _block(frame, stream, before)
                now = (block.rate_hz, block.layout, block.form)
                if shape is not None and now != shape:
                    raise MediaError(f"stream {stream.index} changes its rate or channels on the way; cut it there")
                shape = now
                if block.samples.shape[1]:
                    beat()
                    before = block
                    yield block
            number += 1
    except (av.FFmpegError, ValueError) as e:
        raise MediaError(f"sound packet {number} of stream {stream.index} does not decode: {reason_of(e)}") from None
    if shape is None:
        raise MediaError(f"stream {stream.index} has no sound that decodes")


def decode_blocks(media: MediaFile, index: int) -> Iterator[Block]:
    """The presented samples of stream `index`, by whichever process decodes its codec exactly."""
    with demux(media) as container:
        stream = container.streams[index]
        if not isinstance(stream, AudioStream):
            raise MediaError(f"stream {index} is no sound")
        if is_exact_here(codec_name(stream)):
            yield from decode_stream(container, stream)
            return
    yield from _worker_blocks(media, index)


def _worker_blocks(media: MediaFile, index: int) -> Iterator[Block]:
    """The blocks that a worker process decodes: each a line of JSON, then the raw samples."""
    request = {"fd": media.fd, "size": media.size, "format": media.format.name, "index": index}
    environment = {
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "GLIBC_TUNABLES": _WORKER_TUNABLES,
        "LC_ALL": "C",
    }
    with subprocess.Popen(  # noqa: S603 - this interpreter, a module of ours and numbers
        [sys.executable, "-s", "-m", "veridact.render.audio.decode_worker", json.dumps(request)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=(media.fd,),
        env=environment,
    ) as process:
        try:
            while True:
                line = process.stdout.readline() if process.stdout else b""
                head: dict[str, Any] = json.loads(line) if line else {"failed": "it ended early"}
                if "done" in head:
                    return
                if "refused" in head:
                    raise MediaError(head["refused"])
                if "failed" in head:
                    raise MachineError(f"the sound decoder process failed: {head['failed']}; run again")
                beat()
                yield _received(head, process.stdout.read(head["bytes"]) if process.stdout else b"")
        finally:
            process.kill()


def _received(head: dict[str, Any], data: bytes) -> Block:
    """A block from its JSON line and its samples."""
    samples = np.frombuffer(data, _DTYPES[head["form"]]).reshape(head["channels"], -1)
    time_base = Fraction(*head["time_base"])
    return Block(head["pts"], time_base, head["rate_hz"], head["layout"], head["form"], samples)
