"""The video encoders and their options: a segment gives the same packets on every x86-64 machine.

docs/determinism.md says why each option is set.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from veridact.errors import VeridactError
from veridact.render.video.interlace import CODES, FieldOrder, marker
from veridact.sandbox.heartbeat import beat, patience

X264_PARAMS = "threads=1:lookahead-threads=1:sliced-threads=0:cpu-independent=1:open-gop=0"


@dataclass(frozen=True)
class Profile:
    """A video encoder with fixed options and its decoder; `reorder` is the reordering depth in frames."""

    encoder: str
    decoder: str
    options: dict[str, str]
    reorder: int

    @property
    def described(self) -> dict[str, str]:
        """The encoder and its options, for the receipt."""
        return {"encoder": self.encoder, **self.options}


PROFILES = {
    "h264": Profile(
        "libx264",
        "h264",
        {
            "preset": "veryfast",
            "crf": "19.5",
            "bf": "2",
            "b-pyramid": "normal",
            "g": "9999",
            "forced-idr": "1",
            "a53cc": "0",
            "udu_sei": "0",
            "x264-params": X264_PARAMS,
        },
        reorder=2,
    ),
    "lossless": Profile(
        "ffv1",
        "ffv1",
        {"level": "3", "slices": "4", "slicecrc": "1", "g": "1", "coder": "1", "context": "0"},
        reorder=0,
    ),
}


@dataclass(frozen=True)
class VideoSpec:
    """The parameters of an encoded stream: its size in pixels (whole chroma blocks), pixel format, times and colours.

    The colour fields are FFmpeg's AVCOL codes; `orientation` is the EXIF value.
    """

    profile: str
    width: int
    height: int
    pixel_format: str
    time_base: Fraction
    rate: Fraction
    sample_aspect_ratio: Fraction | None
    color_range: int
    color_primaries: int
    color_trc: int
    colorspace: int
    orientation: int
    fields: FieldOrder = "progressive"


@dataclass(frozen=True)
class EncodedPacket:
    """A packet of compressed video; `pts` in ticks of the stream's time base."""

    pts: int
    is_keyframe: bool
    data: bytes


def configure(context: VideoCodecContext, spec: VideoSpec) -> None:
    """Sets every parameter of an encoder that affects its output."""
    context.width, context.height, context.pix_fmt = spec.width, spec.height, spec.pixel_format
    context.time_base, context.framerate = spec.time_base, spec.rate
    context.thread_count = 1
    context.options = PROFILES[spec.profile].options
    context.flags |= Flags.bitexact | Flags.global_header | Flags.closed_gop
    if spec.fields != "progressive":
        context.flags |= Flags.interlaced_dct | Flags.interlaced_me
        context.field_order = CODES[spec.fields]
    if spec.fields == "bottom" and spec.profile == "h264":  # without it, x264 marks pictures as top field first
        context.options = {**context.options, "x264-params": f"{X264_PARAMS}:bff=1"}
    context.color_range, context.colorspace = spec.color_range, spec.colorspace
    context.color_primaries, context.color_trc = spec.color_primaries, spec.color_trc
    if spec.sample_aspect_ratio:
        context.sample_aspect_ratio = spec.sample_aspect_ratio


def encode(spec: VideoSpec, frames: Iterable[VideoFrame]) -> tuple[bytes, list[EncodedPacket]]:
    """Encodes the frames as one closed GOP: the codec's extradata, and the packets in decoding order."""
    context = cast(VideoCodecContext, av.CodecContext.create(PROFILES[spec.profile].encoder, "w"))
    configure(context, spec)
    mark = marker(spec.fields, spec.width, spec.height, spec.pixel_format)
    packets = []
    for frame in frames:
        packets += context.encode(mark(frame))
        beat()
    with patience():  # the encoder may buffer a dozen of the largest frames
        packets += context.encode(None)
    encoded = [EncodedPacket(p.pts, p.is_keyframe, bytes(p)) for p in packets if p.pts is not None]
    if len(encoded) != len(packets):
        raise VeridactError("the encoder put out a packet without a timestamp")
    return context.extradata or b"", encoded


def decode(spec: VideoSpec, extradata: bytes, packets: Iterable[EncodedPacket]) -> Iterator[VideoFrame]:
    """Decodes one encoded segment: the frames in presentation order, as a player shows them."""
    context = cast(VideoCodecContext, av.CodecContext.create(PROFILES[spec.profile].decoder, "r"))
    context.extradata = extradata
    context.thread_count = 1
    if spec.profile == "lossless":
        context.width, context.height, context.pix_fmt = spec.width, spec.height, spec.pixel_format
    context.flags |= Flags.bitexact
    for encoded in packets:
        packet = av.Packet(encoded.data)
        packet.pts = encoded.pts
        yield from context.decode(packet)
        beat()
    yield from context.decode(None)
