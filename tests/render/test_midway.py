"""What comes with single frames: EXIF is removed, a change of pixel shape or colours in the middle is refused."""

import io
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import ExifTags, Image

from veridact.errors import MediaError
from veridact.media.frames import side_data
from veridact.media.source import read_source
from veridact.media.video import open_media

SECRET = "Jane Doe, 12 Elm Street"
FRAMES = 5


def photographs(path: Path, orientation: int) -> Path:
    """Footage of JPEG pictures that each carry EXIF with a place, as time lapses of cameras do; bright at the top."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.ImageDescription] = SECRET
    exif[ExifTags.Base.GPSInfo] = {1: "N", 2: (1.0, 2.0, 3.0)}
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mjpeg", rate=2)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        stream.time_base = Fraction(1, 2)
        for number in range(FRAMES):
            file, picture = io.BytesIO(), np.full((48, 64, 3), 90 + number, np.uint8)
            picture[:8] = 230
            Image.fromarray(picture).save(file, "JPEG", exif=exif)
            packet = av.Packet(file.getvalue())
            packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, 2), True
            packet.pts = packet.dts = number
            container.mux(packet)
    return path


@pytest.mark.parametrize(("orientation", "shown"), [(1, (64, 48)), (3, (64, 48)), (6, (48, 64)), (8, (48, 64))])
@pytest.mark.parametrize("name", ["in.mov", "in.avi", "in.mkv"])
def test_exif_in_frames_is_applied_and_gone(
    name: str, orientation: int, shown: tuple[int, int], make_manifest: Any, make_track: Any, saved: Any, command: Any,
    tmp_path: Path,
) -> None:  # fmt: skip
    source, out = photographs(tmp_path / name, orientation), tmp_path / "out.mp4"
    assert SECRET.encode() in source.read_bytes()
    manifest = make_manifest(source, (make_track(1, (0, 0, 8, 8), FRAMES),))
    record = manifest.source.streams[0]
    assert (record.orientation, record.width, record.height) == (orientation, *shown)
    code, _, err = command("render", source, saved(manifest), out)
    assert code == 0, err
    assert b"Exif" not in out.read_bytes()
    assert SECRET.encode() not in out.read_bytes() + out.with_name("out.mp4.audit.jsonl").read_bytes()
    with av.open(str(out)) as made:
        frames: list[Any] = list(made.decode(video=0))
        kinds = {frame.side_data[n].type.name for frame in frames for n in range(len(frame.side_data))}
        assert kinds <= {"DISPLAYMATRIX", "SEI_UNREGISTERED"}
        assert len(frames) == FRAMES


def test_frames_with_data_of_an_unknown_kind_are_refused_without_a_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyAV names no kind of data here: what is left after EXIF was removed is neither guessed nor dropped."""
    frame = av.VideoFrame(64, 48, "yuv420p")
    frame.time_base = Fraction(1, 25)
    monkeypatch.setattr(side_data, "_read", lambda _: None)
    with pytest.raises(MediaError, match="unknown kind") as refused:
        side_data.without_exif(frame)
    assert "stereo" not in str(refused.value)


def packets(codec: str, first: int, changed: dict[str, Any]) -> Iterator[Any]:
    """Two frames, from pts `first` on, encoded with these properties of the codec context, headers in the packets."""
    context: Any = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = 64, 48, "yuv420p"
    context.time_base, context.framerate, context.options = Fraction(1, 25), Fraction(25), {"bf": "0", "g": "1"}
    for name, value in changed.items():
        setattr(context, name, value)
    for number in range(2):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), "rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = first + number, Fraction(1, 25)
        for name in {"color_range", "colorspace", "color_primaries", "color_trc"} & changed.keys():
            setattr(frame, name, changed[name])
        yield from context.encode(frame)
    yield from context.encode(None)


def splice(path: Path, codec: str, before: dict[str, Any], after: dict[str, Any]) -> Path:
    """A transport stream of four frames, the last two of which have other properties."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height = 64, 48  # type: ignore[union-attr]
        for number, properties in enumerate((before, after)):
            for packet in packets(codec, 2 * number, properties):
                packet.stream = stream
                container.mux(packet)
    return path


CHANGES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "pixel aspect ratio": (
        "mpeg2video",
        {"sample_aspect_ratio": Fraction(16, 15)},
        {"sample_aspect_ratio": Fraction(64, 45)},
    ),
    "colour range": ("libx264", {"color_range": 1, "colorspace": 1}, {"color_range": 2, "colorspace": 1}),
    "colour matrix": ("libx264", {"colorspace": 1}, {"colorspace": 5}),
    "colour primaries": ("libx264", {"color_primaries": 1}, {"color_primaries": 9}),
    "colour transfer": ("libx264", {"color_trc": 1}, {"color_trc": 16}),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_in_the_middle_is_refused_by_name_and_frame(what: str, command: Any, tmp_path: Path) -> None:
    code, out, err = command("locate", splice(tmp_path / "in.ts", *CHANGES[what]), "--labels", "face")
    assert (code, out, len(err.strip().splitlines())) == (4, "", 1), err
    assert f"{what} at frame 2;" in err


@pytest.mark.parametrize("what", CHANGES)
def test_render_refuses_it_as_well(
    what: str, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    source = splice(tmp_path / "in.ts", *CHANGES[what])
    with monkeypatch.context() as patch:
        patch.setattr("veridact.media.frames.frame_checks._shape", lambda *_: {})
        manifest = saved(make_manifest(source, (make_track(1, (0, 0, 8, 8), 4),)))
    code, _, err = command("render", source, manifest, tmp_path / "out.mp4")
    assert (code, "at frame 2;" in err) == (4, True), err
    assert not (tmp_path / "out.mp4").exists()


def test_the_same_properties_throughout_are_no_change(tmp_path: Path) -> None:
    more = {"sample_aspect_ratio": Fraction(16, 15)}
    splice(tmp_path / "in.ts", "mpeg2video", more, more)
    with open_media(tmp_path / "in.ts") as media:
        record: Any = read_source(media).streams[0]
    assert record.frames == 4
