"""0 ms is one instant for `render`, `locate`, `edit --media`, `lint MEDIA`, Audacity labels and `verify --content`."""

import ast
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from veridact.audit import content
from veridact.locate.speech import pipeline as hearing
from veridact.media import origin as origins
from veridact.media import timeline
from veridact.media.origin import audio_offset, first_time, origin
from veridact.media.video import open_media
from veridact.render import streams
from veridact.schema.manifest import AudioRange, Manifest, Origin, OutputStream
from veridact.schema.timeline import from_manifest
from veridact.tools import lint_audio
from veridact.tools.formats import registry

Fractions = tuple[Fraction, ...]
Make = Callable[..., Manifest]
ROOT = Path(__file__).parents[2]
FORMATS = (
    ("mkv", "pcm_s16le"), ("mkv", "aac"), ("mkv", "libopus"), ("mkv", "libmp3lame"), ("mkv", "flac"),
    ("mp4", "aac"), ("mov", "pcm_s16le"), ("ts", "aac"), ("ts", "mp2"), ("ts", "ac3"), ("avi", "mp2"),
)  # fmt: skip
SECONDS = 1
FPS = 25


def spoiled(packet: Any) -> Any:
    """A packet of the same time and size that does not decode."""
    other = av.Packet(b"\x55" * packet.size)
    other.pts, other.dts, other.duration = packet.pts, packet.dts, packet.duration
    other.time_base, other.stream = packet.time_base, packet.stream
    return other


def video_packets(stream: Any, at: Fraction) -> list[Any]:
    found = []
    for number in range(FPS * SECONDS):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number * 9 % 256, np.uint8), "rgb24")
        frame.pts, frame.time_base = number + round(at * FPS), Fraction(1, FPS)
        found += stream.encode(frame)
    return found + stream.encode(None)


def sound_packets(stream: Any, at: Fraction, rate_hz: int) -> list[Any]:
    samples = (8000 * np.sin(np.arange(rate_hz * SECONDS) / 5)).astype("<i2").reshape(1, -1)
    context = stream.codec_context
    resampler = av.AudioResampler(context.format, "mono", rate_hz, context.frame_size or 1024)
    frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
    frame.sample_rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
    found = []
    for part in [*resampler.resample(frame), *resampler.resample(None)]:
        part.pts, part.time_base = part.pts + round(at * rate_hz), Fraction(1, rate_hz)
        found += stream.encode(part)
    return found + stream.encode(None)


def write(path: Path, codec: str, video: Fractions, sound: Fractions, spoil: int = 0, rate_hz: int = 48000) -> Path:
    """Footage and sound that begin at the seconds given; the first `spoil` packets of each sound do not decode."""
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as output:
        seen = [output.add_stream("libx264", rate=FPS, options={"bf": "0", "preset": "ultrafast"}) for _ in video]
        for stream in seen:
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        heard = [output.add_stream(codec, rate=rate_hz, layout="mono") for _ in sound]
        packets = [p for stream, at in zip(seen, video, strict=True) for p in video_packets(stream, at)]
        for stream, at in zip(heard, sound, strict=True):
            mine = sound_packets(stream, at, rate_hz)
            packets += [spoiled(p) if n < spoil else p for n, p in enumerate(mine)]
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            output.mux(packet)
    return path


def decoded_times(path: Path) -> list[tuple[str, Fraction]]:
    """When each stream that is no cover art begins by decoding it with PyAV alone, packets that fail passed over."""
    found = []
    with av.open(str(path)) as container:
        shown = [s for s in container.streams if s.codec_context and not s.disposition & Disposition.attached_pic]
        indexes = [(s.index, s.type) for s in shown]
    for index, kind in indexes:
        with av.open(str(path)) as container:
            times = []
            for packet in container.demux(container.streams[index]):
                try:
                    times += [f.pts * f.time_base for f in packet.decode() if f.pts is not None]
                except (av.FFmpegError, ValueError):
                    continue
                if times:
                    break
            found += [(kind, times[0])] if times else []
    return found


