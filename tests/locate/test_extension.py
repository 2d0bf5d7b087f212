"""A closer look beyond the ends of tracks: followed until lost, within the shot and the picture, and no further."""

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
from veridact.locate.video.detections import Look
from veridact.locate.video.extension import REACH_FRAMES, Again, Shot
from veridact.locate.video.frames import PictureView, Shown, footage
from veridact.locate.video.tracklets import Sighting, Sightings, Trail
from veridact.media.video import open_media
from veridact.schema.manifest import Producer

SIZE = (320, 240)
SIDE = 24
FPS = 25


class Peering:
    """Finds the brightest square anywhere, and a dim one only in a piece."""

    labels = frozenset({"face"})
    rest_seconds = 0.0
    pace_seconds = 0.17

    def __init__(self) -> None:
        self.producer = Producer(id="p1", kind="model", name="peering", settings={})
        self.asked = 0
        self.asked_before_let_go: list[int] = []

    def let_go(self) -> None:
        self.asked_before_let_go.append(self.asked)

    def detect(self, view: View) -> list[Detection]:
        self.asked += view.part
        bright = view.rgb(view.width, view.height).min(axis=2) > (60 if view.part else 160)
        if not bright.any():
            return []
        rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
        edges = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
        return [Detection("face", *edges, 0.15 if view.part else 0.9, "p1")]


def picture(x: float, brightness: int, size: tuple[int, int] = SIZE) -> Image.Image:
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    if x + SIDE > 0:
        pixels[100 : 100 + SIDE, max(0, round(x)) : max(0, round(x) + SIDE)] = brightness
    return Image.fromarray(pixels)


def face(x: float) -> Detection:
    return Detection("face", x, 100, x + SIDE, 100 + SIDE, 0.9, "p1")


def frames(places: Callable[[int], float], dim: range, count: int) -> Iterator[Shown]:
    """A square that is dim on some frames and gone on all others; bright is not needed for what is looked at again."""
    for n in range(count):
        yield Shown(n, n, PictureView(picture(places(n), 90 if n in dim else 0)))


def shot(first: int, end: int, *trails: Trail, right: float = 0.0) -> Shot:
    looks = [Look(n, n, (), 0.0, frozenset({"face"}), (right if n > first else 0.0, 0.0)) for n in range(first, end)]
    return Shot(looks, trails, SIZE, 1 / FPS)


def seen(places: Callable[[int], float], *numbers: int) -> Trail:
    return Trail("face", Sightings(Sighting(n, face(places(n)), True) for n in numbers))


def followed(shots: list[Shot], given: Iterator[Shown], looking: "Peering | None" = None) -> list[list[int]]:
    """The frames of each trail once it was looked for again in frames."""
    with ThreadPoolExecutor(2) as pool:
        again = Again(given, [looking or Peering()], pool, ahead=2)
        found = [trail for shot in shots for trail in again.followed(shot, lambda done: None)]
    return [[s.frame for s in trail.sightings] for trail in found]


def standing(n: int) -> float:
    return 150.0


def walking(n: int) -> float:
    return 20.0 + 4 * n


@pytest.mark.parametrize(
    ("name", "places", "dim", "first", "end", "sighted", "expected"),
    [
        ("dim on both sides", standing, range(24, 37), 0, 60, (28, 29, 30), range(24, 37)),
        ("nothing on either side", standing, range(0), 0, 60, (28, 29, 30), range(28, 31)),
        ("walking on", walking, range(18, 42), 0, 60, (28, 29, 30), range(18, 42)),
        ("not over a cut", standing, range(60), 26, 34, (28, 29, 30), range(26, 34)),
        ("as far as it reaches", standing, range(60), 0, 60, (28, 29, 30), range(28 - REACH_FRAMES, 31 + REACH_FRAMES)),
        ("out of the picture", lambda n: 300.0 - 12 * (30 - n), range(60), 0, 60, (28, 29, 30), range(8, 31)),
    ],
)  # fmt: skip
def test_a_track_is_followed_beyond_its_ends(
    name: str, places: Callable[[int], float], dim: range, first: int, end: int, sighted: tuple[int, ...],
    expected: range,
) -> None:  # fmt: skip
    trail = seen(places, *sighted)
    assert followed([shot(first, end, trail)], frames(places, dim, 60)) == [list(expected)]


def test_it_is_followed_where_the_camera_leads() -> None:
    def panned(n: int) -> float:
        return 20.0 + 5 * n

    still = Trail("face", Sightings(Sighting(n, face(20.0), True) for n in (20, 21, 22)))
    assert followed([shot(0, 50, still, right=5.0)], frames(panned, range(10, 30), 60)) == [list(range(10, 30))]


def test_a_trace_is_lost_after_three_looks_without_one() -> None:
    looked = Peering()
    followed([shot(0, 60, seen(standing, 28, 29, 30))], frames(standing, range(0), 60), looked)
    assert looked.asked == 2 * 3


