"""Unusual sound and transport streams: each renders, or is refused with a reason, and none is a bug."""

import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from veridact.errors import MediaError
from veridact.media.sniff import Format, sniff
from veridact.media.source import read_source
from veridact.media.video import open_media
from veridact.schema.manifest import AudioRange, Origin

RANGE = AudioRange(
    id="custom-0001", stream=None, label="custom", review="added", origin=Origin(by="hand"), start_ms=100, end_ms=300
)
RATE = 8000


def sound(path: Path, channels: int, layout: str | None = None) -> Path:
    """A second of 16-bit PCM; without a name for the layout, no channel has a speaker."""
    name = layout or f"{channels} channels"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("pcm_s16le", rate=RATE, layout=name)
        samples = np.arange(RATE * channels, dtype=np.int16).reshape(1, -1) % 900
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=name)
        frame.sample_rate, frame.pts = RATE, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("covered", [False, True])
@pytest.mark.parametrize(("name", "container"), [("in.wav", "wav"), ("in.wav", "mkv"), ("in.mov", "mkv")])
@pytest.mark.parametrize(
    ("channels", "layout"),
    [(3, None), (4, None), (4, "quad"), (16, None), (16, "hexadecagonal"), (64, None)],
)
def test_channels_keep_their_number_and_have_no_invented_names(
    channels: int, layout: str | None, name: str, container: str, covered: bool, make_manifest: Any, saved: Any,
    command: Any, tmp_path: Path,
) -> None:  # fmt: skip
    source, out = sound(tmp_path / name, channels, layout), tmp_path / f"out.{container}"
    with av.open(str(source)) as given:
        named = given.streams.audio[0].layout.name
    manifest = make_manifest(source, (), container=container, audio=(RANGE,) if covered else ())
    code, _, err = command("render", source, saved(manifest), out, "--allow-uncovered")
    assert code == 0, err
    with av.open(str(out)) as made:
        stream = made.streams.audio[0]
        assert stream.channels == channels
        if not (covered and container == "mkv" and channels <= 8):  # FLAC names the speakers of up to 8 channels
            assert stream.layout.name in {named, f"{channels} channels"}
        samples = np.concatenate([f.to_ndarray().reshape(-1, channels) for f in made.decode(audio=0)])
    assert len(samples) == RATE
    assert not (covered and samples[RATE // 10 : 3 * RATE // 10].any())
    assert samples[RATE // 2].any()


def test_covered_sound_of_many_channels_is_refused_where_only_flac_could_hold_it(
    make_manifest: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    manifest = make_manifest(sound(tmp_path / "in.wav", 16), (), container="flac", audio=(RANGE,))
    code, _, err = command("render", tmp_path / "in.wav", saved(manifest), tmp_path / "out.flac")
    assert (code, "16 channels" in err, "mkv" in err) == (4, True, True), err


def test_more_channels_than_a_manifest_states_are_refused(tmp_path: Path) -> None:
    with open_media(sound(tmp_path / "in.wav", 100)) as media, pytest.raises(MediaError, match="100 channels"):
        read_source(media)


def broadcast(path: Path, offset_seconds: str = "0", silent_mp3: bool = False) -> Path:
    """A transport stream of 50 frames, its clock from an offset on; `silent_mp3` announces MP3 without sync words."""
    with av.open(str(path), "w", options={"output_ts_offset": offset_seconds}) as container:
        stream: Any = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        announced: Any = container.add_stream("mp3", rate=44100, layout="mono") if silent_mp3 else None
        packets = []
        for number in range(50):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 60 + 2 * number, np.uint8), "rgb24")
            frame.pts = number
            packets += stream.encode(frame)
        for number, packet in enumerate([*packets, *stream.encode(None)]):
            container.mux(packet)
            if announced is not None:
                empty: Any = av.Packet(bytes(200))
                empty.stream, empty.time_base = announced, announced.codec_context.time_base or stream.time_base
                empty.pts = empty.dts = number
                container.mux(empty)
    return path


@pytest.mark.parametrize("cut", [0, 1, 40, 100, 187])
def test_a_transport_stream_may_begin_inside_a_packet(
    cut: int, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    data = broadcast(tmp_path / "whole.ts").read_bytes()
    source, out = tmp_path / "in.ts", tmp_path / "out.mp4"
    source.write_bytes(b"\xff" * (188 - cut if cut else 0) + data)
    assert sniff(source.read_bytes()) == Format("ffmpeg", "mpegts")
    manifest = make_manifest(source, (make_track(1, (0, 0, 8, 8), 50),))
    assert manifest.source.streams[0].frames == 50
    code, _, err = command("render", source, saved(manifest), out)
    assert code == 0, err


@pytest.mark.parametrize("head", [b"\x47" * 3 + bytes(400), bytes(4000), b"\xff\xfb\x90\x64" + bytes(2000)])
def test_other_bytes_are_no_transport_stream(head: bytes) -> None:
    assert sniff(head) != Format("ffmpeg", "mpegts")


def test_packets_after_timestamps_are_found_as_well(tmp_path: Path) -> None:
    data = broadcast(tmp_path / "in.ts").read_bytes()
    stamped = b"".join(struct.pack(">I", at) + data[at : at + 188] for at in range(0, 188 * 12, 188))
    for cut in (0, 3, 4, 90, 191):
        assert sniff(stamped[cut:]) == Format("ffmpeg", "mpegts"), cut


def test_a_clock_that_wraps_around_is_refused_with_the_command_that_shifts_it(command: Any, tmp_path: Path) -> None:
    source = broadcast(tmp_path / "in.ts", offset_seconds=f"{2**33 / 90000 - 2.4:.3f}")
    code, out, err = command("locate", source, "--labels", "face")
    assert (code, out, len(err.strip().splitlines())) == (4, "", 1), err
    assert "-avoid_negative_ts make_zero" in err


def test_sound_that_is_announced_and_never_found_is_listed_but_not_rendered(
    make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    source, out = broadcast(tmp_path / "in.ts", silent_mp3=True), tmp_path / "out.mp4"
    with av.open(str(source)) as given:
        assert given.streams.audio[0].sample_rate == 0
    manifest = make_manifest(source, (make_track(1, (0, 0, 8, 8), 50),))
    assert [s.type for s in manifest.source.streams] == ["video", "unknown"]
    code, _, err = command("render", source, saved(manifest), out)
    assert code == 0, err
    code, text, err = command("locate", source, "--labels", "face")
    assert (code, '"unknown"' in text) == (0, True), err
