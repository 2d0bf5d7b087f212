"""Going through the streams of a file: footage and pictures are searched, everything else is listed."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

import av
from av.audio.stream import AudioStream as AvAudioStream
from av.container import InputContainer
from av.video.stream import VideoStream as AvVideoStream

from veridact.errors import MediaError
from veridact.locate.video.detect import Search
from veridact.locate.video.detections import Looks
from veridact.locate.video.frames import FootageView, Shown, footage, picture
from veridact.locate.video.sampling import rates
from veridact.media.origin import has_presented_packet
from veridact.media.pictures import frame_count, open_picture
from veridact.media.pixel_formats import encoded_format
from veridact.media.probe import VideoTimeline, audio_record, other_record, picture_record, video_record
from veridact.media.video import MediaFile, demux, fraction, is_cover_art
from veridact.progress import ReportProgress
from veridact.schema.manifest import Source, Stream, VideoStream


@dataclass(frozen=True)
class Searched:
    """A stream, its displayed width and height, and a look at each of its frames."""

    index: int
    seconds_per_pts: float
    size: tuple[int, int]
    looks: Looks


def again(media: MediaFile, stream: Searched, threads: int) -> Generator[Shown, None, None]:
    """The frames of a stream that was searched, from the first on, for another look; decoding is most of its work."""
    if media.format.library == "pillow":
        return (shown for shown, _ in picture(media))
    return footage(media, stream.index, threads)


def search_streams(
    media: MediaFile, search: Search, profile: str, report: ReportProgress
) -> tuple[Source, list[Searched]]:
    """The file as a source, and the looks at every stream that shows something."""
    if media.format.library == "pillow":
        kind = "picture"
        streams, searched = _picture(media, search, report)
    else:
        streams, searched = _footage(media, search, profile, report)
        kind = "video" if any(isinstance(s, VideoStream) for s in streams) else "audio"
    if all(s.type not in {"video", "audio", "picture"} for s in streams):
        raise MediaError("the file holds neither pictures nor sound that can be decoded")
    source = Source.model_validate(
        {"kind": kind, "sha256": media.sha256, "bytes": media.size, "streams": tuple(streams)}
    )
    return source, searched


def _picture(media: MediaFile, search: Search, report: ReportProgress) -> tuple[list[Stream], list[Searched]]:
    durations_ms: list[int] = []

    def noted() -> Iterator[Shown]:
        for shown, duration_ms in picture(media):
            durations_ms.append(duration_ms)
            yield shown

    with open_picture(media) as image:
        total = frame_count(image)
    every = replace(search, stride=search.stride or 1)
    looks = Looks(rates.looks(every, noted(), 1 / 1000, lambda done: report("frames", done, total)))
    with open_picture(media) as image:
        record = picture_record(image, media.format.name, durations_ms, searched=bool(search.thresholds))
    return [record], [Searched(0, 1 / 1000, (record.width, record.height), looks)]


def _footage(
    media: MediaFile, search: Search, profile: str, report: ReportProgress
) -> tuple[list[Stream], list[Searched]]:
    streams: list[Stream] = []
    searched: list[Searched] = []
    with demux(media) as container:
        for stream in container.streams:
            if isinstance(stream, AvVideoStream) and not is_cover_art(stream) and _shows(media, stream):
                record, looks = _video(media, container, stream, search, profile, report)
                streams.append(record)
                searched.append(looks)
            elif (
                isinstance(stream, AvAudioStream)
                and stream.codec_context is not None
                and has_presented_packet(media, stream.index)
            ):
                streams.append(audio_record(container, stream, searched=False))
            else:
                streams.append(other_record(stream))
    return streams, searched


def _shows(media: MediaFile, stream: AvVideoStream) -> bool:
    """Whether a video stream holds anything at all; an empty one is listed and left behind."""
    if stream.codec_context is not None and stream.codec_context.format is not None:
        return True
    return has_presented_packet(media, stream.index)


def _video(
    media: MediaFile,
    container: InputContainer,
    stream: AvVideoStream,
    search: Search,
    profile: str,
    report: ReportProgress,
) -> tuple[VideoStream, Searched]:
    first: list[FootageView] = []

    def checked() -> Iterator[Shown]:
        for shown in footage(media, stream.index):
            if not first and isinstance(shown.view, FootageView):
                first.append(shown.view)
                encoded_format(profile, shown.view.frame.format.name)
            yield shown

    total = _frames_expected(container, stream)
    seconds_per_pts = float(fraction(stream.time_base))
    looks = Looks(
        rates.looks(
            search, checked(), seconds_per_pts, lambda done: report(f"stream {stream.index} frames", done, total)
        )
    )
    frame = first[0].frame
    timeline = VideoTimeline([look.pts for look in looks], frame.width, frame.height, first[0].orientation)
    record = video_record(stream, timeline, searched=bool(search.thresholds))
    return record, Searched(stream.index, seconds_per_pts, (record.width, record.height), looks)


def _frames_expected(container: InputContainer, stream: AvVideoStream) -> int:
    """About how many frames a stream has, for the progress display; 0 where the file does not say."""
    if stream.frames or container.duration is None or stream.average_rate is None:
        return stream.frames
    return int(container.duration * stream.average_rate / av.time_base)