def check_readers(path: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> Fraction:
    """Every reader's 0 ms, which must be the earliest decoded time; gives it in seconds of the file's clock."""
    times = decoded_times(path)
    zero = min(t for _, t in times)
    listened: list[Fraction] = []
    monkeypatch.setattr(lint_audio, "loudness", lambda media, index, at: listened.append(at) or np.zeros(9))
    with open_media(path) as media:
        assert origin(media) == zero
        lint_audio.inspect(manifest, media)
        heard = min((t for kind, t in times if kind == "audio"), default=zero)
        assert registry.offset_ms(media) == round((heard - zero) * 1000)
    assert set(listened) <= {zero}
    assert {c.origin_seconds for c in timeline.from_media(manifest, path).values()} <= {zero}
    return zero


def spoken(stream: int | None = None, start_ms: int = 300, end_ms: int = 500) -> AudioRange:
    return AudioRange(
        id="speech-0001", stream=stream, label="speech", review="added", origin=Origin(by="hand"),
        start_ms=start_ms, end_ms=end_ms,
    )  # fmt: skip


AT = st.sampled_from([Fraction(0), Fraction(1, 25), Fraction(12, 25), Fraction(1), Fraction(7, 5)])


@pytest.mark.parametrize(("suffix", "codec"), FORMATS)
def test_every_reader_has_the_same_origin(
    suffix: str, codec: str, tmp_path: Path, make_manifest: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    @settings(
        derandomize=True, database=None, deadline=None, max_examples=8,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )  # fmt: skip
    @given(st.lists(AT, max_size=1), st.lists(AT, min_size=1, max_size=2), st.sampled_from([0, 0, 1, 3]))
    def check(video: list[Fraction], sound: list[Fraction], spoil: int) -> None:
        path = write(tmp_path / f"in.{suffix}", codec, tuple(video), tuple(sound), spoil)
        manifest = make_manifest(path, (), container="mkv", audio=(spoken(),))
        check_readers(path, manifest, monkeypatch)

    check()


def test_sound_that_begins_with_packets_that_do_not_decode(
    tmp_path: Path, make_manifest: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`start_time` is that of the first packet, 0; the first frame that decodes is at 64 ms, before the footage."""
    path = write(tmp_path / "in.mkv", "aac", (Fraction(12, 25),), (Fraction(0),), spoil=3)
    with av.open(str(path)) as container:
        assert container.streams.audio[0].start_time == 0
    manifest = make_manifest(path, (), container="mkv", audio=(spoken(),))
    assert check_readers(path, manifest, monkeypatch) == Fraction(64, 1000)
    with open_media(path) as media:
        assert registry.offset_ms(media) == 0


@pytest.mark.parametrize(("suffix", "codec"), [("mp3", "libmp3lame"), ("ts", "aac"), ("ts", "mp2")])
def test_sound_that_is_cut_out_of_a_broadcast(
    suffix: str, codec: str, tmp_path: Path, make_manifest: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file begins in the middle of a packet."""
    whole = write(tmp_path / f"whole.{suffix}", codec, (), (Fraction(0),)).read_bytes()
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(whole[188 * 7 :] if suffix == "ts" else whole[1501:])
    check_readers(path, make_manifest(path, (), container="mkv", audio=(spoken(),)), monkeypatch)


def test_priming_and_an_edit_list_that_hides_the_beginning(
    tmp_path: Path, make_manifest: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sound that is muxed to begin 1/2 s before 0: an MP4's edit list cuts it there."""
    path = write(tmp_path / "in.mp4", "aac", (Fraction(1, 5),), (Fraction(-1, 2),))
    manifest = make_manifest(path, (), container="mp4", audio=(spoken(),))
    zero = check_readers(path, manifest, monkeypatch)
    with av.open(str(path)) as container:
        first = next(container.demux(audio=0))
        assert first.pts is not None
        assert first.pts * first.time_base < zero


@pytest.mark.parametrize(("suffix", "codec"), [("mp3", "libmp3lame"), ("mp4", "aac"), ("flac", "flac")])
def test_cover_art_is_no_stream_that_begins(
    suffix: str, codec: str, tmp_path: Path, make_manifest: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"in.{suffix}"
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=44100, layout="mono")
        art = output.add_stream("mjpeg", rate=1)
        art.width, art.height, art.pix_fmt = 64, 48, "yuvj420p"
        art.disposition = Disposition.attached_pic
        packets = sound_packets(stream, Fraction(0), 44100)
        output.mux(art.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), "rgb24")))
        for packet in packets:
            output.mux(packet)
    manifest = make_manifest(path, (), container="mkv", audio=(spoken(),))
    assert sorted(s.type for s in manifest.source.streams) == ["attachment", "audio"]
    check_readers(path, manifest, monkeypatch)


def test_two_cameras_without_sound_have_one_clock_with_and_without_the_footage(
    tmp_path: Path, make_manifest: Make, make_track: Any
) -> None:
    """Each camera had its own 0 ms where the footage was not named."""
    path = write(tmp_path / "in.mp4", "aac", (Fraction(1, 25), Fraction(2, 25)), ())
    manifest = make_manifest(path, (make_track(1, (0, 0, 8, 8), 5),), container="mp4")
    alone, known = from_manifest(manifest), timeline.from_media(manifest, path)
    assert all(c.pts is not None for c in alone.values())
    assert {c.origin_seconds for c in alone.values()} == {c.origin_seconds for c in known.values()} == {Fraction(1, 25)}


@pytest.mark.parametrize(
    ("container", "video"),
    [("mp4", True), ("mkv", True), ("mov", True), ("mkv", False), ("flac", False), ("m4a", False)],
)
@pytest.mark.parametrize("sound_s", [Fraction(1, 2), Fraction(0)])
def test_verify_counts_from_0_ms_where_the_earliest_stream_is_dropped(
    container: str, video: bool, sound_s: Fraction, tmp_path: Path, make_manifest: Make, saved: Any, command: Any
) -> None:
    """A first sound at 0 s is dropped and the second begins later: the output alone does not say when 0 ms is."""
    source = write(tmp_path / "in.mkv", "aac", (Fraction(18, 25),) * video, (Fraction(0), sound_s))
    made = make_manifest(source, (), container=container, audio=(spoken(start_ms=800, end_ms=1000),))
    first, last = [s.index for s in made.source.streams if s.type == "audio"]
    kept = tuple(
        OutputStream(index=s.index, disposition="drop" if s.index == first else "render") for s in made.source.streams
    )
    manifest = saved(made.model_copy(update={"output": made.output.model_copy(update={"streams": kept})}))
    out = tmp_path / f"out.{container}"
    code, _, err = command("render", source, manifest, out)
    assert code == 0, err
    with open_media(source) as media, open_media(out) as rendered:
        begins = first_time(media, last) - origin(media)
        assert container in {"flac", "m4a"} or abs(origin(rendered) - begins) < Fraction(1, 1000)
    lines = [json.loads(line) for line in Path(f"{out}.audit.jsonl").read_text().splitlines()]
    (body,) = [line["body"] for line in lines if line["type"] == "output"]
    assert Fraction(*body.get("begins", [0, 1])) == begins
    assert ("begins" in body) == (sound_s > 0)
    checked = command("verify", f"{out}.audit.jsonl", "--manifest", manifest, "--output", out, "--content")
    assert checked[0] == 0, checked[1]


def test_verify_refuses_a_receipt_that_moves_0_ms_although_nothing_is_dropped(
    tmp_path: Path, make_manifest: Make, saved: Any, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a receipt written anew could have the check listen where the sound was silent anyway."""
    source, out = write(tmp_path / "in.mkv", "aac", (), (Fraction(0),)), tmp_path / "out.mkv"
    manifest = saved(make_manifest(source, (), container="mkv", audio=(spoken(),)))
    monkeypatch.setattr(streams, "_begins", lambda media, manifest, zero: Fraction(100))
    assert command("render", source, manifest, out)[0] == 0
    code, said, _ = command("verify", f"{out}.audit.jsonl", "--manifest", manifest, "--output", out, "--content")
    assert (code, "moves 0 ms" in said) == (1, True)


def test_one_function_says_when_0_ms_is() -> None:
    """Nobody reads the container's own start times, which count packets that never become sound."""
    asked = (streams, content, hearing, timeline, lint_audio)
    assert {module.origin for module in asked} == {origins.origin}
    assert registry.audio_offset is audio_offset
    sources = [p for folder in ("schema", "locate", "render") for p in (ROOT / folder).rglob("*.py")]
    readers = [
        p.name for p in sources for node in ast.walk(ast.parse(p.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "start_time"
    ]  # fmt: skip
    assert readers == []
