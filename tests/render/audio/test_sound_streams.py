from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from veridact.errors import MediaError
from veridact.media.video import demux, open_media
from veridact.render.audio.packets import presented_start
from veridact.render.audio.stream import render_audio
from veridact.schema.plan.audio import Range, SoundPlan

NOTHING = SoundPlan(())
MUTED = SoundPlan((Range(300, 500, "silence", 0),))

COPIES: dict[str, tuple[str, str, dict[str, Any], tuple[str, ...]]] = {
    "AAC": ("aac", "mp4", {}, ("mp4", "mov", "m4a", "mkv")),
    "AAC that starts late": ("aac", "mp4", {"start": 4800}, ("mp4", "mov", "mkv")),
    "ADTS": ("aac", "adts", {}, ("mp4", "m4a", "mkv")),
    "AAC in Matroska": ("aac", "matroska", {}, ("mkv",)),
    "MP3": ("libmp3lame", "mp3", {"sample_format": "s16p"}, ("mp3", "mkv", "mp4", "mov")),
    "Opus": ("libopus", "ogg", {"sample_format": "s16"}, ("ogg", "mp4", "mkv")),
    "5.1 Opus": ("libopus", "ogg", {"sample_format": "s16", "layout": "5.1"}, ("ogg", "mkv")),
    "AC-3": ("ac3", "mp4", {"layout": "5.1"}, ("mp4", "mov", "mkv")),
    "FLAC": ("flac", "flac", {"sample_format": "s16"}, ("flac", "ogg", "mp4", "mkv")),
    "ALAC": ("alac", "ipod", {"sample_format": "s16p"}, ("m4a", "mov", "mkv")),
    "WAV": ("pcm_s16le", "wav", {}, ("wav", "mov", "mkv", "mp4")),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_stream_without_ranges_is_copied_bit_for_bit(
    name: str, audio_file: Any, rendered: Any, decoded_audio: Any
) -> None:
    codec, kind, parameters, containers = COPIES[name]
    source = audio_file(codec, kind, **parameters)
    before = decoded_audio(source)
    payload = b"".join(before.packets)
    for container in containers:
        out, target = rendered(source, NOTHING, container)
        after = decoded_audio(target)
        assert (out.disposition, out.counts.packets_replaced) == ("copied", 0)
        if kind != "adts":
            changed = [(a, b) for a, b in zip(payload, b"".join(after.packets), strict=True) if a != b]
            assert all(a & b == b for a, b in changed), container
            assert len(changed) == out.counts.ancillary_bytes_zeroed, container
            assert (codec == "libmp3lame") == bool(changed), container  # it writes its name between frames
        if not codec.startswith("pcm_"):
            assert out.counts.packets == sum(1 for p in after.packets if p)
        length = min(before.samples.shape[1], after.samples.shape[1])
        # MP4 has no way to end within a packet; the others end on the same sample.
        longest = 1152 if container in {"mp4", "mov"} else 0
        assert 0 <= after.samples.shape[1] - before.samples.shape[1] <= longest, container
        assert np.array_equal(before.samples[:, :length], after.samples[:, :length]), container
        tick = Fraction(1, 1000) if container == "mkv" else Fraction(0)
        moved = before.first if kind == "mp3" and container in {"mp4", "mov"} else Fraction(0)
        assert abs(after.first - before.first + moved) <= tick, container


REFUSED = {
    "Opus in MOV": (
        "libopus",
        "ogg",
        {"sample_format": "s16"},
        "mov",
        NOTHING,
        "mov cannot hold the opus sound .* to ogg",
    ),
    "AAC in WAV": ("aac", "mp4", {}, "wav", NOTHING, "wav cannot hold the aac sound .* to m4a"),
    "PCM in FLAC without a range": ("pcm_s16le", "wav", {}, "flac", NOTHING, "flac cannot hold .* to wav"),
    "AAC in MP3 with a range": ("aac", "mp4", {}, "mp3", MUTED, "mp3 cannot hold .* to m4a"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_container_that_cannot_hold_the_codec_is_refused_with_one_that_can(
    name: str, audio_file: Any, rendered: Any
) -> None:
    codec, kind, parameters, container, plan, reason = REFUSED[name]
    with pytest.raises(MediaError, match=reason):
        rendered(audio_file(codec, kind, **parameters), plan, container)


def test_a_stream_that_is_no_sound_is_refused(audio_file: Any) -> None:
    with (
        open_media(audio_file("flac", "flac", sample_format="s16")) as media,
        pytest.raises(MediaError, match="no sound"),
    ):
        render_audio(media, 7, NOTHING, Fraction(0), "flac")


def hidden_start(path: Path, target: Path, media_time: int) -> None:
    """A copy of an MP4 whose edit list begins `media_time` samples later."""
    data = bytearray(path.read_bytes())
    at = data.index(b"elst")
    data[at + 16 : at + 20] = (int.from_bytes(data[at + 16 : at + 20], "big") + media_time).to_bytes(4, "big")
    target.write_bytes(bytes(data))


@pytest.mark.parametrize("container", ["mp4", "mov", "mkv"])
def test_packets_that_an_edit_list_hides_are_left_out_but_for_priming(
    container: str, audio_file: Any, rendered: Any, decoded_audio: Any, tmp_path: Path
) -> None:
    full, source = audio_file("aac", "mp4", options={"aac_pns": "0"}), tmp_path / "cut.mp4"
    hidden_start(full, source, 10 * 1024 + 512)
    out, target = rendered(source, NOTHING, container)
    before, after = decoded_audio(source), decoded_audio(target)
    assert after.packets[0] == decoded_audio(full).packets[10]
    assert out.counts.packets == sum(1 for p in decoded_audio(full).packets if p) - 10
    assert after.first == before.first
    assert np.array_equal(after.samples, before.samples[:, : after.samples.shape[1]])


@pytest.mark.parametrize("container", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("plan", [NOTHING, MUTED], ids=["copied", "replaced"])
@pytest.mark.parametrize("start", [0, 2400])
def test_sound_and_picture_keep_their_offset(
    container: str, start: int, plan: SoundPlan, audio_file: Any, decoded_audio: Any, tmp_path: Path
) -> None:
    source, target = audio_file("aac", "mp4", start=start), tmp_path / f"av.{container}"
    options = {"fflags": "+bitexact"} | ({} if container == "mkv" else {"movie_timescale": "14112000"})
    kind = {"mkv": "matroska"}.get(container, container)
    with open_media(source) as media, av.open(str(target), "w", format=kind, container_options=options) as output:
        out = render_audio(media, 0, plan, Fraction(0), container)
        video = output.add_stream("ffv1" if container == "mkv" else "mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        sound = out.add_to(output)
        packets = list(out.packets(sound))
        for number in range(25):
            frame = av.VideoFrame(64, 64, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        output.mux(packets)
    with av.open(str(target)) as container_:
        first = next(f for f in container_.decode(video=0))
        assert first.pts == 0
    tick = Fraction(1, 1000) if container == "mkv" else Fraction(0)
    assert abs(decoded_audio(target).first - decoded_audio(source).first) <= tick


def test_priming_that_mp4_cannot_hide_is_left_out(audio_file: Any, rendered: Any, decoded_audio: Any) -> None:
    source = audio_file("aac", "matroska", start=4800, options={"aac_pns": "0"})
    before = decoded_audio(source)
    out, target = rendered(source, NOTHING, "mp4")
    after = decoded_audio(target)
    assert out.counts.packets == sum(1 for p in before.packets if p) - 1
    assert abs(after.first - before.first) <= Fraction(1, 1000)
    assert np.array_equal(after.samples[:, 1024:], before.samples[:, 1024:])


def test_where_the_sound_begins(audio_file: Any) -> None:
    for codec, kind, parameters in (
        ("aac", "mp4", {}),
        ("libopus", "ogg", {"sample_format": "s16"}),
        ("pcm_s16le", "wav", {}),
    ):
        with open_media(audio_file(codec, kind, **parameters)) as media, demux(media) as container:
            assert presented_start(container, container.streams.audio[0]) == 0
    with open_media(audio_file("aac", "mp4", start=4800)) as media, demux(media) as container:
        assert presented_start(container, container.streams.audio[0]) > 0


def test_rendering_twice_gives_the_same_packets(audio_file: Any, rendered: Any) -> None:
    source = audio_file("aac", "mp4")
    first, second = rendered(source, MUTED, "mp4")[1], rendered(source, MUTED, "mp4")[1]
    assert first.read_bytes() == second.read_bytes()
