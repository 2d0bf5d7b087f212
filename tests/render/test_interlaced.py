"""Interlaced footage: its field order is kept, and a cover extends to the chroma of both fields."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from veridact.render.video.interlace import CODES, order_of
from veridact.render.video.planes import layout_of, plane_arrays

SOURCES = {"MPEG-2": ("in.ts", "mpeg2video"), "H.264": ("in.mp4", "libx264"), "FFV1": ("in.mkv", "ffv1")}
OUTPUTS = {"h264": "mp4", "lossless": "mkv"}


def frames_of(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def field_order_in_headers(path: Path) -> int:
    """The field order in the picture timing SEI (H.264 D.1.3, pic_struct), which some players use."""
    with av.open(str(path)) as container:
        return int(container.streams.video[0].codec_context.field_order)


@pytest.mark.parametrize("profile", OUTPUTS)
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("order", ["progressive", "top", "bottom"])
def test_the_field_order_is_kept(
    order: str, source: str, profile: str, clip: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any,
    tmp_path: Path,
) -> None:  # fmt: skip
    name, codec = SOURCES[source]
    media = clip(name, codec=codec, frames=12, fields=order)
    container = OUTPUTS[profile]
    manifest = saved(make_manifest(media, (make_track(1, (8, 9, 20, 15), 12),), profile=profile, container=container))
    out = tmp_path / f"out.{container}"
    assert command("render", media, manifest, out)[0] == 0
    assert {order_of(frame) for frame in frames_of(media)} == {order}
    assert {order_of(frame) for frame in frames_of(out)} == {order}
    if profile == "h264":
        assert field_order_in_headers(out) == CODES[order]
    receipt = f"{out}.audit.jsonl"
    assert command("verify", receipt, "--output", out, "--manifest", manifest, "--content")[0] == 0


@pytest.mark.parametrize(("order", "rows"), [("progressive", (5, 7)), ("top", (4, 8))])
def test_a_cover_takes_in_the_colours_of_both_fields(
    order: str, rows: tuple[int, int], clip: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any,
    tmp_path: Path,
) -> None:  # fmt: skip
    """Luma rows 10 to 13 share chroma rows 5 and 6 in a progressive frame, and 4 to 7 field by field."""
    media = clip("in.mkv", codec="ffv1", frames=3, fields=order)
    manifest = saved(make_manifest(media, (make_track(1, (8, 10, 20, 4), 3),), profile="lossless", container="mkv"))
    assert command("render", media, manifest, tmp_path / "out.mkv")[0] == 0
    for before, after in zip(frames_of(media), frames_of(tmp_path / "out.mkv"), strict=True):
        layout = layout_of("yuv420p")
        old, new = plane_arrays(before, layout), plane_arrays(after, layout)
        for plane, scale in ((0, 2), (1, 1), (2, 1)):
            changed = np.flatnonzero((old[plane] != new[plane]).any(axis=1))
            assert (changed.min(), changed.max() + 1) == (rows[0] * scale, rows[1] * scale)


def test_lines_that_make_no_whole_blocks_of_both_fields_are_repeated(
    clip: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    media = clip("in.mkv", codec="ffv1", frames=3, size=(64, 46), fields="top")
    manifest = saved(make_manifest(media, (make_track(1, (8, 10, 20, 4), 3),)))
    assert command("render", media, manifest, tmp_path / "out.mp4")[0] == 0
    assert {(f.width, f.height, order_of(f)) for f in frames_of(tmp_path / "out.mp4")} == {(64, 48, "top")}
    assert "whole blocks of colour" in (tmp_path / "out.mp4.audit.jsonl").read_text()
