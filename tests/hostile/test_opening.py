"""Each known attack on opening media: first that FFmpeg alone falls for it, then that the tools do not."""

import io
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from veridact.errors import MediaError
from veridact.media import pictures, reader, sniff, video
from veridact.media.frames import frame_checks
from veridact.media.guards import clap, gif, jpeg

PLAIN = """
import sys, av
with av.open(sys.argv[1]) as container:
    for frame in container.decode(video=0):
        pass
"""
OURS = """
import sys
from veridact.media import pictures, video
from veridact.media.frames import frame_checks
from veridact.errors import MediaError
try:
    with video.open_media(sys.argv[1]) as found:
        if found.format.library == "pillow":
            with pictures.open_picture(found) as image:
                for frame in pictures.frames(image): pass
        else:
            with video.demux(found) as container:
                for frame in video.decode(container, container.streams.video[0]): pass
    print("accepted")
except MediaError as e:
    print("refused:", e)
"""
CONNECT = """
import sys, av
try:
    av.open(sys.argv[1], timeout=2)
except OSError as e:
    print("failed:", e)
"""


@pytest.fixture
def refused(command: Callable[..., tuple[int, str, str]], tmp_path: Path) -> Callable[[Any], str]:
    """Both tools must refuse a file with exit 4 in one line and write nothing; returns the line of `locate`."""

    def check(path: Any) -> str:
        (tmp_path / "m.json").write_bytes((manifests() / "valid-minimal.json").read_bytes())
        before = {p.name for p in tmp_path.iterdir()}
        code, out, said = command("locate", "--labels", "face", path)
        assert (code, out, said.count("\n")) == (4, "", 1), said
        code, out, again = command("render", path, tmp_path / "m.json", tmp_path / "out.mp4")
        assert (code, out, again.count("\n")) == (4, "", 1), again
        assert {p.name for p in tmp_path.iterdir()} == before
        return said

    def manifests() -> Path:
        return Path(__file__).resolve().parents[2] / "manifests"

    return check


def test_a_list_of_neighbours_is_not_followed(clip: Any, tmp_path: Path, refused: Any) -> None:
    clip("secret.ts", frames=5)
    evil = tmp_path / "evil.mp4"
    evil.write_text("ffconcat version 1.0\nfile secret.ts\n")
    with av.open(str(evil)) as fooled:
        assert len(list(fooled.decode(video=0))) == 5
    refused(evil)


def test_a_concatenation_is_no_file_name(clip: Any, tmp_path: Path, refused: Any) -> None:
    a, b = clip("a.ts", frames=5), clip("b.ts", frames=5)
    with av.open(f"concat:{a}|{b}") as fooled:
        assert fooled.size == a.stat().st_size + b.stat().st_size
    assert "no such file" in refused(f"concat:{a}|{b}")


def test_a_pattern_is_no_file_name(picture: Any, tmp_path: Path, refused: Any) -> None:
    for number in (1, 2, 3):
        picture(f"im{number:03}.png")
    with av.open(str(tmp_path / "im%03d.png")) as fooled:
        assert len(list(fooled.decode(video=0))) == 3
    assert "no such file" in refused(tmp_path / "im%03d.png")


def test_an_address_is_no_file_name(run: Any, listener: Any, refused: Any) -> None:
    address = f"http://127.0.0.1:{listener.port}/x.mp4"
    with listener.accepting():
        run(address, code=CONNECT)
    assert listener.visits.pop().startswith(b"GET /x.mp4")
    assert "no such file" in refused(address)
    assert not listener.is_waited_for()


def test_a_playlist_reaches_nobody(run: Any, listener: Any, tmp_path: Path, refused: Any) -> None:
    """PyAV passes the name of an open file to FFmpeg, which follows what a playlist of that name lists."""
    evil = tmp_path / "x.m3u8"
    evil.write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:{listener.port}/a.ts\n#EXT-X-ENDLIST\n"
    )
    with listener.accepting():
        run(evil, code=CONNECT.replace("sys.argv[1],", "open(sys.argv[1], 'rb'),"))
    assert listener.visits
    refused(evil)
    assert not listener.is_waited_for()
    assert not hasattr(reader.Reader(0), "name")


