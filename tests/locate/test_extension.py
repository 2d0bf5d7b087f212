"""Track extension beyond the ends of tracks: until the object is lost, within the shot and the picture."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from veridact.errors import MediaError
from veridact.locate.detectors import registry
from veridact.locate.detectors.base import Detection, View
from veridact.locate.options import Options
from veridact.locate.pipeline import detectors_for, locate
from veridact.locate.video.detections import FrameDetections
from veridact.locate.video.extension import MAX_EXTENSION_FRAMES, Shot, TrackExtender
from veridact.locate.video.frames import DecodedFrame, PictureView, decode_video
from veridact.locate.video.tracklets import Observation, Observations, Tracklet
from veridact.media.video import open_media
from veridact.schema.manifest import Producer

SIZE = (320, 240)
SIDE = 24
FPS = 25
REACH = MAX_EXTENSION_FRAMES


class CropSensitive:
    """Detects the brightest square in frames, and a dim one only in a crop."""

    labels = frozenset({"face"})
    min_interval_seconds = 0.0
    interval_seconds = 0.17

    def __init__(self) -> None:
        self.producer = Producer(id="p1", kind="model", name="crop-sensitive", settings={})
        self.crops = 0
        self.crops_before_release: list[int] = []

    def release(self) -> None:
        self.crops_before_release.append(self.crops)

    def detect(self, view: View) -> list[Detection]:
        self.crops += view.is_crop
        bright = view.rgb(view.width, view.height).min(axis=2) > (60 if view.is_crop else 160)
        if not bright.any():
            return []
        rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
        edges = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
        return [Detection("face", *edges, 0.15 if view.is_crop else 0.9, "p1")]


def picture(x: float, brightness: int, size: tuple[int, int] = SIZE) -> Image.Image:
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    if x + SIDE > 0:
        pixels[100 : 100 + SIDE, max(0, round(x)) : max(0, round(x) + SIDE)] = brightness
    return Image.fromarray(pixels)


def face(x: float) -> Detection:
    return Detection("face", x, 100, x + SIDE, 100 + SIDE, 0.9, "p1")


def frames(places: Callable[[int], float], dim: range, count: int) -> Iterator[DecodedFrame]:
    """A square that is dim on some frames and absent on all others; the second pass needs no bright one."""
    for n in range(count):
        yield DecodedFrame(n, n, PictureView(picture(places(n), 90 if n in dim else 0)))


def shot(first: int, end: int, *tracklets: Tracklet, right: float = 0.0) -> Shot:
    shifts = {n: (right if n > first else 0.0, 0.0) for n in range(first, end)}
    frames_of_shot = [FrameDetections(n, n, (), 0.0, frozenset({"face"}), shift) for n, shift in shifts.items()]
    return Shot(frames_of_shot, tracklets, SIZE, 1 / FPS)


def tracklet_on(places: Callable[[int], float], *numbers: int) -> Tracklet:
    return Tracklet("face", Observations(Observation(n, face(places(n)), True) for n in numbers))


def extended(
    shots: list[Shot], decoded: Iterator[DecodedFrame], detector: "CropSensitive | None" = None
) -> list[list[int]]:
    """The frames of each tracklet after the second pass."""
    with ThreadPoolExecutor(2) as pool:
        extender = TrackExtender(decoded, [detector or CropSensitive()], pool, ahead=2)
        found = [tracklet for shot in shots for tracklet in extender.extend(shot, lambda done: None)]
    return [[o.frame for o in tracklet.observations] for tracklet in found]


def standing(n: int) -> float:
    return 150.0


def walking(n: int) -> float:
    return 20.0 + 4 * n


@pytest.mark.parametrize(
    ("name", "places", "dim", "first", "end", "observed", "expected"),
    [
        ("dim on both sides", standing, range(24, 37), 0, 60, (28, 29, 30), range(24, 37)),
        ("nothing on either side", standing, range(0), 0, 60, (28, 29, 30), range(28, 31)),
        ("walking on", walking, range(18, 42), 0, 60, (28, 29, 30), range(18, 42)),
        ("not over a cut", standing, range(60), 26, 34, (28, 29, 30), range(26, 34)),
        ("as far as it reaches", standing, range(60), 0, 60, (28, 29, 30), range(28 - REACH, 31 + REACH)),
        ("out of the picture", lambda n: 300.0 - 12 * (30 - n), range(60), 0, 60, (28, 29, 30), range(8, 31)),
    ],
)  # fmt: skip
def test_a_track_is_extended_beyond_its_ends(
    name: str, places: Callable[[int], float], dim: range, first: int, end: int, observed: tuple[int, ...],
    expected: range,
) -> None:  # fmt: skip
    tracklet = tracklet_on(places, *observed)
    assert extended([shot(first, end, tracklet)], frames(places, dim, 60)) == [list(expected)]


def test_the_camera_motion_is_added_to_the_prediction() -> None:
    def panned(n: int) -> float:
        return 20.0 + 5 * n

    still = Tracklet("face", Observations(Observation(n, face(20.0), True) for n in (20, 21, 22)))
    assert extended([shot(0, 50, still, right=5.0)], frames(panned, range(10, 30), 60)) == [list(range(10, 30))]


def test_an_object_is_lost_after_three_misses() -> None:
    detector = CropSensitive()
    extended([shot(0, 60, tracklet_on(standing, 28, 29, 30))], frames(standing, range(0), 60), detector)
    assert detector.crops == 2 * 3


def test_a_detection_of_another_tracklet_is_left_to_it() -> None:
    tracklets = (tracklet_on(standing, 10, 11), tracklet_on(standing, 15, 16))
    assert extended([shot(0, 30, *tracklets)], frames(standing, range(60), 60)) == [
        [*range(10), 10, 11, 12, 13, 14], [12, 13, 14, 15, 16, *range(17, 30)],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "observed", "min_interval_seconds", "decoded"),
    [
        ("a track as long as its shot", range(30), 0.0, 0),
        ("a track that ends before", range(10), 0.0, 30),
        ("detectors with a minimum interval take no part", range(10), 0.5, 0),
    ],
)
def test_no_frame_is_decoded_again_for_nothing(
    name: str, observed: range, min_interval_seconds: float, decoded: int
) -> None:
    detector = CropSensitive()
    detector.min_interval_seconds = min_interval_seconds
    again = frames(standing, range(0), 60)
    extended([shot(0, 30, tracklet_on(standing, *observed))], again, detector)
    assert next(again).number == decoded


def test_ends_are_searched_in_order_and_created_when_they_are_near(monkeypatch: pytest.MonkeyPatch) -> None:
    """An end takes memory, and a long shot has thousands."""
    made: list[tuple[int, int]] = []
    make = Shot._end
    monkeypatch.setattr(Shot, "_end", lambda self, n, step: made.append((n, step)) or make(self, n, step))
    tracklets = [tracklet_on(standing, 30 * n + 25, 30 * n + 26) for n in range(40)]
    visited: dict[tuple[int, int], list[int]] = {}
    for frame, ends in shot(0, 1250, *tracklets).frames_to_search(frozenset({"face"})):
        for end in ends:
            visited.setdefault((end.tracklet, end.frames.step), []).append(frame)
        assert len(made) <= len(visited) + 1
    assert visited == {
        **{(n, -1): list(range(30 * n + 25 - MAX_EXTENSION_FRAMES, 30 * n + 25)) for n in range(40)},
        **{(n, 1): list(range(30 * n + 27, 30 * n + 27 + MAX_EXTENSION_FRAMES)) for n in range(40)},
    }


def test_fewer_frames_in_the_second_pass_are_an_error() -> None:
    with pytest.raises(MediaError, match="fewer frames"):
        extended([shot(0, 60, tracklet_on(standing, 28, 29, 30))], frames(standing, range(60), 35))


def test_shots_are_extended_one_after_the_other() -> None:
    """A face before and after a cut; the frames of a shot without tracklets are skipped."""
    shots = [shot(0, 20, tracklet_on(standing, 5, 6)), shot(20, 40), shot(40, 60, tracklet_on(standing, 50, 51))]
    decoded = frames(standing, range(60), 80)
    assert extended(shots, decoded) == [list(range(20)), list(range(40, 60))]
    assert next(decoded).number == 60


def test_locate_runs_the_second_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bright on frames 20 to 39, dim for ten frames on either side: the cover lasts as long as the face does."""
    path = tmp_path / "fading.gif"
    light = [0] * 10 + [90] * 10 + [220] * 20 + [90] * 10 + [0] * 10
    pages = [picture(150, value) for value in light]
    for n, page in enumerate(pages):
        page.putpixel((n, 0), (9, 9, 9))  # or the writer would merge equal frames
    pages[0].save(path, save_all=True, append_images=pages[1:], duration=40, loop=0)
    detector = CropSensitive()
    monkeypatch.setattr(registry, "load", lambda specs, asked: [detector])
    asked = Options(labels=("face",), workers=2, pad_frames=0, thresholds={"face": 0.4})
    manifest = locate(path, asked, detectors_for(asked), lambda what, done, total: None).manifest
    (track,) = manifest.tracks
    assert (track.segments[0].keys[0].frame, track.segments[0].end) == (10, 50)
    assert detector.crops_before_release == [0]
    assert detector.crops > 0


