"""Rendering sound from end to end: the range is silent or a beep on every channel, the rest is what it was."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from veridact.schema.manifest import AudioEffect, AudioRange, Key, Origin

RATE = 48000
BEEP = AudioEffect(effect="beep", pad_ms=0)
CASES = {
    "wav to wav": ("in.wav", "pcm_s16le", "wav"),
    "flac to flac": ("in.flac", "flac", "flac"),
    "aac to m4a": ("in.m4a", "aac", "m4a"),
    "mp3 to flac": ("in.mp3", "libmp3lame", "flac"),
    "opus to ogg": ("in.ogg", "libopus", "ogg"),
    "opus to mkv": ("in.mka.mkv", "libopus", "mkv"),
}


def spoken(number: int, start_ms: int, end_ms: int, **what: Any) -> AudioRange:
    fields = {"stream": None, "label": "speech", "review": "added", "origin": Origin(by="hand"), **what}
    return AudioRange(id=f"speech-{number:04}", start_ms=start_ms, end_ms=end_ms, **fields)


def write_sound(path: Path, codec: str, seconds: int = 2) -> Path:
    at = np.arange(RATE * seconds) / RATE
    samples = np.stack([(9000 * np.sin(2 * np.pi * f * at)).astype(np.int16) for f in (440, 777)])
    container = "matroska" if path.suffix == ".mkv" else "ipod" if path.suffix == ".m4a" else path.suffix[1:]
    with av.open(str(path), "w", format=container, options={"fflags": "+bitexact"}) as output:
        stream = output.add_stream(codec, rate=RATE, layout="stereo")
        resampler = av.AudioResampler(
            stream.codec_context.format, "stereo", RATE, stream.codec_context.frame_size or 1024
        )
        frame = av.AudioFrame.from_ndarray(samples.T.reshape(1, -1).copy(), "s16", "stereo")
        frame.sample_rate, frame.pts = RATE, 0
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return path


def heard(path: Path, index: int = 0) -> np.ndarray[Any, Any]:
    """The samples that a player plays, as floats in ±1: (channels, samples), from what a player shows as 0."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[index]
        resampler = av.AudioResampler("fltp", "stereo", RATE)
        parts, begins = [], None
        for frame in container.decode(stream):
            begins = frame.pts * frame.time_base if begins is None else begins
            parts += [f.to_ndarray() for f in resampler.resample(frame)]
        lead = round((begins or Fraction(0)) * RATE) if container.streams.video else 0
    return np.concatenate([np.zeros((2, max(0, lead)), np.float32), *parts], axis=1)