NOT_MEDIA = {
    "ffconcat": b"ffconcat version 1.0\nfile secret.ts\n",
    "playlist": b"#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n",
    "dash": b"<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'></MPD>",
    "session description": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=video 9 RTP/AVP 96\r\n",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
    "subtitles": b"1\n00:00:00,000 --> 00:00:09,000\nhello\n",
    "metadata": b";FFMETADATA1\ntitle=x\n",
    "archive": b"PK\3\4" + bytes(60),
    "script": b"%!PS-Adobe-3.0\n",
    "nothing but zeros": bytes(4096),
    "two bytes": b"\xff\xd8",
}


@pytest.mark.parametrize("name", NOT_MEDIA)
def test_what_only_refers_to_media_is_refused(name: str, tmp_path: Path) -> None:
    for suffix in (".mp4", ".jpg", ".m3u8"):
        path = tmp_path / f"x{suffix}"
        path.write_bytes(NOT_MEDIA[name])
        with pytest.raises(MediaError, match="not a video, picture or sound file"), video.open_media(path):
            pass


def test_mp3_cut_out_of_a_longer_recording_is_read(tmp_path: Path) -> None:
    """It begins with the end of a frame; the eleven sync bits of a header alone do not make a frame."""
    whole = tmp_path / "whole.mp3"
    with av.open(str(whole), "w", options={"write_xing": "0", "id3v2_version": "0"}) as container:
        stream = container.add_stream("libmp3lame", rate=48000, layout="mono")
        samples = (np.random.default_rng(3).integers(-9000, 9000, (1, 48000))).astype(np.int16)
        block = av.AudioFrame.from_ndarray(samples, "s16p", "mono")
        block.sample_rate, block.pts = 48000, 0
        container.mux([*stream.encode(block), *stream.encode(None)])
    data = whole.read_bytes()
    assert sniff.sniff(data) == sniff.Format("ffmpeg", "mp3")
    for cut in (1, 2, 100, 200):
        assert sniff.sniff(data[cut:]) == sniff.Format("ffmpeg", "mp3"), cut
    assert sniff.sniff(bytes(2000) + data) is None
    assert sniff.sniff(data[1:700]) is None
    for seed in range(50):
        assert sniff.sniff(b"\1" + np.random.default_rng(seed).bytes(1 << 16)) is None


def test_the_format_found_is_the_only_one_tried(clip: Any, tmp_path: Path) -> None:
    """A playlist behind a magic number goes to the demuxer of that number alone, which finds no stream in it."""
    clip("secret.ts", frames=5)
    for magic in (b"\x1aE\xdf\xa3", b"OggS", b"fLaC", b"\0\0\0\x18ftypisom", b"#!AMR\n", b"\xff\xf1"):
        path = tmp_path / "x.mp4"
        path.write_bytes(magic + b"\nffconcat version 1.0\nfile secret.ts\n" * 9)
        with video.open_media(path) as found:
            try:
                with video.demux(found) as container:
                    assert container.format.name.split(",")[0] in {found.format.name, "matroska"}
                    assert not container.streams.video
            except MediaError:
                pass


def test_data_in_another_file_is_never_read(make: Any, tmp_path: Path) -> None:
    """QuickTime may place its samples in another file; with FFmpeg's option for it they are read from there."""
    sample = make["png"](64, 64)
    secret = tmp_path / "secret.mov"
    secret.write_bytes(make["movie"](sample, 64, 64))
    volume = bytes(10) + bytes([4]) + b"disk" + bytes(23)
    record = (
        bytes(4) + struct.pack(">H", 150) + bytes([0, 2, 0, 0]) + volume[10:38] + bytes(108) + struct.pack(">hh", 1, 1)
    )
    name = str(secret).encode()
    name += b"\0" * (len(name) % 2)
    record += bytes(16) + struct.pack(">HH", 2, len(name)) + name + struct.pack(">hH", -1, 0)
    evil = tmp_path / "evil.mov"
    evil.write_bytes(make["movie"](bytes(len(sample)), 64, 64, make["box"](b"alis", bytes(4), record)))
    with av.open(str(evil), options={"enable_drefs": "1", "use_absolute_path": "1"}) as fooled:
        assert [frame.width for frame in fooled.decode(video=0)] == [64]
    with video.open_media(evil) as found, pytest.raises(MediaError), video.demux(found) as container:
        list(video.decode(container, container.streams.video[0]))


