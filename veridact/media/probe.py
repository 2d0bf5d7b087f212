"""The records of a media file's streams for the `source` of a manifest."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from typing import Any

import av
from av.audio.stream import AudioStream as AvAudioStream
from av.container import InputContainer
from av.video.stream import VideoStream as AvVideoStream
from PIL import Image

from veridact.errors import MediaError
from veridact.media.pictures import exif_orientation
from veridact.media.video import fraction, is_cover_art
from veridact.schema.manifest import AudioStream, OtherStream, PictureStream, VideoStream
from veridact.schema.timeline import milliseconds_up, pts_sha256

MAX_CHANNELS = 64
"""Of a stream of sound: what a manifest states."""

_NOT_A_CODEC_CHARACTER = re.compile(r"[^a-z0-9_.\-]")


def codec_name(stream: object) -> str:
    """The codec of a stream as a short lower-case word, `unknown` where FFmpeg has no name for it."""
    context = getattr(stream, "codec_context", None)
    name = context.codec.canonical_name if context is not None else getattr(stream, "name", None)
    return _NOT_A_CODEC_CHARACTER.sub("-", (name or "unknown").lower())[:40]


@dataclass(frozen=True)
class VideoTimeline:
    """What decoding a video stream yields: every `pts` in its time base, the coded size, the EXIF orientation."""

    pts: Sequence[int]
    coded_width: int
    coded_height: int
    orientation: int


def video_record(stream: AvVideoStream, timeline: VideoTimeline, searched: bool | None) -> VideoStream:
    """The record of a decoded video stream."""
    time_base = fraction(stream.time_base)
    size = (timeline.coded_width, timeline.coded_height)
    width, height = size if timeline.orientation < 5 else size[::-1]
    return VideoStream(
        index=stream.index,
        type="video",
        codec=codec_name(stream),
        width=width,
        height=height,
        coded_width=timeline.coded_width,
        coded_height=timeline.coded_height,
        orientation=timeline.orientation,
        time_base=(time_base.numerator, time_base.denominator),
        frames=len(timeline.pts),
        pts_sha256=pts_sha256(timeline.pts),
        searched=searched,
    )


def audio_record(container: InputContainer, stream: AvAudioStream, searched: bool | None) -> AudioStream:
    """The record of an audio stream; its duration is the container's claim, for people to read.

    Raises `MediaError` for more channels than a manifest states.
    """
    seconds = Fraction(0)
    if stream.duration is not None:
        seconds = stream.duration * fraction(stream.time_base)
    elif container.duration is not None:
        seconds = Fraction(container.duration, av.time_base)
    if stream.channels > MAX_CHANNELS:
        raise MediaError(
            f"stream {stream.index} has {stream.channels} channels; mix it down to at most {MAX_CHANNELS} first: "
            f"ffmpeg -i IN -c:v copy -ac {MAX_CHANNELS} OUT.mov"
        )
    return AudioStream(
        index=stream.index,
        type="audio",
        codec=codec_name(stream),
        sample_rate=stream.sample_rate,
        channels=stream.channels,
        duration_ms=max(0, milliseconds_up(seconds)),
        searched=searched,
    )


def other_record(stream: object) -> OtherStream:
    """The record of a stream that is never rendered; cover art counts as an attachment."""
    kind = getattr(stream, "type", None)
    if is_cover_art(stream):
        kind = "attachment"
    record_type = kind if kind in {"data", "subtitle", "attachment"} else "unknown"
    return OtherStream.model_validate(
        {"index": getattr(stream, "index", 0), "type": record_type, "codec": codec_name(stream)}
    )


def picture_pts(durations_ms: Sequence[int]) -> list[int]:
    """The start of each frame of an animated picture in milliseconds; a frame without a duration counts as 1 ms."""
    return list(accumulate((max(1, d) for d in durations_ms[:-1]), initial=0))


def picture_record(image: Image.Image, format_name: str, durations_ms: Sequence[int], searched: bool) -> PictureStream:
    """The record of a picture; `durations_ms` has one entry a frame and makes up the timeline of an animated one."""
    orientation = exif_orientation(image)
    width, height = image.size if orientation < 5 else image.size[::-1]
    frames = len(durations_ms)
    pts = picture_pts(durations_ms)
    timeline: Any = {"time_base": (1, 1000), "pts_sha256": pts_sha256(pts)} if frames > 1 else {}
    return PictureStream(
        index=0,
        type="picture",
        codec=format_name.lower(),
        width=width,
        height=height,
        coded_width=image.width,
        coded_height=image.height,
        orientation=orientation,
        frames=frames,
        searched=searched,
        **timeline,
    )