def test_decoding_on_several_threads_yields_the_same_frames(square_clip: Callable[..., Path]) -> None:
    clip = square_clip([(20 + 2 * n, 30) for n in range(40)], "squares.mp4")
    with open_media(clip) as media:
        one, three = (
            [(s.number, s.pts, s.view.rgb(160, 120).tobytes()) for s in decode_video(media, 0, threads)]
            for threads in (1, 3)
        )
    assert len(one) == 40
    assert one == three


class Faint(CropSensitive):
    """Detects the brightest square with a low score."""

    def detect(self, view: View) -> list[Detection]:
        return [replace(d, score=0.35) for d in super().detect(view)]


@pytest.mark.parametrize(("name", "pages", "covers"), [("a still", 1, 1), ("an animation", 8, 0)])
def test_an_animation_has_the_thresholds_of_footage(
    name: str, pages: int, covers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a still no other frame can confirm a detection, so its threshold is lower."""
    path = tmp_path / "faint.gif"
    shown = [picture(150 + n, 220) for n in range(pages)]
    shown[0].save(path, save_all=True, append_images=shown[1:], duration=40, loop=0)
    monkeypatch.setattr(registry, "load", lambda specs, asked: [Faint()])
    asked = Options(labels=("face",), workers=2)
    manifest = locate(path, asked, detectors_for(asked), lambda what, done, total: None).manifest
    assert len(manifest.tracks) == covers
