from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from veridact.errors import MediaError
from veridact.media.video import open_media
from veridact.render.audio.aac_constants import CONFIGURATIONS, Element, access_unit
from veridact.render.audio.aac_splice import aac_lc_config, adts_config, read_config
from veridact.render.audio.stream import render_audio
from veridact.schema.plan.audio import Range, SoundPlan

MUTED = SoundPlan((Range(300, 500, "silence", 0),))
BEEPED = SoundPlan((Range(300, 500, "beep", 0),))

# Noise substitution draws from a generator that runs through the whole stream, so its noise (and only it) would differ.
NO_NOISE = {"aac_pns": "0"}
STREAMS = {
    "48 kHz stereo": {"rate": 48000, "layout": "stereo"},
    "44.1 kHz mono": {"rate": 44100, "layout": "mono"},
    "16 kHz stereo": {"rate": 16000, "layout": "stereo", "samples": 16000},
    "48 kHz 5.1": {"rate": 48000, "layout": "5.1"},
    "program config element": {"rate": 48000, "layout": "quad"},
}


def span(decoded_audio: Any, start_ms: int, end_ms: int) -> np.ndarray[Any, Any]:
    """The samples of a part of the sound, by what a player shows."""
    first = int(decoded_audio.first * decoded_audio.rate)
    part: np.ndarray[Any, Any] = decoded_audio.samples[
        :, start_ms * decoded_audio.rate // 1000 - first : -(-end_ms * decoded_audio.rate // 1000) - first
    ]
    return part


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("container", ["mp4", "mov", "mkv"])
def test_only_packets_that_touch_the_range_change(
    name: str, container: str, audio_file: Callable[..., Path], rendered: Any, decoded_audio: Any
) -> None:
    source = audio_file("aac", "mp4", options=NO_NOISE, **STREAMS[name])
    out, target = rendered(source, MUTED, container)
    before, after = decoded_audio(source), decoded_audio(target)
    assert out.disposition == "replaced"
    assert (after.rate, after.layout, after.first) == (before.rate, before.layout, before.first)
    assert after.samples.shape == before.samples.shape
    changed = [i for i, (a, b) in enumerate(zip(before.packets, after.packets, strict=True)) if a != b]
    assert len(changed) == out.counts.packets_replaced == changed[-1] - changed[0] + 1
    assert not span(after, 300, 500).any()
    assert span(before, 300, 500).any(axis=1).all()
    start, end = 300 * before.rate // 1000 - 2048, 500 * before.rate // 1000 + 2048
    assert np.array_equal(before.samples[:, :start], after.samples[:, :start])
    assert np.array_equal(before.samples[:, end:], after.samples[:, end:])


@pytest.mark.parametrize("name", STREAMS)
def test_a_beep_hides_as_much_as_silence_does(name: str, audio_file: Any, rendered: Any, decoded_audio: Any) -> None:
    source = audio_file("aac", "mp4", options=NO_NOISE, **STREAMS[name])
    (silent, _), (_, target) = rendered(source, MUTED, "mp4"), rendered(source, BEEPED, "mp4")
    after = decoded_audio(target)
    out, _ = rendered(source, BEEPED, "mp4")
    assert out.counts == silent.counts
    part = span(after, 300, 500)
    assert np.array_equal(part[:, :1024], part[:, 1024:2048])


@pytest.mark.parametrize("container", ["adts", "mpegts", "matroska"])
def test_streams_without_a_sample_clock_are_covered_too(
    container: str, audio_file: Any, rendered: Any, decoded_audio: Any
) -> None:
    source = audio_file("aac", container, options=NO_NOISE)
    first = decoded_audio(source).first
    out, target = rendered(source, MUTED, "mp4", origin=first)
    after = decoded_audio(target)
    assert out.disposition == "replaced"
    shift = int(first * 1000)
    assert not span(after, 300 + shift, 500 + shift).any()
    assert np.array_equal(after.samples[:, :12000], decoded_audio(source).samples[:, :12000])


