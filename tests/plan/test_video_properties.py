"""What a manifest covers is one answer: painting, `diff`, `score`, `show` and `verify --content` give the same.

Each is compared with an oracle that goes through the pixels one by one (`oracle`), on pictures of a few blocks.
"""

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from tests.plan import oracle
from tests.plan.strategies import SHAPES, Case, boxes, cases, plate, showing, tracks
from veridact.render.video import paint
from veridact.render.video.planes import Plane
from veridact.schema import reader, writer
from veridact.schema.geometry import Edges, clip, edges
from veridact.schema.manifest import Solid
from veridact.schema.plan import visibility
from veridact.schema.plan.video import Cover, FramePlan, StreamPlan
from veridact.schema.plan.visibility import VISIBLE
from veridact.tools import diff, score
from veridact.tools.draw import overlay

FEW = settings(
    max_examples=120,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def frame_plan(case: Case) -> FramePlan:
    return StreamPlan(case.manifest, case.stream, case.pts, case.raster).at(case.frame)


def displayed_plan(case: Case) -> FramePlan:
    """What `diff`, `score` and `show` ask: the covers on the picture as displayed."""
    return StreamPlan.displayed(case.manifest, case.stream, case.clock).at(case.frame)


def _planes(case: Case, value: int) -> list[Plane]:
    """A luma and a chroma plane full of one value, on which a solid leaves 0."""
    r = case.raster
    step_x, step_y = (1, 1) if case.stream.type == "picture" else case.chroma.step
    rows, columns = -(-r.height // step_y), -(-r.width // step_x)
    return [
        Plane(np.full((r.height, r.width), value, np.uint8), 1, 1, 0, 8, False),
        Plane(np.full((rows, columns), value, np.uint8), step_x, step_y, 0, 8, False),
    ]


def _flat(cover: Cover, plane: Plane) -> Any:
    """In place of an effect: its level on every sample."""
    seen = clip(paint._on_plane(cover.visible, plane), *plane.samples.shape[::-1])
    return np.full((seen.height, seen.width), visibility.level_of(cover.effect), np.uint8)


def painted_levels(case: Case) -> list[Plane]:
    """Planes on which `render` paints every effect as its level."""
    planes = _planes(case, VISIBLE)
    with patch.dict(paint.EFFECTS, {"mosaic": _flat, "blur": _flat}):
        paint.paint(planes, frame_plan(case))
    return planes


def seen_levels(case: Case) -> Any:
    """The levels that `diff` gives to every pixel of the displayed picture."""
    return visibility.levels(displayed_plan(case), edges((0, 0, case.stream.width, case.stream.height)))


# ---- render


@FEW
@given(cases())
def test_render_paints_the_blocks_of_what_is_touched_the_strongest_last(case: Case) -> None:
    luma, chroma = painted_levels(case)
    expected = oracle.painted_levels(case)
    assert np.array_equal(luma.samples, expected)
    assert np.array_equal(chroma.samples, expected[:: chroma.step_y, :: chroma.step_x])


@FEW
@given(cases())
def test_effects_leave_nothing_under_a_cover_and_touch_nothing_beside_it(case: Case) -> None:
    """No effect leaves 255 as it is; what is opaque, painted on alpha 0, ends at 255."""
    planes = _planes(case, 255)
    alpha = replace(planes[0], samples=np.zeros_like(planes[0].samples), black=255, opaque=True)
    paint.paint([*planes, alpha], frame_plan(case))
    covered = oracle.painted_levels(case) < VISIBLE
    assert np.array_equal(planes[0].samples < 255, covered)
    assert np.array_equal(planes[1].samples < 255, covered[:: planes[1].step_y, :: planes[1].step_x])
    assert np.array_equal(alpha.samples == 255, covered)


@FEW
@given(cases(), st.integers(0, 2**32 - 1))
def test_what_a_solid_hides_changes_no_sample_anywhere(case: Case, seed: int) -> None:
    """Two pictures that differ under solid covers alone are painted alike, means beside the covers and all."""
    r, random = case.raster, np.random.default_rng(seed)
    hidden = oracle.painted_levels(case) == 0
    first = random.integers(0, 256, (r.height, r.width), dtype=np.uint8)
    second = np.where(hidden, random.integers(0, 256, first.shape, dtype=np.uint8), first)
    painted = []
    for samples in (first, second):
        paint.paint([Plane(samples, 1, 1, 16, 8, False)], frame_plan(case))
        painted.append(samples)
    assert np.array_equal(*painted)


@FEW
@given(cases())
def test_the_pixels_that_a_receipt_counts_are_those_touched(case: Case) -> None:
    """Of every track that touches the frame, also under a stronger cover; of a `keep` those kept before covers."""
    counted = paint.paint(_planes(case, VISIBLE), frame_plan(case))
    expected: dict[str, int] = {}
    for each in oracle.painted(case):
        pixels = int(oracle.grown(case, each.touched, every=each.level == VISIBLE).sum())
        if pixels:
            expected[each.track.id] = pixels
    assert {case.manifest.tracks[n].id: pixels for n, pixels in counted.items()} == expected


# ---- diff


@FEW
@given(cases())
def test_diff_sees_what_is_painted_but_for_the_growth_to_blocks(case: Case) -> None:
    """Every pixel that `diff` takes for hidden is painted, and any other that is painted shares a block with one that
    a cover touches, on the picture or beyond it, or that lies outside what is kept."""
    found = seen_levels(case)
    assert np.array_equal(found, oracle.seen(case))
    painted = oracle.turned(case, painted_levels(case)[0].samples) < VISIBLE
    assert not ((found < VISIBLE) & ~painted).any()
    if case.raster.step_x == case.raster.step_y == 1:
        assert np.array_equal(found < VISIBLE, painted)


@FEW
@given(cases(most_tracks=3), st.data())
def test_diff_reports_every_pixel_that_becomes_visible(case: Case, data: st.DataObject) -> None:
    """A track is added, taken away or put in another's place: what is revealed is what the levels say, no more."""
    streams = case.manifest.source.streams
    changed = list(case.manifest.tracks)
    place = data.draw(st.integers(0, len(changed)))
    new = [data.draw(tracks(99, case.manifest.scope, streams))] if data.draw(st.booleans()) else []
    changed[place : place + 1] = new
    after = case.manifest.model_copy(update={"tracks": tuple(changed)})
    changes = diff.compare(case.manifest, after, dict.fromkeys(range(len(streams)), case.clock))
    shown = {s.index for s in case.manifest.output.streams or () if s.disposition == "render"} or {0}
    revealed: set[tuple[int, str]] = set()
    for frame in range(case.stream.frames):
        if case.stream.index in shown:
            was = oracle.seen(replace(case, frame=frame)).astype(int)
            now = oracle.seen(replace(case, frame=frame, manifest=after)).astype(int)
            if ((now == VISIBLE) & (was < VISIBLE)).any():
                revealed.add((frame, "visible"))
            if ((now < VISIBLE) & (now > was)).any():
                revealed.add((frame, "weaker"))
    mine = [c for c in changes if c.stream == case.stream.index and c.kind in {"visible", "weaker"} and c.item]
    assert {(f, c.kind) for c in mine for f in range(c.start or 0, c.end or 0)} == revealed


# ---- score


@FEW
@given(cases(), st.data())
def test_score_counts_as_hidden_what_diff_takes_for_hidden(case: Case, data: st.DataObject) -> None:
    """The covered part of a true box, from all tracks together; of a stream that is dropped all is hidden."""
    stream = case.stream
    inside = boxes(stream.width, stream.height).filter(lambda b: not clip(edges(b), stream.width, stream.height).empty)
    box = data.draw(inside)
    truth = case.manifest.model_copy(update={"tracks": (plate(box, case),), "scope": "listed"})
    tally = score.score(case.manifest, truth, dict.fromkeys(range(stream.index + 1), case.clock))["plate"]
    hidden = oracle.seen(case) < VISIBLE
    if dropped(case):
        hidden[:] = True
    left, top, right, bottom = clip(edges(box), stream.width, stream.height)
    part = float(hidden[top:bottom, left:right].mean())
    assert tally.true_boxes == 1
    assert tally.covered_part == part
    assert tally.exposed == (part < 0.9)


def dropped(case: Case) -> bool:
    listed = case.manifest.output.streams
    return listed is not None and not any(s.index == case.stream.index and s.disposition == "render" for s in listed)


# ---- show


def drawn_covers(case: Case, size: tuple[int, int]) -> Any:
    """The thin outlines of one frame, on a drawing of so many pixels across and down; True where one is drawn."""
    picture = Image.new("L", size)
    scale = overlay.Scale((case.stream.width, case.stream.height), size)
    for outline in overlay.outlines(case.manifest, case.stream, case.clock, {case.frame}).get(case.frame, []):
        overlay.draw_cover(ImageDraw.Draw(picture), outline, scale)
    return np.asarray(picture) > 0


def _reached(drawn: Any) -> Any:
    """What can be reached from beside a drawing without crossing a line."""
    room = Image.fromarray(np.pad(drawn, 1).astype(np.uint8))
    ImageDraw.floodfill(room, (0, 0), 2)
    return np.asarray(room)[1:-1, 1:-1] == 2


def _scaled_pixels(pixels: Any, size: tuple[int, int]) -> Any:
    """The pixels of a drawing that any of the pixels lies on."""
    found = np.zeros(size[::-1], bool)
    for y, x in np.argwhere(pixels):
        (left, right), (top, bottom) = (
            (n * side // of, -(-(n + 1) * side // of))
            for n, side, of in ((x, size[0], pixels.shape[1]), (y, size[1], pixels.shape[0]))
        )
        found[top:bottom, left:right] = True
    return found


def _beside(pixels: Any) -> Any:
    """The pixels and their neighbours, through which a slanting line may lead."""
    room = np.pad(pixels, 1)
    return pixels | room[:-2, 1:-1] | room[2:, 1:-1] | room[1:-1, :-2] | room[1:-1, 2:]


SIZES = st.tuples(st.integers(1, 90), st.integers(1, 90))
ON_PICTURE = st.tuples(st.integers(12, 30), st.integers(12, 24), st.integers(1, 20), st.integers(1, 20))


@FEW
@given(ON_PICTURE, SHAPES, st.sampled_from([0, 1, 100, 333]), SIZES)
def test_the_thin_line_is_the_edge_of_the_cover(
    box: tuple[int, int, int, int], shape: Any, pad: int, size: tuple[int, int]
) -> None:
    """On drawings of any size the line goes around all that is covered, and leaves it by no more than a pixel."""
    case = showing(Solid(effect="solid", shape=shape, pad_permille=pad), box)
    covered = _scaled_pixels(oracle.seen(case) < VISIBLE, size)
    drawn = drawn_covers(case, size)
    assert not (_reached(drawn) & covered).any()
    assert not (drawn & ~_beside(covered)).any()


@FEW
@given(cases())
def test_no_thin_line_where_nothing_is_covered(case: Case) -> None:
    """Whatever is drawn as the edge of a cover lies at one: of rejected items, keeps and dropped streams none is."""
    size = case.stream.width, case.stream.height
    drawn = drawn_covers(case, size)
    covered = np.zeros_like(drawn)
    for each in oracle.painted(case) if not dropped(case) else ():
        if each.level < VISIBLE:
            covered |= oracle.on_picture(each.touched)
    assert not (drawn & ~_beside(covered)).any()
    assert drawn.any() or not _edge_in_sight(case)


def _edge_in_sight(case: Case) -> bool:
    """Whether a row of a cover that is painted begins or ends on the picture."""
    for each in oracle.painted(case) if not dropped(case) else ():
        rows = each.touched[oracle.MARGIN : -oracle.MARGIN, oracle.MARGIN - 1 : 1 - oracle.MARGIN]
        if each.level < VISIBLE and (rows[:, 1:-1] & ~(rows[:, :-2] & rows[:, 2:])).any():
            return True
    return False


@FEW
@given(cases())
def test_every_item_is_outlined_where_it_is(case: Case) -> None:
    """The boxes are those that cover, before padding; that of a `keep` is what stays, before it shrinks to blocks."""
    outlines = overlay.outlines(case.manifest, case.stream, case.clock, {case.frame}).get(case.frame, [])
    expected = [
        (track.id, oracle.box_on(segment, case.frame, case.pts, track.label == "keep"))
        for track in case.manifest.tracks
        if track.stream == case.stream.index
        for segment in track.segments
    ]
    assert [(o.track.id, edges(o.box)) for o in outlines] == [
        (name, e) for name, e in expected if e is not None and e[0] < e[2] and e[1] < e[3]
    ]


# ---- verify --content


@FEW
@given(cases())
def test_verify_expects_every_cover_where_it_was_painted_last(case: Case) -> None:
    found = np.full((case.raster.height, case.raster.width), VISIBLE, np.uint8)
    for cover, owned in visibility.owned(frame_plan(case), case.raster.picture):
        assert (found[owned] == VISIBLE).all()
        found[owned] = visibility.level_of(cover.effect)
    assert np.array_equal(found, oracle.painted_levels(case))


# ---- the plan itself


@FEW
@given(cases(), st.data())
def test_any_part_of_a_picture_has_the_levels_of_the_oracle(case: Case, data: st.DataObject) -> None:
    width, height = case.stream.width, case.stream.height
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    part = Edges(left, top, data.draw(st.integers(left + 1, width)), data.draw(st.integers(top + 1, height)))
    expected = oracle.seen(case)[part.top : part.bottom, part.left : part.right]
    assert np.array_equal(visibility.levels(displayed_plan(case), part), expected)


@FEW
@given(cases())
def test_a_cover_has_the_pixels_of_the_blocks_it_touches(case: Case) -> None:
    """Its mask, its rows and its count are those of the oracle, and one that covers none is not in the plan."""
    covers = {cover.track: cover for cover in frame_plan(case).covers}
    for each in oracle.painted(case):
        if each.level == VISIBLE:
            continue
        number, expected = case.manifest.tracks.index(each.track), oracle.grown(case, each.touched)
        assert (number in covers) == expected.any()
        if number in covers:
            by_mask, by_rows = np.zeros_like(expected), np.zeros_like(expected)
            part, mask = covers[number].within(case.raster.picture)
            by_mask[part.top : part.bottom, part.left : part.right] = True if mask is None else mask
            for row, left, right in covers[number].rows(0, case.raster.height):
                by_rows[max(0, row) : row + 1, max(0, left) : max(0, right)] = True
            assert np.array_equal(by_mask, expected)
            assert np.array_equal(by_rows, expected)
            assert covers[number].pixel_count() == expected.sum()


# ---- the text of a manifest


@FEW
@given(cases())
def test_writing_and_reading_changes_nothing_of_it(case: Case) -> None:
    again = replace(case, manifest=reader.read(writer.write(case.manifest)).manifest)
    assert frame_plan(again) == frame_plan(case)
    assert np.array_equal(seen_levels(again), seen_levels(case))
    for a, b in zip(painted_levels(again), painted_levels(case), strict=True):
        assert np.array_equal(a.samples, b.samples)
