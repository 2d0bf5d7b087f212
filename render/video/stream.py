"""Rendering one video stream: decoded once, split into segments by frame number, painted and encoded by workers.

decoder ──frames──► segment 0 ──► worker: copy, paint, encode, decode again, digest ──► segment file 0
                    segment 1 ──► worker: ...                                      ──► segment file 1
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.video.frame import VideoFrame
from av.video.stream import VideoStream as AvVideoStream

from veridact.errors import BindingError, VeridactError
from veridact.media.frames.side_data import has_captions, orientation
from veridact.media.pixel_formats import encoded_format
from veridact.media.video import MediaFile, decode, demux, fraction
from veridact.render.video import encoder, frames, interlace, segment_files, transparency, workers
from veridact.render.video.encoder import VideoSpec
from veridact.render.video.paint import paint
from veridact.render.video.planes import layout_of
from veridact.sandbox.heartbeat import patience
from veridact.schema.manifest import Manifest, VideoStream
from veridact.schema.plan.video import Raster, StreamPlan

SEGMENT_BYTES = 100_000_000
SEGMENT_FRAMES = (24, 64)
"""The least and the greatest length of a segment, which aims at `SEGMENT_BYTES` of decoded frames: long enough to
compress well, short enough that the frames of a segment waiting for a worker fit into memory."""

FEW_SEGMENTS = 4
"""Up to this number of segments, splitting evenly would make them much shorter and the output larger."""

Progress = Callable[[int], None]


@dataclass(frozen=True)
class EncodedVideo:
    """An encoded video stream, ready to mux; `paths` are its segment files in order.

    `last_ticks` is the duration of the last frame in ticks of its time base, 0 where the source does not say it.
    `captions` is whether the source frames carried closed captions, `mixed` whether some are interlaced and some not.
    """

    record: VideoStream
    spec: VideoSpec
    pts: Sequence[int]
    paths: Sequence[Path]
    captions: bool
    mixed: bool
    last_ticks: int

    @property
    def widened(self) -> bool:
        """Whether width or height was increased to whole chroma blocks."""
        return (self.spec.width, self.spec.height) != (self.record.coded_width, self.record.coded_height)


def segment_frames(record: VideoStream, bits: int) -> int:
    """The number of frames of a segment, from the input alone, so that boundaries do not depend on the workers.

    Above `FEW_SEGMENTS` the segments have equal lengths and an even count, so that two workers finish together.
    """
    frame_bytes = record.coded_width * record.coded_height * 3 // 2 * (1 if bits == 8 else 2)
    low, high = SEGMENT_FRAMES
    longest = max(low, min(high, SEGMENT_BYTES // max(1, frame_bytes)))
    count = -(-record.frames // longest)
    return longest if count <= FEW_SEGMENTS else -(-record.frames // (count + count % 2))


def spec_of(stream: AvVideoStream, first: VideoFrame, profile: str) -> VideoSpec:
    """The encoder's parameters, from the stream and its first frame; sides are rounded up to whole chroma blocks."""
    name = encoded_format(profile, first.format.name)
    layout = layout_of(name)
    order = interlace.order_of(first)
    step_x, step_y = interlace.block_of(layout, order != "progressive") if profile == "h264" else (1, 1)
    return VideoSpec(
        profile=profile,
        width=-(-first.width // step_x) * step_x,
        height=-(-first.height // step_y) * step_y,
        pixel_format=name,
        time_base=fraction(stream.time_base),
        rate=stream.average_rate or stream.guessed_rate or Fraction(25),
        sample_aspect_ratio=stream.sample_aspect_ratio,
        color_range=2 if first.format.name.startswith("yuvj") else int(first.color_range),
        color_primaries=int(first.color_primaries),
        color_trc=int(first.color_trc),
        colorspace=int(first.colorspace),
        orientation=orientation(first),
        fields=order,
    )


def _encode_segment(numbered: Iterator[workers.Numbered], plan: StreamPlan, spec: VideoSpec) -> segment_files.Segment:
    """Paints and encodes the frames of one segment, then decodes the packets to digest what a player will show."""
    covered: segment_files.Covered = {}
    blackened = 0

    def painted() -> Iterator[VideoFrame]:
        nonlocal blackened
        for number, frame in numbered:
            copy, planes = frames.copy(frame, spec)
            blackened += transparency.blacken(planes, (plan.raster.step_x, plan.raster.step_y))
            for track, pixels in paint(planes, plan.at(number)).items():
                frames_before, pixels_before = covered.get(track, (0, 0))
                covered[track] = (frames_before + 1, pixels_before + pixels)
            frames.widen(copy, planes, spec)
            yield copy

    extradata, packets = encoder.encode(spec, painted())
    digests = [frames.digest(frame) for frame in encoder.decode(spec, extradata, packets)]
    if len(digests) != len(packets):
        raise VeridactError(f"{len(packets)} packets decode to {len(digests)} frames")
    return segment_files.Segment(extradata, packets, digests, covered, blackened)


def encode_stream(
    media: MediaFile,
    manifest: Manifest,
    record: VideoStream,
    pts: Sequence[int],
    folder: Path,
    jobs: int,
    progress: Progress,
) -> EncodedVideo:
    """Renders one video stream into segment files in `folder`.

    `progress` is called with the number of each decoded frame. Raises `BindingError` for frames that are not the
    manifest's, `MediaError` for frames that do not decode.
    """
    with demux(media) as container:
        stream = next(s for s in container.streams.video if s.index == record.index)
        decoded = decode(container, stream)
        first = next(decoded)
        spec = spec_of(stream, first, manifest.output.profile or "")
        layout = layout_of(spec.pixel_format)
        binding = segment_files.binding_of(manifest)
        block = interlace.block_of(layout, spec.fields != "progressive")
        raster = Raster(record.coded_width, record.coded_height, record.orientation, *block)
        with patience():
            plan = StreamPlan(manifest, record, pts, raster)
        length = segment_frames(record, layout.bits)
        paths = [folder / f"{record.index:04}-{i:07}.segment" for i in range(-(-len(pts) // length))]

        def work(segment: int, numbered: Iterator[workers.Numbered]) -> None:
            if segment_files.is_usable(paths[segment], binding):
                for _ in numbered:
                    pass
            else:
                segment_files.write(paths[segment], binding, _encode_segment(numbered, plan, spec))

        source = _SourceFrames(record, pts)
        workers.run(source.checked(_prepend(first, decoded), progress), length, jobs, work)
    captions, mixed = True in source.captioned, len(source.interlaced) > 1
    return EncodedVideo(record, spec, pts, paths, captions, mixed, source.last_ticks)


class _SourceFrames:
    """The decoded frames of a stream, checked against the manifest, and the flags seen on them."""

    def __init__(self, record: VideoStream, pts: Sequence[int]) -> None:
        self._record = record
        self._pts = pts
        self.captioned: set[bool] = set()
        self.interlaced: set[bool] = set()
        self.last_ticks = 0

    def checked(self, decoded: Iterator[VideoFrame], progress: Progress) -> Iterator[VideoFrame]:
        """The frames in order; raises `BindingError` for a frame, or a number of frames, that is not the manifest's."""
        number = -1
        for number, frame in enumerate(decoded):
            frames.check(frame, self._record, number, self._pts)
            self.captioned.add(has_captions(frame))
            self.interlaced.add(frame.interlaced_frame)
            self.last_ticks = max(0, frame.duration)
            progress(number)
            yield frame
        if number + 1 != len(self._pts):
            raise BindingError(
                f"stream {self._record.index} ends after {number + 1} of {len(self._pts)} frames; run locate again"
            )


def _prepend(first: VideoFrame, rest: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    yield first
    yield from rest