@pytest.mark.parametrize(("name", "codec", "container"), CASES.values(), ids=CASES.keys())
def test_a_range_is_silent_and_another_a_beep(
    name: str, codec: str, container: str, make_manifest: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    source, out = write_sound(tmp_path / name, codec), tmp_path / f"out.{container}"
    ranges = (spoken(1, 300, 700), spoken(2, 1200, 1500, effect=BEEP))
    manifest = saved(make_manifest(source, (), audio=ranges, container=container))
    code, _, err = command("render", source, manifest, out)
    assert code == 0, err
    before, after = heard(source), heard(out)
    at = lambda ms: ms * RATE // 1000  # noqa: E731
    assert np.abs(after[:, at(310) : at(690)]).max() < 1e-6
    beep = after[:, at(1250) : at(1450)]
    assert (0.02 < np.abs(beep).max() < 1, bool(np.allclose(beep[0], beep[1], atol=0.01))) == (True, True)
    for start, end in ((20, 240), (760, 1140), (1560, 1900)):
        assert np.allclose(before[:, at(start) : at(end)], after[:, at(start) : at(end)], atol=2e-4), (start, end)
    checked = ["--manifest", manifest, "--output", out, "--input", source, "--content", "--rerun"]
    assert command("verify", f"{out}.audit.jsonl", *checked)[0] == 0


def test_mp3_is_never_patched_and_says_what_holds_it(
    make_manifest: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    source = write_sound(tmp_path / "in.mp3", "libmp3lame")
    manifest = saved(make_manifest(source, (), audio=(spoken(1, 300, 700),), container="mp3"))
    code, _, err = command("render", source, manifest, tmp_path / "out.mp3")
    assert (code, "flac" in err) == (4, True)


def test_everything_but_what_is_kept(
    clip: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    source, out = clip("in.mp4", frames=50, audio="aac"), tmp_path / "out.mp4"
    kept = make_track(
        1, (16, 8, 24, 24), 50, label="keep", review="accepted", keys=(Key(frame=0, box=(16, 8, 24, 24)),)
    )
    proposed = make_track(2, (0, 0, 8, 8), 50, label="keep", review="proposed")
    words = (
        spoken(1, 500, 1000, label="keep", review="accepted"),
        spoken(2, 1500, 1900, label="keep", review="proposed"),
    )
    manifest = saved(make_manifest(source, (kept, proposed), audio=words, scope="everything"))
    code, _, err = command("render", source, manifest, out)
    assert code == 0, err
    sound = heard(out)
    at = lambda ms: ms * RATE // 1000  # noqa: E731
    assert np.abs(sound[:, at(600) : at(900)]).max() > 0.05
    assert np.abs(sound[:, at(50) : at(430)]).max() == 0
    assert np.abs(sound[:, at(1070) : at(1950)]).max() == 0
    with av.open(str(out)) as container:
        frame = next(container.decode(video=0)).to_ndarray()[:48]
    assert frame[10:30, 18:38].std() > 20
    assert (np.abs(frame[:, 44:].astype(int) - 16) < 12).all()
    assert (np.abs(frame[:8, :14].astype(int) - 16) < 12).all()
    assert command("verify", f"{out}.audit.jsonl", "--manifest", manifest, "--output", out, "--content")[0] == 0


def test_two_audio_streams_have_their_own_ranges(
    clip: Callable[..., Path], make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    one, source, out = clip("one.mp4", frames=50, audio="aac"), tmp_path / "two.mp4", tmp_path / "out.mp4"
    with av.open(str(one)) as first, av.open(str(source), "w") as target:
        pairs = [
            (s, target.add_stream_from_template(s)) for s in (first.streams[0], first.streams[1], first.streams[1])
        ]
        for packet in first.demux():
            for old, new in pairs:
                if packet.size and packet.stream is old:
                    again = av.Packet(bytes(packet))
                    again.pts, again.dts, again.duration = packet.pts, packet.dts, packet.duration
                    again.time_base, again.stream, again.is_keyframe = packet.time_base, new, packet.is_keyframe
                    target.mux(again)
    words = (spoken(1, 300, 700, stream=1), spoken(2, 1000, 1400, stream=2), spoken(3, 1600, 1800))
    manifest = saved(make_manifest(source, (make_track(1, (8, 8, 20, 16), 50),), audio=words))
    code, _, err = command("render", source, manifest, out)
    assert code == 0, err
    at = lambda ms: ms * RATE // 1000  # noqa: E731
    first_sound, second_sound = heard(out, 0), heard(out, 1)
    quiet = [
        [np.abs(sound[:, at(start) : at(end)]).max() == 0 for start, end in ((300, 700), (1000, 1400), (1600, 1800))]
        for sound in (first_sound, second_sound)
    ]
    assert quiet == [[True, False, True], [False, True, True]]


@pytest.mark.parametrize("scope", ["listed", "everything"])
def test_a_first_packet_without_sound_is_covered_like_any_other(
    scope: str, clip: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> None:
    """Some phones begin AAC with a packet of nothing but a fill element; what replaces it is silence, not nothing."""
    made, source, out = clip("made.mp4", frames=20, audio="aac"), tmp_path / "in.mp4", tmp_path / "out.mp4"
    with av.open(str(made)) as before, av.open(str(source), "w") as after:
        streams = [after.add_stream_from_template(s) for s in before.streams]
        empty = av.Packet(bytes.fromhex("c1c0"))
        empty.stream, empty.pts, empty.dts, empty.time_base = streams[1], 0, 0, Fraction(1, RATE)
        after.mux(empty)
        for packet in before.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                if packet.stream.type == "audio":
                    packet.pts, packet.dts = packet.pts + 4096, packet.dts + 4096
                after.mux(packet)
    ranges = (spoken(1, 20, 60),) if scope == "listed" else ()
    tracks = (make_track(1, (8, 8, 20, 16), 20),) if scope == "listed" else ()
    manifest = saved(make_manifest(source, tracks, audio=ranges, scope=scope))
    code, _, err = command("render", source, manifest, out)
    assert code == 0, err
    old, new = heard(source), heard(out)
    assert not new[:, :1024].any()
    if scope == "listed":
        assert np.array_equal(old[:, -RATE // 4 :], new[:, -RATE // 4 :])
    receipt = f"{out}.audit.jsonl"
    assert command("verify", receipt, "--output", out, "--manifest", manifest, "--content")[0] == 0
