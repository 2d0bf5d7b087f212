"""For every sound that FFmpeg encodes here and every container: `locate` lets in just what `render` then writes."""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import av
import numpy as np
import pytest

from veridact.errors import MediaError
from veridact.locate.manifest import build_output
from veridact.locate.options import Options
from veridact.media.containers import LOSSLESS_OF, MUXERS, ONE_STREAM, SUFFIXES, check_audio
from veridact.media.video import MediaFile, open_media
from veridact.render import mux, pipeline
from veridact.render.audio.stream import render_audio
from veridact.schema import rules
from veridact.schema.manifest import AudioRange, Container, Manifest, Origin, OutputStream
from veridact.schema.plan.audio import Range, SoundPlan

Make = Callable[..., Manifest]
RATES_HZ = {"g722": 16000, "nellymoser": 8000, "real_144": 8000, "libopencore_amrnb": 8000}
SOURCES = {
    "pcm_u8": ("wav", "mkv"), "pcm_s8": ("mov",), "pcm_s16le": ("wav", "avi"), "pcm_s16be": ("mov", "mkv"),
    "pcm_s24le": ("wav",), "pcm_s24be": ("mov",), "pcm_s32le": ("mkv",), "pcm_s32be": ("mov",),
    "pcm_f32le": ("wav",), "pcm_f32be": ("mov",), "pcm_f64le": ("mkv",), "pcm_alaw": ("wav",), "pcm_mulaw": ("mov",),
    "adpcm_ima_wav": ("wav",), "adpcm_ms": ("avi",), "adpcm_ima_qt": ("mov",), "adpcm_yamaha": ("wav",),
    "g722": ("wav",), "dfpwm": ("wav",), "aac": ("m4a", "aac", "ts", "mkv"), "libmp3lame": ("mp3", "wav"),
    "mp2": ("mkv", "ts"),
    "ac3": ("wav", "mp4", "ts"), "eac3": ("mkv",), "flac": ("flac", "wav", "ogg"), "alac": ("m4a",),
    "libopus": ("ogg", "mkv"), "vorbis": ("ogg",), "nellymoser": ("mov",), "real_144": ("mkv",),
    "libopencore_amrnb": ("mov",),
}  # fmt: skip
"""Encoders and the suffixes of what they are put into."""
CASES = [
    pytest.param(codec, suffix, covered, id=f"{codec} in {suffix}, {'covered' if covered else 'copied'}")
    for codec, suffixes in SOURCES.items()
    for suffix in suffixes
    for covered in (False, True)
]
BY_A_WORKER = {"real_144", "libopencore_amrnb", "eac3", "nellymoser", "libopus", "vorbis", "dfpwm"}
"""Decoded by a process of their own for each container: so fewer containers are tried."""
FORMATS = {"m4a": "ipod", "mkv": "matroska", "ts": "mpegts", "aac": "adts"}