def test_everything_but_a_keep_keeps_only_whole_windows(audio_file: Any, rendered: Any, decoded_audio: Any) -> None:
    source = audio_file("aac", "mp4")
    _, target = rendered(source, SoundPlan((), ((400, 600),), "everything"), "mp4")
    before, after = decoded_audio(source), decoded_audio(target)
    kept = [i for i, (a, b) in enumerate(zip(before.packets, after.packets, strict=True)) if a and a == b]
    assert 0 < len(kept) < 10
    assert not span(after, 0, 400).any()
    assert not span(after, 600, 1000).any()
    assert span(after, 450, 550).any()


def test_priming_before_a_covered_start_is_replaced_too(audio_file: Any, rendered: Any, decoded_audio: Any) -> None:
    source = audio_file("aac", "mp4")
    _, target = rendered(source, SoundPlan((Range(0, 10, "silence", 0),)), "mp4")
    assert decoded_audio(target).packets[0] == access_unit(CONFIGURATIONS[2], 48000, "silence")


CONFIGS = {
    "plain stereo": ("1190", True),
    "stereo, no SBR signalled": ("119056e500", True),
    "stereo, SBR signalled": ("119056e580", False),
    "HE-AAC": ("2b11880000", False),
    "960 samples": ("1194", False),
    "core coder": ("1192", False),
    "LTP": ("2190", False),
    "no rate": ("1710", False),
    "cut short": ("11", False),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_only_plain_low_complexity_is_substituted(name: str) -> None:
    header, plain = CONFIGS[name]
    assert (read_config(bytes.fromhex(header)) is not None) is plain


def write_units(path: Path, units: list[bytes], header: bytes, rate: int) -> None:
    """An MP4 of ready access units."""
    with av.open(str(path), "w", format="mp4") as output:
        stream = output.add_stream("aac", rate=rate, layout="mono")
        stream.codec_context.open()
        stream.codec_context.extradata = header
        for number, unit in enumerate(units):
            packet = av.Packet(unit)
            packet.pts = packet.dts = number * 1024
            packet.duration, packet.time_base, packet.stream = 1024, Fraction(1, rate), stream
            output.mux(packet)


def test_implicit_band_replication_is_found_and_not_substituted(tmp_path: Path) -> None:
    silent = access_unit((Element("sce", 0),), 22050, "silence")
    bits = "".join(f"{byte:08b}" for byte in silent)
    bits = bits[: bits.rindex("111")]
    # A fill element of 14 bytes whose extension type says that band replication follows, with a header of its own.
    replicated = bits + "110" + "1110" + "1101" + "1" + "0" * 107 + "111"
    replicated = replicated.ljust(-(-len(replicated) // 8) * 8, "0")
    unit = int(replicated, 2).to_bytes(len(replicated) // 8, "big")
    header = bytes.fromhex("1388")
    for units, plain in (([silent] * 9, True), ([unit] * 9, False)):
        path = tmp_path / f"{plain}.mp4"
        write_units(path, units, header, 22050)
        with open_media(path) as media:
            assert (aac_lc_config(media, 0, header) is not None) is plain
            out = render_audio(media, 0, MUTED, Fraction(0), "mp4")
            assert (out.disposition, out.rate_hz) == (("replaced", 22050) if plain else ("re-encoded", 44100))


def test_eight_channels_are_all_covered(tmp_path: Path, rendered: Any, decoded_audio: Any) -> None:
    source = tmp_path / "eight.mp4"
    write_units(source, [access_unit(CONFIGURATIONS[12], 48000, "beep")] * 47, bytes.fromhex("11e0"), 48000)
    out, target = rendered(source, MUTED, "mp4")
    assert out.disposition == "replaced"
    after = decoded_audio(target)
    assert after.samples.shape[0] == 8
    assert not span(after, 300, 500).any()
    assert span(after, 600, 700).any()


def test_an_adts_header_is_read_and_anything_else_is_not() -> None:
    header = bytes.fromhex("fff15080017ffc")
    assert adts_config(header + b"x") == bytes.fromhex("1210")
    assert adts_config(header[:6]) is None
    assert adts_config(header[:6] + b"\xfd") is None
    assert adts_config(b"\x00" * 20) is None


def test_a_damaged_start_is_refused(tmp_path: Path, rendered: Any) -> None:
    path = tmp_path / "bad.mp4"
    write_units(path, [b"\x5f" * 40] * 9, bytes.fromhex("1190"), 48000)
    with pytest.raises(MediaError, match="does not decode"):
        rendered(path, MUTED, "mp4")
