"""Audio decoding with the same samples on every machine: integer decoders in process, float decoders in a worker.

The worker forces FFmpeg's plain C code before any codec opens. `av_force_cpu_flags(0)` applies to a whole process, and
this one needs the vector code for video.
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
from veridact.media.containers import kept_layout
from veridact.media.probe import codec_name
from veridact.media.video import MediaFile, demux, fraction, reason_of
from veridact.render.audio.packets import audio_packets
from veridact.sandbox.heartbeat import beat

MAX_PLANES, MAX_CHANNELS = 8, 64
"""Of planar and of interleaved samples: PyAV reads eight planes, a manifest states up to 64 channels."""

# FFmpeg's integer decoder of each codec that also has a float one.
FIXED_DECODERS = {"aac": "aac_fixed", "mp3": "mp3", "mp2": "mp2", "mp1": "mp1", "ac3": "ac3_fixed"}
# Lossless, or integer by specification: FFmpeg's default decoder is exact.
EXACT_PREFIXES = ("pcm_", "adpcm_")
EXACT_CODECS = frozenset({"flac", "alac", "tta", "wavpack", "ape", "truehd", "mlp", "wmalossless", "gsm", "gsm_ms"})
_DTYPES = {"u8": "u1", "s16": "<i2", "s32": "<i4", "flt": "<f4", "dbl": "<f8"}
# libm chooses its code by processor: this keeps its sine and power functions off fused multiply-add.
_WORKER_TUNABLES = "glibc.cpu.hwcaps=-AVX,-AVX2,-FMA,-FMA4,-AVX512F"

Samples = NDArray[Any]


@dataclass(frozen=True)
class Block:
    """A run of decoded samples: `samples` has shape (channels, n), `sample_format` is u8, s16, s32, flt or dbl.

    `pts` is the first sample's presentation time in ticks of `time_base`; `layout` is FFmpeg's channel layout name.
    """

    pts: int
    time_base: Fraction
    rate_hz: int
    layout: str
    sample_format: str
    samples: Samples


def is_lossless(codec: str) -> bool:
    """Whether the codec is lossless or integer by specification, so that every decoder gives the same samples."""
    return codec in EXACT_CODECS or codec.startswith(EXACT_PREFIXES)


def is_decoded_in_process(codec: str) -> bool:
    """Whether the codec decodes exactly without the worker process."""
    return codec in FIXED_DECODERS or is_lossless(codec)


def exact_decoder(stream: AudioStream) -> AudioCodecContext:
    """A single-threaded exact decoder of the stream that drops samples hidden by an edit list or as priming."""
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


def _block(frame: AudioFrame, stream: AudioStream, previous: Block | None) -> Block:
    """A decoded frame as a block; where it has no pts, as after the first of a packet, it follows `previous`.

    Planes are read one by one, because PyAV's `to_ndarray` reads beyond the eighth plane. Raises `MediaError`.
    """
    sample_format = frame.format.name.removesuffix("p")
    channels = frame.layout.nb_channels
    most = MAX_PLANES if frame.format.is_planar else MAX_CHANNELS
    if sample_format not in _DTYPES or not 1 <= channels <= most:
        raise MediaError(
            f"stream {stream.index} has {channels} channels of {sample_format} samples; at most {most} "
            "channels of 8 to 32 bits can be read; drop the stream"
        )
    dtype = np.dtype(_DTYPES[sample_format])
    planes = frame.planes
    if frame.format.is_planar:
        samples = np.stack([np.frombuffer(memoryview(planes[c]), dtype, frame.samples) for c in range(channels)])
    else:
        samples = np.frombuffer(memoryview(planes[0]), dtype, frame.samples * channels).reshape(-1, channels).T.copy()
    pts, time_base = frame.pts, frame.time_base
    if pts is None and previous is not None:
        pts = previous.pts + int(Fraction(previous.samples.shape[1], previous.rate_hz) / previous.time_base)
        time_base = previous.time_base
    if pts is None or time_base is None:
        raise MediaError(f"stream {stream.index} has sound without a timestamp; remux it first: ffmpeg -i IN OUT.mkv")
    layout = kept_layout(frame.layout.name, channels)
    return Block(pts, time_base, frame.sample_rate, layout, sample_format, samples)


def decode_stream(container: InputContainer, stream: AudioStream) -> Iterator[Block]:
    """The presented samples of a stream in order; raises `MediaError` for damage or a change of rate or layout."""
    context = exact_decoder(stream)
    parameters: tuple[object, ...] | None = None
    previous: Block | None = None
    number = 0
    try:
        for packet in audio_packets(container, stream):
            for frame in context.decode(packet if packet.size else None):
                if frame.is_corrupt:
                    raise MediaError(
                        f"sound packet {number} of stream {stream.index} is damaged; cut the file before it"
                    )
                block = _block(frame, stream, previous)
                current = (block.rate_hz, block.layout, block.sample_format)
                if parameters is not None and current != parameters:
                    raise MediaError(f"stream {stream.index} changes its rate or channels on the way; cut it there")
                parameters = current
                if block.samples.shape[1]:
                    beat()
                    previous = block
                    yield block
            number += 1
    except (av.FFmpegError, ValueError) as e:
        raise MediaError(f"sound packet {number} of stream {stream.index} does not decode: {reason_of(e)}") from None
    if parameters is None:
        raise MediaError(f"stream {stream.index} has no sound that decodes; drop it in output.streams")


def decode_blocks(media: MediaFile, index: int) -> Iterator[Block]:
    """The presented samples of stream `index`, decoded in process or by the worker, whichever is exact.

    Raises `MediaError` for a stream that does not decode, `MachineError` when the worker fails.
    """
    with demux(media) as container:
        stream = container.streams[index]
        if not isinstance(stream, AudioStream):
            raise MediaError(f"stream {index} is no sound")
        if is_decoded_in_process(codec_name(stream)):
            yield from decode_stream(container, stream)
            return
    yield from _worker_blocks(media, index)


def _worker_blocks(media: MediaFile, index: int) -> Iterator[Block]:
    """The blocks decoded by a worker process, each sent as a line of JSON and then the raw samples."""
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
                header: dict[str, Any] = json.loads(line) if line else {"failed": "it ended early"}
                if "done" in header:
                    return
                if "refused" in header:
                    raise MediaError(header["refused"])
                if "failed" in header:
                    raise MachineError(f"the sound decoder process failed: {header['failed']}; run again")
                beat()
                yield _received_block(header, process.stdout.read(header["bytes"]) if process.stdout else b"")
        finally:
            process.kill()


def _received_block(header: dict[str, Any], data: bytes) -> Block:
    """A block from its JSON line and its raw samples."""
    sample_format = header["sample_format"]
    samples = np.frombuffer(data, _DTYPES[sample_format]).reshape(header["channels"], -1)
    time_base = Fraction(*header["time_base"])
    return Block(header["pts"], time_base, header["rate_hz"], header["layout"], sample_format, samples)