def test_a_trace_of_another_track_is_left_to_it() -> None:
    trails = (seen(standing, 10, 11), seen(standing, 15, 16))
    assert followed([shot(0, 30, *trails)], frames(standing, range(60), 60)) == [
        [*range(10), 10, 11, 12, 13, 14], [12, 13, 14, 15, 16, *range(17, 30)],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "trail", "rest_seconds", "decoded"),
    [
        ("a track as long as its shot", range(30), 0.0, 0),
        ("a track that ends before", range(10), 0.0, 30),
        ("models that rest do not look again", range(10), 0.5, 0),
    ],
)
def test_no_frame_is_decoded_again_for_nothing(name: str, trail: range, rest_seconds: float, decoded: int) -> None:
    looking = Peering()
    looking.rest_seconds = rest_seconds
    given = frames(standing, range(0), 60)
    followed([shot(0, 30, seen(standing, *trail))], given, looking)
    assert next(given).number == decoded


def test_ends_are_visited_in_order_and_made_when_they_are_near(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known of an end takes memory, and a long shot has thousands."""
    made: list[tuple[int, int]] = []
    make = Shot._end
    monkeypatch.setattr(Shot, "_end", lambda self, n, step: made.append((n, step)) or make(self, n, step))
    trails = [seen(standing, 30 * n + 25, 30 * n + 26) for n in range(40)]
    visited: dict[tuple[int, int], list[int]] = {}
    for frame, ends in shot(0, 1250, *trails).visits(frozenset({"face"})):
        for end in ends:
            visited.setdefault((end.trail, end.frames.step), []).append(frame)
        assert len(made) <= len(visited) + 1
    assert visited == {
        **{(n, -1): list(range(30 * n + 25 - REACH_FRAMES, 30 * n + 25)) for n in range(40)},
        **{(n, 1): list(range(30 * n + 27, 30 * n + 27 + REACH_FRAMES)) for n in range(40)},
    }


def test_footage_that_ends_sooner_the_second_time_is_told() -> None:
    with pytest.raises(MediaError, match="fewer frames"):
        followed([shot(0, 60, seen(standing, 28, 29, 30))], frames(standing, range(60), 35))


def test_shots_are_looked_at_again_one_after_the_other() -> None:
    """A face before and after a cut; the frames of a shot in which there is nothing to look for are passed over."""
    shots = [shot(0, 20, seen(standing, 5, 6)), shot(20, 40), shot(40, 60, seen(standing, 50, 51))]
    given = frames(standing, range(60), 80)
    assert followed(shots, given) == [list(range(20)), list(range(40, 60))]
    assert next(given).number == 60


def test_locate_takes_the_second_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bright on frames 20 to 39, dim for ten frames on either side: the cover lasts as long as the face does."""
    path = tmp_path / "fading.gif"
    light = [0] * 10 + [90] * 10 + [220] * 20 + [90] * 10 + [0] * 10
    pages = [picture(150, value) for value in light]
    for n, page in enumerate(pages):
        page.putpixel((n, 0), (9, 9, 9))  # or the writer would merge frames that are alike
    pages[0].save(path, save_all=True, append_images=pages[1:], duration=40, loop=0)
    looking = Peering()
    monkeypatch.setattr(registry, "load", lambda specs, asked: [looking])
    asked = Options(labels=("face",), workers=2, pad_frames=0, thresholds={"face": 0.4})
    manifest = locate(path, asked, detectors_for(asked), lambda what, done, total: None).manifest
    (track,) = manifest.tracks
    assert (track.segments[0].keys[0].frame, track.segments[0].end) == (10, 50)
    assert looking.asked_before_let_go == [0]
    assert looking.asked > 0


def test_decoding_on_several_threads_shows_the_same_frames(square_clip: Callable[..., Path]) -> None:
    clip = square_clip([(20 + 2 * n, 30) for n in range(40)], "squares.mp4")
    with open_media(clip) as media:
        one, three = (
            [(s.number, s.pts, s.view.rgb(160, 120).tobytes()) for s in footage(media, 0, threads)]
            for threads in (1, 3)
        )
    assert len(one) == 40
    assert one == three


class Faint(Peering):
    """Finds the brightest square, and is hardly sure of it."""

    def detect(self, view: View) -> list[Detection]:
        return [replace(d, score=0.35) for d in super().detect(view)]


@pytest.mark.parametrize(("name", "pages", "covers"), [("a still", 1, 1), ("an animation", 8, 0)])
def test_what_moves_is_judged_as_footage(
    name: str, pages: int, covers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a still nothing will confirm what is found, so less is asked of it."""
    path = tmp_path / "faint.gif"
    shown = [picture(150 + n, 220) for n in range(pages)]
    shown[0].save(path, save_all=True, append_images=shown[1:], duration=40, loop=0)
    monkeypatch.setattr(registry, "load", lambda specs, asked: [Faint()])
    asked = Options(labels=("face",), workers=2)
    manifest = locate(path, asked, detectors_for(asked), lambda what, done, total: None).manifest
    assert len(manifest.tracks) == covers
