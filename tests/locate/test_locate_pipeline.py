"""`locate` from file to manifest with a detector that needs no model: orientation, streams, shots, order, refusals."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from veridact.errors import MediaError, MissingModelError, UsageError
from veridact.locate import pipeline
from veridact.locate.options import Options
from veridact.locate.pipeline import detectors_for, locate
from veridact.locate.speech.pipeline import AudioStreamResult, SpeechResult
from veridact.locate.speech.ranges import ProposedRange
from veridact.media.pictures import displayed
from veridact.schema import writer
from veridact.schema.geometry import edges, matrix_of_orientation
from veridact.schema.manifest import Manifest, Producer, VideoStream

STILL = [(40, 30)] * 12


def located(path: Path, squares: str, **options: Any) -> Manifest:
    request = Options(**{"labels": ("face",), "detectors": (squares,), "workers": 2, **options})
    return locate(path, request, detectors_for(request), lambda what, done, total: None).manifest


def test_a_clip_becomes_one_track(square_clip: Callable[..., Path], squares: str) -> None:
    manifest = located(square_clip([(20 + 2 * n, 30) for n in range(30)]), squares)
    (track,) = manifest.tracks
    assert (track.id, track.label, track.review, track.origin.by) == ("face-0001", "face", "proposed", "p1")
    assert track.segments[0].end == 30
    assert len(track.segments[0].keys) <= 3
    stream = manifest.source.streams[0]
    assert isinstance(stream, VideoStream)
    assert (stream.frames, stream.searched) == (30, True)


def test_two_runs_write_the_same_bytes(square_clip: Callable[..., Path], squares: str) -> None:
    path = square_clip([(20 + 3 * n % 40, 30) for n in range(30)])
    assert writer.write(located(path, squares)) == writer.write(located(path, squares))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_of_the_clip_as_displayed(orientation: int, square_clip: Callable[..., Path], squares: str) -> None:
    path = square_clip(STILL, "turned.mp4", matrix=matrix_of_orientation(orientation))
    manifest = located(path, squares)
    stored = Image.new("L", (160, 120))
    stored.paste(255, (40, 30, 64, 62))
    turned = displayed(stored, orientation)
    stream = manifest.source.streams[0]
    assert isinstance(stream, VideoStream)
    assert (stream.width, stream.height, stream.orientation) == (*turned.size, orientation)
    found = edges(manifest.tracks[0].segments[0].keys[0].box)
    for got, want in zip(found, turned.getbbox() or (), strict=True):
        assert abs(got - want) <= 5


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_of_the_picture_as_displayed(orientation: int, tmp_path: Path, squares: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.zeros((120, 160, 3), np.uint8))
    stored.paste((255, 255, 255), (40, 30, 64, 62))
    stored.save(tmp_path / "p.png", exif=exif)
    manifest = located(tmp_path / "p.png", squares)
    assert edges(manifest.tracks[0].segments[0].keys[0].box) == displayed(stored, orientation).getbbox()
    assert manifest.output.container == "png"


def test_every_frame_of_an_animated_picture_is_searched(tmp_path: Path, squares: str) -> None:
    frames = [Image.fromarray(np.zeros((60, 80), np.uint8)) for _ in range(5)]
    for n, frame in enumerate(frames):
        frame.putpixel((60 + n, 50), 90)  # or the writer would merge frames that are alike
    for n in (2, 3):
        frames[n].paste(255, (10, 10, 40, 40))
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[40, 80, 120, 40, 40], loop=0)
    manifest = located(tmp_path / "a.gif", squares, pad_frames=0)
    (segment,) = manifest.tracks[0].segments
    assert (segment.keys[0].frame, segment.end) == (2, 4)


def test_only_the_first_picture_of_a_jpeg_counts(tmp_path: Path, squares: str) -> None:
    first, second = (Image.fromarray(np.full((40, 40, 3), v, np.uint8)) for v in (0, 255))
    first.save(tmp_path / "m.jpg", format="MPO", save_all=True, append_images=[second])
    manifest = located(tmp_path / "m.jpg", squares)
    assert manifest.source.streams[0].model_dump()["frames"] == 1
    assert manifest.tracks == ()


def test_no_track_crosses_a_cut(tmp_path: Path, squares: str) -> None:
    path = tmp_path / "cut.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for n in range(20):
            pixels = np.full((120, 160, 3), 10 if n < 10 else 110, np.uint8)
            pixels[30:62, 40:64] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(stream.encode(None))
    manifest = located(path, squares)
    assert [(t.segments[0].keys[0].frame, t.segments[0].end) for t in manifest.tracks] == [(0, 10), (10, 20)]


def test_every_video_stream_is_searched_and_every_other_listed(
    tmp_path: Path, square_clip: Callable[..., Path], squares: str
) -> None:
    path = tmp_path / "many.mkv"
    with av.open(str(square_clip(STILL))) as source, av.open(str(path), "w") as container:
        packets = [p for p in source.demux(video=0) if p.size]
        streams = [container.add_stream_from_template(source.streams.video[0]) for _ in range(2)]
        sound = container.add_stream("flac", rate=48000, layout="mono")
        for stream in streams:
            for packet in packets:
                packet.stream = stream
                container.mux(packet)
        block = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.int16), "s16", "mono")
        block.sample_rate, block.pts, block.time_base = 48000, 0, Fraction(1, 48000)
        container.mux([*sound.encode(block), *sound.encode(None)])
    manifest = located(path, squares)
    assert [(s.type, getattr(s, "searched", None)) for s in manifest.source.streams] == [
        ("video", True), ("video", True), ("audio", False),
    ]  # fmt: skip
    assert [(t.id, t.stream) for t in manifest.tracks] == [("face-0001", 0), ("face-0002", 1)]
    assert [(s.index, s.disposition) for s in manifest.output.streams or ()] == [
        (0, "render"), (1, "render"), (2, "render"),
    ]  # fmt: skip


def test_frames_between_strides_are_interpolated(square_clip: Callable[..., Path], squares: str) -> None:
    manifest = located(square_clip([(20 + 2 * n, 30) for n in range(31)]), squares, stride=5)
    (segment,) = manifest.tracks[0].segments
    assert (segment.keys[0].frame, segment.end) == (0, 31)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"labels": ("screen",)}, MissingModelError, "no embedded detector has the label screen"),
        ({"detectors": ("nosuch",)}, UsageError, "there is no detector 'nosuch'"),
    ],
)
def test_refusals(
    options: dict[str, Any], error: type[Exception], says: str, square_clip: Callable[..., Path], squares: str
) -> None:
    with pytest.raises(error, match=says):
        located(square_clip(STILL), squares, **options)


def test_sound_that_the_container_cannot_hold_is_refused(clip: Callable[..., Path], squares: str) -> None:
    path = clip("flac.mkv", frames=5, audio="flac")
    with pytest.raises(MediaError, match="mov cannot hold the flac sound of stream 1; use --container mp4"):
        located(path, squares, container="mov")


def test_pixels_that_the_profile_cannot_hold_are_refused(clip: Callable[..., Path], squares: str) -> None:
    path = clip("rgb.mkv", frames=2, codec="ffv1", pixel_format="bgr0")
    with pytest.raises(MediaError, match="lossless"):
        located(path, squares)
    assert located(path, squares, profile="lossless").output.container == "mkv"


def test_sound_is_marked_searched_and_its_ranges_written(
    clip: Callable[..., Path], squares: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locate_speech(media: Any, options: Any, report: Any) -> SpeechResult:
        producer = Producer(id="heard", kind="model", name="stub", settings={"labels": ",".join(options.labels)})
        ranges = (
            ProposedRange("phone_number", 40, 90, 800, 1, "heard"),
            ProposedRange("email", 10, 30, 700, 1, "heard"),
        )
        return SpeechResult((AudioStreamResult(1, True, None, None),), ranges, (producer,))

    monkeypatch.setattr(pipeline, "locate_speech", locate_speech)
    manifest = located(clip("c.mp4", frames=5, audio="aac"), squares, labels=("face", "phone_number", "email"))
    assert [(s.type, s.searched) for s in manifest.source.streams] == [("video", True), ("audio", True)]
    assert [(a.id, a.start_ms) for a in manifest.audio] == [("email-0001", 10), ("phone-number-0001", 40)]
    assert manifest.producers[-1].settings == {"labels": "phone_number,email"}


def test_sound_that_could_not_be_searched_is_dropped(
    clip: Callable[..., Path], squares: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = SpeechResult((AudioStreamResult(1, False, "no decoder", None),), (), ())
    monkeypatch.setattr(pipeline, "locate_speech", lambda media, options, report: nothing)
    manifest = located(clip("c.mp4", frames=5, audio="aac"), squares, labels=("face", "email"))
    assert manifest.source.streams[1].model_dump()["searched"] is False
    assert [s.disposition for s in manifest.output.streams or ()] == ["render", "drop"]


@pytest.mark.parametrize(("codec", "container"), [("aac", "m4a"), ("flac", "mp4")])
def test_sound_alone_keeps_a_container_that_holds_it(
    codec: str, container: str, tmp_path: Path, squares: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert located(sound_alone(tmp_path, codec), squares).output.container == container


def sound_alone(folder: Path, codec: str) -> Path:
    path = folder / "s.mp4"
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream(codec, rate=48000, layout="mono")
        block = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.int16), "s16", "mono")
        block.sample_rate, block.pts, block.time_base = 48000, 0, Fraction(1, 48000)
        output.mux([*stream.encode(block), *stream.encode(None)])
    return path


def test_only_models_that_ran_are_producers(
    tmp_path: Path, clip: Callable[..., Path], squares: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an audio file no detector runs, so none is a producer of its manifest."""
    recognizer = Producer(id="p2", kind="model", name="stub", settings={})

    def searches(index: int) -> Callable[..., SpeechResult]:
        return lambda *_: SpeechResult((AudioStreamResult(index, True, None, None),), (), (recognizer,))

    monkeypatch.setattr(pipeline, "locate_speech", searches(0))
    alone = located(sound_alone(tmp_path, "flac"), squares, labels=("face", "email"))
    monkeypatch.setattr(pipeline, "locate_speech", searches(1))
    both = located(clip("c.mp4", frames=5, audio="aac"), squares, labels=("face", "email"))
    assert [p.name for p in alone.producers] == ["stub"]
    assert [p.name for p in both.producers] == ["squares", "stub"]
