"""Profile `lossless`: every sample outside the covers is the source's, in every pixel format that can be painted."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from veridact.errors import MediaError
from veridact.media.pixel_formats import H264_FORMATS, LOSSLESS_FORMATS
from veridact.media.video import decode, demux, open_media
from veridact.render.selftest import picture
from veridact.render.video import encoder, frames
from veridact.render.video.encoder import VideoSpec
from veridact.render.video.planes import LAYOUTS, layout_of, plane_arrays

WIDTH, HEIGHT, FRAMES = 40, 24, 3
BOX = (8, 4, 16, 8)


def filled(name: str, number: int) -> av.VideoFrame:
    """A frame with another picture in each component, using all of its bits."""
    frame = av.VideoFrame(WIDTH, HEIGHT, name)
    frame.pts, frame.time_base = number, Fraction(1, 25)
    layout = layout_of(name)
    for place, samples in enumerate(plane_arrays(frame, layout)):
        high = picture(number + 5 * place, *samples.shape).astype(np.int64) << (layout.bits - 8)
        low = np.arange(samples.size).reshape(samples.shape) % (1 << (layout.bits - 8))
        samples[:] = (high + low).astype(samples.dtype)
    return frame


def components(frame: av.VideoFrame) -> dict[str, np.ndarray[Any, Any]]:
    """The samples of a frame by what they mean; what is unused is left out."""
    layout = layout_of(frame.format.name)
    arrays = zip(layout.roles, plane_arrays(frame, layout), strict=True)
    return {role: samples.copy() for role, samples in arrays if role != "0"}


def spec_for(profile: str, pixel_format: str) -> VideoSpec:
    rate = Fraction(25)
    return VideoSpec(profile, WIDTH, HEIGHT, pixel_format, 1 / rate, rate, None, 1, 2, 2, 2, 1)


@pytest.mark.parametrize("name", LOSSLESS_FORMATS)
def test_every_sample_comes_back_in_every_format(name: str) -> None:
    spec = spec_for("lossless", LOSSLESS_FORMATS[name])
    sources = [filled(name, number) for number in range(FRAMES)]
    extradata, packets = encoder.encode(spec, [frames.copy(frame, spec)[0] for frame in sources])
    decoded = list(encoder.decode(spec, extradata, packets))
    assert len(decoded) == FRAMES
    for source, made in zip(sources, decoded, strict=True):
        wanted, found = components(source), components(made)
        assert wanted.keys() == found.keys()
        for role in wanted:
            assert np.array_equal(wanted[role], found[role]), role


@pytest.mark.parametrize("name", H264_FORMATS)
def test_h264_takes_the_samples_of_every_format_it_names(name: str) -> None:
    spec = spec_for("h264", H264_FORMATS[name])
    source = filled(name, 0)
    copied = components(frames.copy(source, spec)[0])
    assert all(np.array_equal(samples, copied[role]) for role, samples in components(source).items())
    assert len(encoder.encode(spec, [frames.copy(source, spec)[0]])[1]) == 1


def test_the_tables_name_formats_that_can_be_painted() -> None:
    assert {*LOSSLESS_FORMATS, *LOSSLESS_FORMATS.values(), *H264_FORMATS} <= LAYOUTS.keys()
    assert H264_FORMATS.keys() <= LOSSLESS_FORMATS.keys()
    assert not [name for name in H264_FORMATS if "a" in layout_of(name).roles]


SOURCES = {
    "green first": ("in.avi", "utvideo", "gbrp"),
    "green first with alpha": ("in.avi", "utvideo", "gbrap"),
    "red first": ("in.mov", "png", "rgb24"),
    "red first with alpha": ("in.mov", "png", "rgba"),
    "blue first, bottom up": ("in.avi", "rawvideo", "bgr24"),
    "alpha first": ("in.mov", "qtrle", "argb"),
    "full range": ("in.mkv", "mjpeg", "yuvj422p"),
    "10 bits": ("in.mkv", "ffv1", "yuv420p10le"),
    "16 bits of gray": ("in.mkv", "ffv1", "gray16le"),
    "12 bits of RGB": ("in.mkv", "ffv1", "gbrp12le"),
    "alpha beside chroma": ("in.mkv", "ffv1", "yuva422p"),
}


def written(path: Path, codec: str, pixel_format: str) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixel_format
        for number in range(FRAMES):
            container.mux(stream.encode(filled(pixel_format, number)))
        container.mux(stream.encode(None))
    return path


def decoded(path: Path) -> list[dict[str, np.ndarray[Any, Any]]]:
    with open_media(path) as media, demux(media) as container:
        return [components(frame) for frame in decode(container, container.streams.video[0])]


@pytest.mark.parametrize("name", SOURCES)
def test_nothing_changes_outside_a_cover_and_verify_sees_it(
    name: str, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    suffix, codec, pixel_format = SOURCES[name]
    source, out = written(tmp_path / suffix, codec, pixel_format), tmp_path / "out.mkv"
    manifest = make_manifest(source, (make_track(1, BOX, FRAMES),), profile="lossless", container="mkv")
    path = saved(manifest)
    code, _, err = command("render", source, path, out)
    assert code == 0, err
    x, y, w, h = BOX
    for before, after in zip(decoded(source), decoded(out), strict=True):
        assert before.keys() == after.keys()
        for role, samples in before.items():
            step_y, step_x = HEIGHT // samples.shape[0], WIDTH // samples.shape[1]
            inside = (slice(y // step_y, (y + h) // step_y), slice(x // step_x, (x + w) // step_x))
            assert len(np.unique(after[role][inside])) == 1, role
            after[role][inside] = samples[inside]
            assert np.array_equal(after[role], samples), role
    receipt = f"{out}.audit.jsonl"
    assert command("verify", receipt, "--output", out, "--manifest", path, "--content")[0] == 0
    other = saved(make_manifest(source, (make_track(1, (24, 12, 16, 8), FRAMES),), profile="lossless", container="mkv"))
    code, stdout, _ = command("verify", receipt, "--output", out, "--manifest", other, "--content")
    assert (code, "is not covered on frame 0" in stdout) == (1, True)


@pytest.mark.parametrize("name", ["red first with alpha", "green first", "alpha beside chroma"])
def test_h264_refuses_what_it_cannot_hold_and_names_what_can(
    name: str, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    suffix, codec, pixel_format = SOURCES[name]
    source = written(tmp_path / suffix, codec, pixel_format)
    manifest = saved(make_manifest(source, (make_track(1, BOX, FRAMES),), container="mkv"))
    code, _, err = command("render", source, manifest, tmp_path / "out.mkv")
    assert (code, "use profile lossless in container mkv" in err) == (4, True)
    assert not (tmp_path / "out.mkv").exists()


@pytest.mark.parametrize("decoder", ["libvpx", "libvpx-vp9"])
def test_transparency_that_ffmpeg_leaves_out_is_refused_with_what_keeps_it(
    decoder: str, clip: Any, make_manifest: Any
) -> None:
    """Transparent areas would become visible: WebM stores alpha beside the frames, in a stream of its own."""
    source = clip("in.webm", codec=decoder, pixel_format="yuva420p", frames=3, options={"auto-alt-ref": "0"})
    with pytest.raises(MediaError, match=f"ffmpeg -c:v {decoder} -i IN -c:v ffv1 -c:a copy OUT.mkv"):
        make_manifest(source, ())