def write(path: Path, codec: str, streams: int = 1, layout: str = "") -> Path:
    """A quarter of a second of sound; a codec that is for one channel only gets one."""
    rate_hz = RATES_HZ.get(codec, 48000)
    layout = layout or ("stereo" if rate_hz == 48000 and codec != "adpcm_ima_qt" else "mono")
    samples = (8000 * np.sin(np.arange(rate_hz // 4) / 5)).astype("<i2")
    packed = np.stack([samples] * av.AudioLayout(layout).nb_channels).T.reshape(1, -1).copy()
    with av.open(str(path), "w", format=FORMATS.get(path.suffix[1:], path.suffix[1:])) as output:
        options = {"strict": "experimental"}
        sounds = [output.add_stream(codec, rate=rate_hz, layout=layout, options=options) for _ in range(streams)]
        for stream in sounds:
            stream.codec_context.open()
        for stream in sounds:
            frame = av.AudioFrame.from_ndarray(packed, "s16", layout)
            frame.sample_rate, frame.pts = rate_hz, 0
            size = stream.codec_context.frame_size or 1024
            for part in av.AudioResampler(stream.codec_context.format, layout, rate_hz, size).resample(frame):
                output.mux(stream.encode(part))
            output.mux(stream.encode(None))
    return path


def spoken() -> AudioRange:
    return AudioRange(
        id="speech-0001", stream=None, label="speech", review="proposed", origin=Origin(by="hand"),
        start_ms=20, end_ms=90,
    )  # fmt: skip


def refused(work: Callable[[], object]) -> str | None:
    """What a `MediaError` says, None where there is none."""
    try:
        work()
    except MediaError as e:
        return str(e)
    return None


def targets(made: Manifest, covered: bool, containers: Iterable[str]) -> Iterator[Manifest]:
    """The manifest for each container, with or without a range."""
    for container in containers:
        output = made.output.model_copy(update={"container": container})
        yield made.model_copy(update={"output": output, "audio": (spoken(),) if covered else ()})


def written(media: MediaFile, manifest: Manifest, folder: Path) -> None:
    """Writes the one sound of a file as `render` does; raises `MediaError` where it cannot be written."""
    container = manifest.output.container
    plan = SoundPlan((Range(20, 90, "silence", 0),) if manifest.audio else ())
    mux.write(folder / f"out.{container}", container, [render_audio(media, 0, plan, Fraction(0), container)], [None])


@pytest.mark.parametrize(("codec", "suffix", "covered"), CASES)
def test_locate_lets_in_just_what_render_writes(
    codec: str, suffix: str, covered: bool, tmp_path: Path, make_manifest: Make
) -> None:
    source = write(tmp_path / f"in.{suffix}", codec)
    made = make_manifest(source, (), container="mkv")
    few = codec in BY_A_WORKER and (covered or codec == "dfpwm")
    containers = ("mkv", "wav", "mp3") if few else MUXERS
    with open_media(source) as media:
        for manifest in targets(made, covered, containers):
            before = refused(lambda m=manifest: check_audio(media, m))
            after = refused(lambda m=manifest: written(media, m, tmp_path))
            assert (before is None) == (after is None), (manifest.output.container, before, after)
            if before and after:
                assert before.partition(";")[0] == after.partition(";")[0]


@pytest.mark.parametrize(
    ("codec", "suffix", "container", "covered", "says"),
    [
        ("libmp3lame", "wav", "wav", False, "wav cannot hold the mp3 sound of stream 0; use --container mp3"),
        ("aac", "m4a", "wav", False, "wav cannot hold the aac sound of stream 0; use --container m4a"),
        ("vorbis", "ogg", "wav", False, "wav cannot hold the vorbis sound"),
        ("libmp3lame", "mp3", "mp3", True, "mp3 cannot hold covered sound exactly; use --container flac, m4a or mkv"),
    ],
)
def test_what_locate_let_in_and_render_refused(
    codec: str, suffix: str, container: str, covered: bool, says: str, tmp_path: Path, make_manifest: Make
) -> None:
    source = write(tmp_path / f"in.{suffix}", codec)
    audio = (spoken(),) if covered else ()
    with open_media(source) as media, pytest.raises(MediaError, match=says):
        check_audio(media, make_manifest(source, (), container=container, audio=audio))


@pytest.mark.parametrize(
    ("codec", "suffix", "container", "covered"),
    [
        ("flac", "flac", "m4a", True),
        ("libopus", "ogg", "wav", True),
        ("aac", "aac", "flac", True),
        ("pcm_s16be", "mov", "wav", True),
        ("dfpwm", "wav", "flac", False),
    ],
)
def test_what_locate_refused_and_render_writes(
    codec: str, suffix: str, container: str, covered: bool, tmp_path: Path, make_manifest: Make
) -> None:
    """Covered sound, and sound that no container can copy, is encoded anew without loss."""
    source = write(tmp_path / f"in.{suffix}", codec)
    audio = (spoken(),) if covered else ()
    with open_media(source) as media:
        check_audio(media, make_manifest(source, (), container=container, audio=audio))


@pytest.mark.parametrize("container", ["mp4", "mkv", "ogg"])
def test_vorbis_whose_last_packet_begins_after_its_end(
    container: str, tmp_path: Path, make_manifest: Make, saved: Any, command: Any
) -> None:
    """MP4 refused the copy, and others became a day long: the packet's duration is -320 samples, read as 2^32 - 320."""
    source, out = write(tmp_path / "in.ogg", "vorbis"), tmp_path / f"out.{container}"
    manifest = saved(make_manifest(source, (), container=container))
    assert command("render", "--allow-uncovered", source, manifest, out)[0] == 0
    with av.open(str(out)) as made:
        assert made.duration is not None
        assert made.duration < av.time_base


@pytest.mark.parametrize("layout", ["quad", "5.0", "5.1(side)", "6.1", "7.1"])
@pytest.mark.parametrize("container", ["m4a", "mov", "mp4"])
def test_layouts_that_alac_does_not_hold(layout: str, container: str, tmp_path: Path, make_manifest: Make) -> None:
    source = write(tmp_path / "in.flac", "flac", layout=layout)
    manifest = make_manifest(source, (), container=container, audio=(spoken(),))
    with open_media(source) as media:
        before, after = (
            refused(lambda: check_audio(media, manifest)),
            refused(lambda: written(media, manifest, tmp_path)),
        )
    assert (before is None) == (after is None) == (container != "m4a" or layout.startswith("5."))


def test_a_dropped_sound_is_not_asked_about(tmp_path: Path, make_manifest: Make) -> None:
    source = write(tmp_path / "in.mkv", "pcm_s16le", streams=2)
    made = make_manifest(source, (), container="mkv")
    kept = tuple(OutputStream(index=i, disposition=d) for i, d in enumerate(("render", "drop")))
    output = made.output.model_copy(update={"container": "wav", "streams": kept})
    with open_media(source) as media:
        check_audio(media, made.model_copy(update={"output": output}))


@pytest.mark.parametrize("container", MUXERS)
def test_two_sounds_go_only_where_two_can(
    container: str, tmp_path: Path, make_manifest: Make, saved: Any, command: Any
) -> None:
    codecs = {"mp3": "libmp3lame", "m4a": "aac", "flac": "flac", "ogg": "flac", "mp4": "flac"}
    source = write(tmp_path / "in.mkv", codecs.get(container, "pcm_s16le"), streams=2)
    manifest = make_manifest(source, (), container=container)
    with open_media(source) as media:
        before = refused(lambda: check_audio(media, manifest))
    out = tmp_path / f"out{SUFFIXES[container][0]}"
    code, _, err = command("render", "--allow-uncovered", source, saved(manifest), out)
    assert (code, before is not None) == ((4, True) if container in ONE_STREAM else (0, False)), err


def test_an_mp3_with_something_to_cover_becomes_flac(tmp_path: Path, make_manifest: Make) -> None:
    """`locate` kept MP3, which `render` then refused; without a range it stays as it is."""
    source = make_manifest(write(tmp_path / "in.mp3", "libmp3lame"), (), container="mp3").source
    with open_media(tmp_path / "in.mp3") as media:
        chosen = [build_output(source, media.format, Options(), covered).container for covered in (False, True)]
    assert chosen == ["mp3", "flac"]


def test_the_tables_name_every_container() -> None:
    assert set(SUFFIXES) == set(get_args(Container))
    assert set(MUXERS) == rules.AUDIO_CONTAINERS
    assert set(LOSSLESS_OF) | {"mp3"} == set(MUXERS)
    assert pipeline.SUFFIXES is SUFFIXES
