"""Container cropping: what a player cuts away reaches neither a detector nor an output, and boxes refer to the rest."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext

from veridact.audit.content import check_content
from veridact.errors import MediaError
from veridact.media.guards.clap import apertures
from veridact.media.source import read_source
from veridact.media.video import open_media
from veridact.schema.geometry import matrix_of_orientation
from veridact.tools.draw.frames import frames as drawn_frames

WIDTH, HEIGHT = 96, 64
DARK, PLANTED = 60, 255
PATH = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1")
Ratio = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """What a player shows of a stored picture: left, top, width and height in pixels."""

    left: int
    top: int
    width: int
    height: int

    def clap(self) -> tuple[int, ...]:
        """The same as the fields of a `clap` box: width, height and the offsets of the centre, as ratios."""
        right, below = 2 * self.left + self.width - WIDTH, 2 * self.top + self.height - HEIGHT
        return (self.width, 1, self.height, 1, right, 2, below, 2)


def planted(path: Path, window: Window, matrix: tuple[int, ...] | None = None, pixel_format: str = "yuv420p") -> Path:
    """A clip that is dark inside the window and white outside."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "0", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixel_format
        if matrix:
            stream.set_display_matrix(matrix)
        for number in range(6):
            picture = np.full((HEIGHT, WIDTH, 3), PLANTED, np.uint8)
            inside = (slice(window.top, window.top + window.height), slice(window.left, window.left + window.width))
            picture[inside] = DARK + number
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=pixel_format)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def with_clap(path: Path, fields: tuple[int, ...]) -> Path:
    """Adds a `clap` box to the sample entry; the header comes last in the file, so that no offset changes."""
    data, at = bytearray(path.read_bytes()), 0
    box = struct.pack(">I4s8i", 40, b"clap", *fields)
    for name in PATH:
        at = data.index(name, at)
        data[at - 4 : at] = struct.pack(">I", struct.unpack(">I", data[at - 4 : at])[0] + len(box))
    end = at - 4 + struct.unpack(">I", data[at - 4 : at])[0] - len(box)
    data[end:end] = box
    path.write_bytes(data)
    return path


def remuxed(source: Path, target: Path, bitstream_filter: str = "") -> Path:
    """The same packets in another container, through a filter that changes the parameter sets where one is named."""
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        changed = BitStreamFilterContext(bitstream_filter, given.streams.video[0], stream) if bitstream_filter else None
        for packet in given.demux(video=0):
            if packet.size:
                for one in changed.filter(packet) if changed else [packet]:
                    one.stream = stream
                    made.mux(one)
    return target


def in_mp4(folder: Path, window: Window) -> Path:
    return with_clap(planted(folder / "in.mp4", window), window.clap())


def in_mov(folder: Path, window: Window) -> Path:
    return with_clap(planted(folder / "in.mov", window), window.clap())


def in_matroska(folder: Path, window: Window) -> Path:
    return remuxed(in_mp4(folder, window), folder / "in.mkv")


def in_the_stream(folder: Path, window: Window) -> Path:
    """Cropped by the sequence parameter set, on the left too, where FFmpeg's default leaves columns in."""
    right, bottom = WIDTH - window.left - window.width, HEIGHT - window.top - window.height
    sides = f"crop_left={window.left}:crop_right={right}:crop_top={window.top}:crop_bottom={bottom}"
    return remuxed(planted(folder / "plain.mp4", window), folder / "in.mp4", f"h264_metadata={sides}")


def turned(folder: Path, window: Window) -> Path:
    return with_clap(planted(folder / "in.mov", window, matrix_of_orientation(6)), window.clap())


RIGHT_HALF, LETTERBOX, CORNER = Window(48, 0, 48, 64), Window(0, 12, 96, 40), Window(10, 6, 40, 30)
MAKERS: list[Callable[[Path, Window], Path]] = [in_mp4, in_mov, in_matroska, in_the_stream, turned]