def test_a_small_movie_with_a_huge_frame_is_refused_unopened(make: Any, run: Any, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.mov"
    bomb.write_bytes(make["movie"](make["png"](8000, 8000), 8000, 8000))
    plain, ours = run(bomb, code=PLAIN), run(bomb, code=OURS)
    assert plain.peak_mib > 200
    assert ours.out.startswith(b"refused"), ours
    assert ours.peak_mib < 150
    assert ours.seconds < 10


def test_huge_frames_cost_little_where_streams_come_late(make: Any, run: Any, tmp_path: Path) -> None:
    """MPEG-TS lists its streams after it is opened, when FFmpeg has begun to decode them without any limit."""
    bomb = tmp_path / "bomb.ts"
    h264_clip(bomb, make["h264"](16000, 16000, 2))
    plain, ours = run(bomb, code=PLAIN.split("    for")[0] + "    pass"), run(bomb, code=OURS)
    assert plain.peak_mib > 500, plain
    assert ours.out.startswith(b"refused"), ours
    assert ours.peak_mib < 300, ours
    assert ours.seconds < 10


def h264_clip(path: Path, packets: list[bytes]) -> Path:
    """A container around packets whose parameter sets no encoder checked."""
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for number, data in enumerate(packets):
            packet = av.Packet(data)
            packet.pts = packet.dts = number
            packet.time_base = Fraction(1, 25)
            packet.stream = stream
            target.mux(packet)
    return path


@pytest.mark.parametrize("suffix", ["ts", "mp4", "mkv"])
def test_sixteen_references_of_the_largest_size_are_refused(suffix: str, make: Any, run: Any, tmp_path: Path) -> None:
    bomb = h264_clip(tmp_path / f"bomb.{suffix}", make["h264"](8192, 4352, 20))
    if suffix == "ts":
        plain = run(bomb, code=PLAIN)
        assert plain.peak_mib > 1000, plain
    ours = run(bomb, code=OURS)
    assert b"reference" in ours.out, ours
    assert ours.peak_mib < 700, ours


def test_references_are_found_where_a_stream_changes(make: Any, tmp_path: Path) -> None:
    harmless, greedy = make["h264"](64, 64, 2), make["h264"](8192, 4352, 1)
    path = h264_clip(tmp_path / "late.ts", [*harmless, *greedy])
    with video.open_media(path) as found, video.demux(found) as container:
        stream = container.streams.video[0]
        with pytest.raises(MediaError, match="for reference"):
            list(video.decode(container, stream))


def animated(path: Path, side: int, frames: int) -> None:
    from PIL import Image

    shades = [Image.new("L", (side, side), 40 * n % 256).convert("P") for n in range(frames)]
    shades[0].save(path, save_all=True, append_images=shades[1:], duration=40)


def webp_canvas(path: Path) -> None:
    body = b"VP8X" + struct.pack("<I", 10) + b"\2\0\0\0" + (16382).to_bytes(3, "little") * 2
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body)


def tiff_of_holes(path: Path) -> None:
    entries = [(256, 4, 60000), (257, 4, 60000), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (279, 4, 9)]
    table = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(entries)) + table + bytes(100))


GIF_HEAD = b"GIF89a" + struct.pack("<HH", 1, 1) + b"\x80\0\0\0\0\0\xff\xff\xff"


