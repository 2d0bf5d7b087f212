from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from veridact.errors import MediaError
from veridact.media.video import open_media
from veridact.render.audio.decode import Block, decode_blocks
from veridact.render.audio.pcm import choose_encoding, convert_samples, timed_blocks
from veridact.render.audio.tone import silence_value, tone
from veridact.schema.plan.audio import Range, SoundPlan, position_slack

PLAN = SoundPlan((Range(200, 300, "silence", 0), Range(400, 500, "beep", 20)))

# Source codec and container, its parameters, output container, expected codec and sample format.
MATRIX: dict[str, tuple[str, str, dict[str, Any], str, str, str]] = {
    "16-bit WAV": ("pcm_s16le", "wav", {}, "wav", "pcm_s16le", "s16"),
    "8-bit WAV": ("pcm_u8", "wav", {}, "wav", "pcm_u8", "u8"),
    "24-bit WAV": ("pcm_s24le", "wav", {}, "wav", "pcm_s24le", "s32"),
    "32-bit WAV": ("pcm_s32le", "wav", {}, "wav", "pcm_s32le", "s32"),
    "float WAV": ("pcm_f32le", "wav", {}, "wav", "pcm_f32le", "flt"),
    "double WAV": ("pcm_f64le", "wav", {"sample_format": "dbl"}, "wav", "pcm_f64le", "dbl"),
    "WAV to FLAC": ("pcm_s16le", "wav", {}, "flac", "flac", "s16"),
    "24-bit WAV to MKV": ("pcm_s24le", "wav", {}, "mkv", "flac", "s32"),
    "float WAV to MP4": ("pcm_f32le", "wav", {}, "mp4", "pcm_f32le", "flt"),
    "FLAC": ("flac", "flac", {"sample_format": "s16"}, "flac", "flac", "s16"),
    "24-bit FLAC": ("flac", "flac", {"sample_format": "s32"}, "mkv", "flac", "s32"),
    "5.1 FLAC": ("flac", "flac", {"sample_format": "s16", "layout": "5.1"}, "mp4", "flac", "s16"),
    "7.1 FLAC to MOV": ("flac", "flac", {"sample_format": "s16", "layout": "7.1"}, "mov", "pcm_s16le", "s16"),
    "FLAC to Ogg": ("flac", "flac", {"sample_format": "s16"}, "ogg", "flac", "s16"),
    "ALAC": ("alac", "ipod", {"sample_format": "s16p"}, "m4a", "alac", "s16"),
    "24-bit ALAC": ("alac", "ipod", {"sample_format": "s32p"}, "mov", "alac", "s32"),
    "5.1 FLAC to M4A": ("flac", "flac", {"sample_format": "s16", "layout": "5.1"}, "m4a", "alac", "s16"),
    "MP3": ("libmp3lame", "mp3", {"sample_format": "s16p"}, "mp4", "flac", "s16"),
    "MP3 to WAV": ("libmp3lame", "mp3", {"sample_format": "s16p"}, "wav", "pcm_s16le", "s16"),
    "AC-3": ("ac3", "matroska", {"layout": "5.1"}, "mkv", "flac", "s16"),
    "E-AC-3": ("eac3", "mp4", {"layout": "stereo"}, "mp4", "flac", "s32"),
    "Opus": ("libopus", "ogg", {"sample_format": "s16"}, "ogg", "flac", "s32"),
    "AMR": ("libopencore_amrnb", "amr", {"rate": 8000, "layout": "mono", "samples": 8000}, "mkv", "flac", "s32"),
    "AAC to FLAC": ("aac", "mp4", {}, "flac", "flac", "s32"),
    "AAC to WAV": ("aac", "ipod", {"layout": "5.1"}, "wav", "pcm_s24le", "s32"),
    "mu-law": ("pcm_mulaw", "wav", {"rate": 8000, "layout": "mono", "samples": 8000}, "wav", "pcm_s16le", "s16"),
}


def source_samples(path: Path) -> tuple[np.ndarray[Any, Any], str, int, int]:
    """The exactly decoded source, its sample format, its position, and by how many samples covers grow."""
    with open_media(path) as media:
        blocks = list(decode_blocks(media, 0))
    start = int(blocks[0].pts * blocks[0].time_base * blocks[0].rate_hz)
    slack = position_slack(blocks[0].time_base, Fraction(0), blocks[0].rate_hz)
    return np.concatenate([b.samples for b in blocks], axis=1), blocks[0].sample_format, start, slack