@pytest.mark.parametrize("output", ["h264 mp4", "h264 mov", "lossless mkv"])
@pytest.mark.parametrize("window", [RIGHT_HALF, LETTERBOX, CORNER], ids=["half", "letterbox", "corner"])
@pytest.mark.parametrize("make", MAKERS)
def test_nothing_outside_the_window_is_in_the_output(
    make: Callable[[Path, Window], Path], window: Window, output: str, make_manifest: Any, make_track: Any, saved: Any,
    command: Any, tmp_path: Path,
) -> None:  # fmt: skip
    source = make(tmp_path, window)
    profile, suffix = output.split()
    manifest = make_manifest(source, (make_track(1, (0, 0, 8, 8), 6),), profile=profile, container=suffix)
    record, out = manifest.source.streams[0], tmp_path / f"out.{suffix}"
    shown = (window.height, window.width) if make is turned else (window.width, window.height)
    assert (record.width, record.height) == shown
    assert (record.coded_width, record.coded_height) == (window.width, window.height)
    code, _, err = command("render", source, saved(manifest), out)
    assert code == 0, err
    with av.open(str(out)) as made:
        pictures = [frame.to_ndarray(format="gray") for frame in made.decode(video=0)]
    assert {p.shape for p in pictures} == {(window.height, window.width)}
    assert len(pictures) == 6
    assert max(int(p.max()) for p in pictures) < DARK + 20
    corner = pictures[0][-6:, :6] if make is turned else pictures[0][:6, :6]
    assert corner.max() < 8, "the box is at the top left of what is displayed"
    with open_media(out) as media:
        assert [f for f in check_content(media, manifest) if not f.holds] == []
    with open_media(source) as media:
        drawn = [np.asarray(p.convert("L")) for _, _, p in drawn_frames(media, record, None)]
    assert {d.shape for d in drawn} == {shown[::-1]}
    assert max(int(d.max()) for d in drawn) < DARK + 20


def test_an_output_with_more_than_the_window_fails_its_check(
    make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    whole = planted(tmp_path / "plain.mp4", LETTERBOX)
    manifest = make_manifest(in_mp4(tmp_path, LETTERBOX), (make_track(1, (0, 0, 8, 8), 6),))
    with open_media(whole) as media:
        assert "stream 0 size" in {f.name for f in check_content(media, manifest) if not f.holds}


REFUSED: dict[str, tuple[tuple[int, ...], str]] = {
    "half a pixel": ((95, 1, 64, 1, 0, 1, 0, 1), "crop=94:64:1:0"),
    "odd left": (Window(1, 0, 95, 64).clap(), "crop=95:64:1:0"),
    "odd top": (Window(0, 3, 96, 61).clap(), "crop=96:61:0:3"),
    "odd width": (Window(0, 0, 31, 64).clap(), "crop=31:64:0:0"),
    "odd height": (Window(0, 0, 96, 31).clap(), "crop=96:31:0:0"),
    "partly outside": ((40, 1, 40, 1, 60, 1, 0, 1), "crop="),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_cropped_exactly_is_refused_with_the_command(name: str, command: Any, tmp_path: Path) -> None:
    fields, words = REFUSED[name]
    source = with_clap(planted(tmp_path / "in.mp4", LETTERBOX), fields)
    code, out, err = command("locate", source, "--labels", "face")
    assert (code, out, len(err.strip().splitlines())) == (4, "", 1), err
    assert words in err
    assert ":exact=1" in err


def test_odd_edges_are_cropped_where_chroma_is_whole(tmp_path: Path) -> None:
    window = Window(3, 5, 41, 33)
    source = with_clap(planted(tmp_path / "in.mp4", window, pixel_format="yuv444p"), window.clap())
    with open_media(source) as media:
        record: Any = read_source(media).streams[0]
    assert (record.width, record.height) == (41, 33)


HARMLESS = {"the whole picture": (96, 1, 64, 1, 0, 1, 0, 1), "more than it": (100, 1, 80, 1, 0, 1, 0, 1),
            "no denominator": (96, 0, 64, 0, 0, 0, 0, 0)}  # fmt: skip


@pytest.mark.parametrize("name", HARMLESS)
def test_an_aperture_that_cuts_nothing_away_changes_nothing(name: str, tmp_path: Path) -> None:
    source = with_clap(planted(tmp_path / "in.mp4", LETTERBOX), HARMLESS[name])
    with open_media(source) as media:
        record: Any = read_source(media).streams[0]
    assert (record.width, record.height) == (WIDTH, HEIGHT)


def test_a_damaged_header_yields_no_aperture_or_a_refusal(tmp_path: Path) -> None:
    """Every byte of the header is changed in turn; the guard ends and raises nothing but `MediaError`."""
    data = bytearray(in_mp4(tmp_path, CORNER).read_bytes())
    target = tmp_path / "damaged.mp4"
    for at in range(data.index(b"moov") - 4, len(data), 3):
        target.write_bytes(data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :])
        with target.open("rb") as file:
            try:
                found = list(apertures(file.fileno(), len(data)))
            except MediaError:
                continue
            assert all(a.width >= 0 for a in found)
