from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from veridact.audit.audio_content import audible_spans
from veridact.media.video import open_media
from veridact.render.readback import audio_digest
from veridact.schema.plan.audio import Range, SoundPlan

PLAN = SoundPlan((Range(200, 300, "silence", 0), Range(400, 500, "beep", 0)))
LATER = SoundPlan((Range(200, 350, "silence", 0), Range(400, 500, "beep", 0)))
LOUDER = SoundPlan((Range(200, 300, "silence", 0), Range(350, 500, "beep", 0)))

OUTPUTS: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "AAC in MP4": ("aac", "mp4", {}, "mp4"),
    "AAC in Matroska": ("aac", "mp4", {}, "mkv"),
    "FLAC in MP4": ("libmp3lame", "mp3", {"sample_format": "s16p"}, "mp4"),
    "FLAC in Matroska": ("ac3", "matroska", {}, "mkv"),
    "ALAC": ("alac", "ipod", {"sample_format": "s32p"}, "m4a"),
    "8-bit WAV": ("pcm_u8", "wav", {}, "wav"),
    "float WAV": ("pcm_f32le", "wav", {}, "wav"),
    "FLAC in Ogg": ("flac", "flac", {"sample_format": "s16"}, "ogg"),
}


def audible(path: Path, plan: SoundPlan, edge_ms: int = 0) -> list[str]:
    with open_media(path) as media:
        return [s.effect for s in audible_spans(media, 0, plan, Fraction(0), edge_ms)]


@pytest.mark.parametrize("name", OUTPUTS)
def test_covers_are_found_covered_and_anything_wider_is_not(name: str, audio_file: Any, rendered: Any) -> None:
    codec, kind, parameters, container = OUTPUTS[name]
    _, target = rendered(audio_file(codec, kind, **parameters), PLAN, container)
    assert audible(target, PLAN) == []
    assert set(audible(target, LATER)) == {"silence"}
    assert set(audible(target, LOUDER)) == {"beep"}
    assert audible(target, SoundPlan((), ((0, 1),), "everything")) != []


def test_a_copied_stream_is_heard(audio_file: Any, rendered: Any) -> None:
    _, target = rendered(audio_file("libopus", "ogg", sample_format="s16"), SoundPlan(()), "ogg")
    assert audible(target, PLAN, 5) != []


def test_the_digest_is_of_the_sound_and_not_of_its_packing(audio_file: Any, rendered: Any) -> None:
    source = audio_file("flac", "flac", sample_format="s16")
    with open_media(source) as media:
        kind, digest = audio_digest(media, 0)
    assert kind == "samples"
    for container in ("mp4", "mkv", "ogg"):
        _, target = rendered(source, SoundPlan(()), container)
        with open_media(target) as media:
            assert audio_digest(media, 0) == (kind, digest)
    _, target = rendered(source, PLAN, "mp4")
    with open_media(target) as media:
        assert audio_digest(media, 0)[1] != digest


def test_the_digest_of_a_lossy_codec_is_of_its_packets(audio_file: Any) -> None:
    with open_media(audio_file("libopus", "ogg", sample_format="s16")) as media:
        assert audio_digest(media, 0)[0] == "packets"
