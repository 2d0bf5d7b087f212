"""Matroska rounds times to 1 ms: `verify --content` plans from the source's timestamps where they can be proven."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veridact.audit.content import check_times
from veridact.render.readback import MATROSKA_TICK_SECONDS, round_to_tick
from veridact.schema.manifest import Key, VideoStream
from veridact.schema.timeline import pts_sha256

NTSC = [1001 * n for n in range(60)]
LATE_BY_17 = [512 * (n + 17) for n in range(40)]
WITH_GAPS = [1001 * n for n in (0, 1, 2, 5, 6, 9, 10, 11, 30)]
IRREGULAR = [0, 411, 1400, 1777, 3001, 3333, 5000]


def record(pts: Sequence[int], time_base: tuple[int, int]) -> VideoStream:
    return VideoStream(
        index=0, type="video", codec="h264", width=64, height=48, coded_width=64, coded_height=48, orientation=1,
        time_base=time_base, frames=len(pts), pts_sha256=pts_sha256(pts),
    )  # fmt: skip


def in_matroska(pts: Sequence[int], time_base: tuple[int, int]) -> list[Fraction]:
    return [round_to_tick(MATROSKA_TICK_SECONDS, p * Fraction(*time_base)) for p in pts]


@pytest.mark.parametrize(
    ("pts", "time_base"),
    [
        pytest.param(NTSC, (1, 30000), id="29.97 frames a second"),
        pytest.param(LATE_BY_17, (1, 12288), id="24 frames a second, the first 17 frames late"),
        pytest.param(WITH_GAPS, (1, 30000), id="frames left out"),
    ],
)
def test_the_timestamps_of_a_constant_rate_are_reconstructed(pts: list[int], time_base: tuple[int, int]) -> None:
    stream = record(pts, time_base)
    finding, found = check_times(in_matroska(pts, time_base), stream, "mkv")
    assert (finding.holds, finding.detail) == (True, "rounded to 1 ms by the container")
    assert list(found) == pts


@given(
    st.sampled_from([(1, 30000), (1, 90000), (1, 12800), (1001, 240000)]),
    st.sampled_from([24, 25, 30, 50, 60]),
    st.booleans(),
    st.sets(st.integers(0, 400), min_size=1, max_size=60),
)
def test_any_frames_on_the_grid_of_a_constant_rate_are_reconstructed(
    time_base: tuple[int, int], rate: int, ntsc: bool, frames: set[int]
) -> None:
    ticks = Fraction(1001 if ntsc else 1000, 1000 * rate) / Fraction(*time_base)
    pts = [int(n * ticks + Fraction(1, 2)) for n in sorted(frames)]
    _, found = check_times(in_matroska(pts, time_base), record(pts, time_base), "mkv")
    assert list(found) == pts


def test_an_irregular_timeline_is_planned_from_the_nearest_ticks() -> None:
    times = in_matroska(IRREGULAR, (1, 30000))
    finding, found = check_times(times, record(IRREGULAR, (1, 30000)), "mkv")
    assert (finding.holds, finding.detail) == (True, "rounded to 1 ms by the container")
    assert list(found) == [round(t * 30000) for t in times]


def test_frames_shown_at_other_times_are_found_where_the_rate_is_constant() -> None:
    """Any times passed in Matroska."""
    times = in_matroska(NTSC, (1, 30000))
    times[7] += Fraction(2, 1000)
    finding, found = check_times(times, record(NTSC, (1, 30000)), "mkv")
    assert (finding.holds, finding.detail) == (False, "not the source's")
    assert list(found) == NTSC


@pytest.mark.parametrize(("container", "moved", "holds"), [("mp4", 0, True), ("mov", 1, False), ("mkv", 0, True)])
def test_exact_times_are_compared_exactly(container: str, moved: int, holds: bool) -> None:
    times = [Fraction(p, 30000) for p in IRREGULAR]
    times[-1] += moved
    assert check_times(times, record(IRREGULAR, (1, 30000)), container)[0].holds == holds


def test_a_cover_that_moves_is_expected_where_it_was_painted(
    clip: Callable[..., Any], make_manifest: Callable[..., Any], make_track: Any, saved: Any, command: Any
) -> None:
    """On frame 1 it is at x = 20; from times rounded to 1 ms it would be expected from 19 on, which fails."""
    source = clip("in.mp4", frames=3, time_base=Fraction(1001, 30000), options={"bf": "0"})
    keys = (Key(frame=0, box=(0, 8, 8, 16)), Key(frame=2, box=(40, 8, 8, 16)))
    made = make_manifest(source, (make_track(1, (0, 8, 8, 16), 3, keys=keys),), profile="lossless", container="mkv")
    manifest, out = saved(made), source.with_name("out.mkv")
    assert command("render", source, manifest, out)[0] == 0
    checked = command("verify", f"{out}.audit.jsonl", "--manifest", manifest, "--output", out, "--content")
    assert checked[0] == 0, checked[1]