@pytest.mark.parametrize("name", MATRIX)
def test_covered_to_the_sample_and_everything_else_as_it_was(
    name: str, audio_file: Callable[..., Path], rendered: Any, decoded_audio: Any
) -> None:
    codec, kind, parameters, container, expected, sample_format = MATRIX[name]
    source = audio_file(codec, kind, **parameters)
    out, target = rendered(source, PLAN, container)
    after = decoded_audio(target)
    before, source_format, start, slack = source_samples(source)
    assert (out.disposition, out.codec, after.codec) == ("re-encoded", expected, expected)
    block = Block(0, Fraction(1, after.rate), after.rate, out.layout, source_format, before)
    true = convert_samples(block, choose_encoding(container, out.source_codec, block), out.source_codec)
    assert after.samples.shape == true.shape
    at = np.arange(start, start + true.shape[1])
    quiet = (at >= 200 * after.rate // 1000 - slack) & (at < 300 * after.rate // 1000 + slack)
    loud = (at >= 380 * after.rate // 1000 - slack) & (at < 520 * after.rate // 1000 + slack)
    assert out.counts.samples_covered == np.count_nonzero(quiet | loud)
    assert np.all(after.samples[:, quiet] == silence_value(sample_format))
    assert np.all(after.samples[:, loud] == tone(0, true.shape[1], after.rate, sample_format)[loud])
    other = ~(quiet | loud)
    assert np.array_equal(after.samples[:, other], true[:, other])
    assert np.any(true[:, quiet] != silence_value(sample_format))


REFUSED = {
    "MP3 stays MP3": (
        "libmp3lame",
        "mp3",
        {"sample_format": "s16p"},
        "mp3",
        "set output.container to flac, m4a or mkv",
    ),
    "eight channels in M4A": (
        "flac",
        "flac",
        {"sample_format": "s16", "layout": "7.1"},
        "m4a",
        "set output.container to mkv",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_covered_exactly_is_refused_with_what_can(name: str, audio_file: Any, rendered: Any) -> None:
    codec, kind, parameters, container, reason = REFUSED[name]
    with pytest.raises(MediaError, match=reason):
        rendered(audio_file(codec, kind, **parameters), PLAN, container)


def mono_block(samples: Any, sample_format: str, pts: int = 0, time_base: Fraction = Fraction(1, 48000)) -> Block:
    return Block(pts, time_base, 48000, "mono", sample_format, np.atleast_2d(np.array(samples)))


def test_floats_become_24_bits_by_rounding_and_clipping() -> None:
    step = 1 / (1 << 23)
    source = mono_block(np.array([0, step, 0.49 * step, 1.5 * step, -1.0, 1.0, 2.0, -3.0], "<f4"), "flt")
    encoding = choose_encoding("flac", "opus", source)
    found = convert_samples(source, encoding, "opus")[0] >> 8
    assert found.tolist() == [0, 1, 0, 2, -(1 << 23), (1 << 23) - 1, (1 << 23) - 1, -(1 << 23)]


def test_lossy_32_bits_are_rounded_and_lossless_ones_refused() -> None:
    source = mono_block(np.array([127, 128, -128, -129, 2**31 - 1], "<i4"), "s32")
    encoding = choose_encoding("flac", "aac", source)
    assert (convert_samples(source, encoding, "aac")[0] >> 8).tolist() == [0, 1, 0, -1, (1 << 23) - 1]
    with pytest.raises(MediaError, match="32 bits a sample"):
        convert_samples(source, choose_encoding("flac", "pcm_s32le", source), "pcm_s32le")


def test_samples_that_are_no_numbers_are_refused() -> None:
    source = mono_block(np.array([0, np.nan], "<f4"), "flt")
    with pytest.raises(MediaError, match="no numbers"):
        convert_samples(source, choose_encoding("flac", "opus", source), "opus")


MS = Fraction(1, 1000)
PLACED = {
    "a coarse clock is counted through": ([(0, MS), (21, MS), (43, MS)], [(0, 0), (1024, 1024), (2048, 2048)]),
    "drift moves the count": ([(0, None), (1034, None), (2058, None)], [(0, 0), (1034, 1034), (2058, 2058)]),
    "a wrong timestamp does not move the count, and both positions are given": (
        [(0, None), (1500, None), (2048, None)],
        [(0, 0), (1024, 1500), (2048, 2048)],
    ),
    "a gap becomes silence": ([(0, None), (6000, None)], [(0, 0), (1024, 1024), (5120, 5120), (6000, 6000)]),
}


@pytest.mark.parametrize("name", PLACED)
def test_where_blocks_are_placed(name: str) -> None:
    stamps, expected = PLACED[name]
    quiet = np.zeros(1024, "<i2")
    blocks = [mono_block(quiet, "s16", pts, base or Fraction(1, 48000)) for pts, base in stamps]
    assert [(at, stamped) for at, stamped, _ in timed_blocks(iter(blocks), Fraction(0))] == expected


@pytest.mark.parametrize(("stamps", "reason"), [([0, 48000 * 4000], "by hours"), (list(range(0, 900, 30)), "disagree")])
def test_timestamps_that_cannot_be_are_refused(stamps: list[int], reason: str) -> None:
    blocks = [mono_block(np.zeros(1024, "<i2"), "s16", pts) for pts in stamps]
    with pytest.raises(MediaError, match=reason):
        list(timed_blocks(iter(blocks), Fraction(0)))