def gif_of_many(path: Path, frames: int = 20_000) -> None:
    """Counting two million frames takes Pillow four seconds, and each decoder in a row again."""
    path.write_bytes(GIF_HEAD + bytes.fromhex("2c0000000001000100000202440100") * frames + b";")


def gif_of_dust(path: Path) -> None:
    """Few frames, of data in blocks of one byte."""
    frame = bytes.fromhex("2c00000000010001000002") + b"\1\x44" * 3_000_000 + b"\0"
    path.write_bytes(GIF_HEAD + frame * 2 + b";")


def scans_of(side: int, more: int) -> bytes:
    """A progressive JPEG that repeats its last scan, of some thirty bytes, `more` times."""
    from PIL import Image

    file = io.BytesIO()
    Image.new("L", (side, side), 128).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * (1 + more) + data[-2:]


BOMBS: dict[str, Callable[[Path], None]] = {
    "many.gif": gif_of_many,
    "millions.gif": lambda path: gif_of_many(path, 2_000_000),
    "dust.gif": gif_of_dust,
    "large.gif": lambda path: animated(path, 4200, 2),
    "long.gif": lambda path: animated(path, 1200, 94),
    "canvas.webp": webp_canvas,
    "holes.tif": tiff_of_holes,
    "scans.jpg": lambda path: path.write_bytes(scans_of(8000, 30_000)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_picture_that_grows_is_refused(name: str, tmp_path: Path, run: Any) -> None:
    path = tmp_path / name
    BOMBS[name](path)
    ours = run(path, code=OURS)
    assert ours.out.startswith(b"refused"), ours
    assert ours.peak_mib < 400, ours
    assert ours.seconds < 10


@pytest.mark.parametrize("name", ["millions.gif", "dust.gif"])
def test_frames_are_counted_no_further_than_allowed(name: str, tmp_path: Path) -> None:
    """Steps are counted rather than seconds, which a busy machine stretches."""
    path = tmp_path / name
    BOMBS[name](path)
    steps = 0

    class Counted(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            nonlocal steps
            steps += 1
            return super().read(size)

    assert gif.has_more_frames(Counted(path.read_bytes()), pictures.MAX_PICTURE_FRAMES)
    assert steps <= 2 * gif.MAX_GIF_BLOCKS + 100


def test_each_frame_of_motion_jpeg_has_few_scans(tmp_path: Path, run: Any) -> None:
    data, path = scans_of(5888, 10_000), tmp_path / "scans.avi"
    with av.open(str(path), "w") as target:
        stream = target.add_stream("mjpeg", rate=25)
        stream.width = stream.height = 5888
        stream.pix_fmt = "yuvj420p"
        packet = av.Packet(data)
        packet.pts = packet.dts = 0
        packet.time_base, packet.stream = Fraction(1, 25), stream
        target.mux(packet)
    ours = run(path, code=OURS)
    assert b"scans" in ours.out, ours
    assert ours.seconds < 10


def test_scans_are_counted_over_the_edges_of_pieces() -> None:
    data = scans_of(16, jpeg.MAX_JPEG_SCANS // 2)
    assert data.count(b"\xff\xda") > jpeg.MAX_JPEG_SCANS // 2
    for size in (1, 3, 7, len(data)):
        jpeg.check_scans(data[at : at + size] for at in range(0, len(data), size))
        twice = data + data[data.index(b"\xff\xda") :]
        with pytest.raises(MediaError, match="scans"):
            jpeg.check_scans(twice[at : at + size] for at in range(0, len(twice), size))


def gif_bytes(*parts: bytes) -> bytes:
    return GIF_HEAD + b"".join(parts) + b";"


FRAME = bytes.fromhex("2c0000000001000100000202440100")
ODD_GIFS = {
    "plain": gif_bytes(FRAME, FRAME),
    "own palettes": gif_bytes(bytes.fromhex("2c00000000010001008000000000000002024401 00"), FRAME),
    "empty comment": gif_bytes(b"!\xfe\0", FRAME, FRAME),
    "empty control": gif_bytes(b"!\xf9\0\4abcd\0", FRAME, FRAME),
    "loop that ends early": gif_bytes(b"!\xff\x0bNETSCAPE2.0\0", b"\3\1\0\0\0", FRAME, FRAME),
    "loop later": gif_bytes(FRAME, b"!\xff\x0bNETSCAPE2.0\0", b"\3\1\0\0\0", FRAME),
    "dust between": gif_bytes(FRAME, b"abc\0", FRAME),
    "cut short": gif_bytes(FRAME, FRAME)[:-4],
    "no end": gif_bytes(FRAME, FRAME)[:-1],
}


@pytest.mark.parametrize("name", ODD_GIFS)
def test_frames_are_counted_as_they_are_decoded(name: str) -> None:
    from PIL import Image

    data = ODD_GIFS[name]
    with Image.open(io.BytesIO(data), formats=["GIF"]) as image:
        frames = image.n_frames
    assert gif.has_more_frames(io.BytesIO(data), frames - 1)
    assert not gif.has_more_frames(io.BytesIO(data), frames)


def test_libtiff_says_nothing_beside_our_line(tmp_path: Path, run: Any) -> None:
    from PIL import Image

    path = tmp_path / "cut.tif"
    Image.effect_noise((64, 64), 50).save(path, compression="tiff_lzw", big_tiff=False)
    data = bytearray(path.read_bytes())
    data[8:4000] = bytes(3992)
    path.write_bytes(data)
    plain = run(
        path, code="import sys\nfrom PIL import Image\ntry:\n    Image.open(sys.argv[1]).load()\nexcept OSError: pass"
    )
    assert plain.err
    found = run(path, code=OURS)
    assert (found.out[:7], found.err) == (b"refused", "")


def test_a_png_that_grows_is_refused(make: Any, run: Any, tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(make["png"](8200, 8200))
    ours = run(path, code=OURS)
    assert ours.out.startswith(b"refused"), ours
    assert ours.peak_mib < 150


def test_more_streams_than_anybody_films_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip: Any
) -> None:
    path = clip("two.mkv", frames=3, audio="flac")
    with video.open_media(path) as found, video.demux(found) as container:
        assert len(container.streams) == 2
    monkeypatch.setattr(video, "MAX_STREAMS", 1)
    with video.open_media(path) as found, video.demux(found) as container:
        assert len(container.streams) == 1


LIMITS = [("MAX_FRAMES", 3, "longer than is safe"), ("MAX_DECODED_BYTES", 20_000, "longer than is safe"),
          ("MAX_FOOTAGE_PIXELS", 64 * 47, "pixels|decode"), ("MAX_SECONDS", 0, "hours")]  # fmt: skip


@pytest.mark.parametrize(("limit", "value", "reason"), LIMITS)
def test_each_limit_is_kept(limit: str, value: int, reason: str, clip: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = clip("a.mp4", frames=5)

    def read() -> int:
        with video.open_media(path) as found, video.demux(found) as container:
            return len(list(video.decode(container, container.streams.video[0])))

    assert read() == 5
    for module in (video, frame_checks):
        if hasattr(module, limit):
            monkeypatch.setattr(module, limit, value)
    with pytest.raises(MediaError, match=reason):
        read()


def test_every_limit_is_documented() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "limits.md").read_text().replace(",", "")
    for module in (video, frame_checks, pictures, clap, gif, jpeg):
        for name in (n for n in vars(module) if n.startswith("MAX_") or n == "OPENING_BYTES"):
            assert f"| {getattr(module, name)} |" in text, f"docs/limits.md does not name {name}"


def test_opening_leaves_the_memory_limit_as_it_was(clip: Any) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    with video.open_media(clip("a.mp4", frames=2)) as found, video.demux(found):
        assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_descriptors_do_not_leak(clip: Any, tmp_path: Path) -> None:
    path = clip("a.mp4", frames=2)
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(path.read_bytes()[:600])
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        for candidate in (path, bad, tmp_path):
            try:
                with video.open_media(candidate) as found, video.demux(found):
                    pass
            except MediaError:
                pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before
