"""Going through the streams of a file: detection on video streams and pictures, a record of every other stream."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

import av
from av.audio.stream import AudioStream as AvAudioStream
from av.container import InputContainer
from av.video.stream import VideoStream as AvVideoStream

from veridact.errors import MediaError
from veridact.locate.video.detect import DetectorEnsemble
from veridact.locate.video.detections import DetectionStore
from veridact.locate.video.frames import DecodedFrame, FootageView, decode_picture, decode_video
from veridact.locate.video.sampling import rates
from veridact.media.origin import has_presented_packet, is_presented
from veridact.media.pictures import frame_count, open_picture
from veridact.media.pixel_formats import encoded_format
from veridact.media.probe import VideoTimeline, audio_record, other_record, picture_record, video_record
from veridact.media.video import MediaFile, demux, fraction, is_cover_art
from veridact.progress import ReportProgress
from veridact.schema.manifest import Source, Stream, VideoStream


@dataclass(frozen=True)
class StreamDetections:
    """A stream that detectors were run on: its displayed width and height in pixels, and all of its frames."""

    index: int
    seconds_per_pts: float
    size: tuple[int, int]
    frames: DetectionStore


def decode_again(media: MediaFile, stream: StreamDetections, threads: int) -> Generator[DecodedFrame, None, None]:
    """The frames of a stream from the first on, for the second pass; decoding is most of its work."""
    if media.format.library == "pillow":
        return (frame for frame, _ in decode_picture(media))
    return decode_video(media, stream.index, threads)


def detect_streams(
    media: MediaFile, ensemble: DetectorEnsemble, profile: str, report: ReportProgress
) -> tuple[Source, list[StreamDetections]]:
    """The record of the file as a source, and the detections in every stream that presents pictures.

    Raises `MediaError` where no stream presents pictures or sound that can be decoded.
    """
    if media.format.library == "pillow":
        kind = "picture"
        streams, detected = _picture(media, ensemble, report)
    else:
        streams, detected = _footage(media, ensemble, profile, report)
        kind = "video" if any(isinstance(s, VideoStream) for s in streams) else "audio"
    if all(s.type not in {"video", "audio", "picture"} for s in streams):
        raise MediaError("the file contains no pictures and no sound that can be decoded")
    source = Source.model_validate(
        {"kind": kind, "sha256": media.sha256, "bytes": media.size, "streams": tuple(streams)}
    )
    return source, detected


def _picture(
    media: MediaFile, ensemble: DetectorEnsemble, report: ReportProgress
) -> tuple[list[Stream], list[StreamDetections]]:
    durations_ms: list[int] = []

    def decoded() -> Iterator[DecodedFrame]:
        for frame, duration_ms in decode_picture(media):
            durations_ms.append(duration_ms)
            yield frame

    with open_picture(media) as image:
        total = frame_count(image)
    every_frame = replace(ensemble, stride=ensemble.stride or 1)
    frames = DetectionStore(
        rates.detect_frames(every_frame, decoded(), 1 / 1000, lambda done: report("frames", done, total))
    )
    with open_picture(media) as image:
        record = picture_record(image, media.format.name, durations_ms, searched=bool(ensemble.thresholds))
    return [record], [StreamDetections(0, 1 / 1000, (record.width, record.height), frames)]


def _footage(
    media: MediaFile, ensemble: DetectorEnsemble, profile: str, report: ReportProgress
) -> tuple[list[Stream], list[StreamDetections]]:
    streams: list[Stream] = []
    detected: list[StreamDetections] = []
    with demux(media) as container:
        for stream in container.streams:
            if isinstance(stream, AvVideoStream) and not is_cover_art(stream) and _presents_frames(media, stream):
                record, detections = _video(media, container, stream, ensemble, profile, report)
                streams.append(record)
                detected.append(detections)
            elif (
                isinstance(stream, AvAudioStream) and is_presented(stream) and has_presented_packet(media, stream.index)
            ):
                streams.append(audio_record(container, stream, searched=False))
            else:
                streams.append(other_record(stream))
    return streams, detected


def _presents_frames(media: MediaFile, stream: AvVideoStream) -> bool:
    """Whether a video stream has any frames; an empty one is recorded as another stream and not rendered."""
    if stream.codec_context is not None and stream.codec_context.format is not None:
        return True
    return has_presented_packet(media, stream.index)


def _video(
    media: MediaFile,
    container: InputContainer,
    stream: AvVideoStream,
    ensemble: DetectorEnsemble,
    profile: str,
    report: ReportProgress,
) -> tuple[VideoStream, StreamDetections]:
    first: list[FootageView] = []

    def decoded() -> Iterator[DecodedFrame]:
        for frame in decode_video(media, stream.index):
            if not first and isinstance(frame.view, FootageView):
                first.append(frame.view)
                # refuses on the first frame what the profile cannot encode, not after detection on all
                encoded_format(profile, frame.view.frame.format.name)
            yield frame

    total = _expected_frames(container, stream)
    seconds_per_pts = float(fraction(stream.time_base))
    frames = DetectionStore(
        rates.detect_frames(
            ensemble, decoded(), seconds_per_pts, lambda done: report(f"stream {stream.index} frames", done, total)
        )
    )
    coded = first[0].frame
    timeline = VideoTimeline([frame.pts for frame in frames], coded.width, coded.height, first[0].orientation)
    record = video_record(stream, timeline, searched=bool(ensemble.thresholds))
    return record, StreamDetections(stream.index, seconds_per_pts, (record.width, record.height), frames)


def _expected_frames(container: InputContainer, stream: AvVideoStream) -> int:
    """About how many frames a stream has, for the progress display; 0 where the file does not declare it."""
    if stream.frames or container.duration is None or stream.average_rate is None:
        return stream.frames
    return int(container.duration * stream.average_rate / av.time_base)
