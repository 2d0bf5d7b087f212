"""One digest per clip, for output and receipt, on any processor, with any workers, in any environment."""

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from veridact.media.colour.colour_profiles import Colours, icc_profile
from veridact.media.colour.colours import PRIMARIES
from veridact.render import selftest
from veridact.schema.manifest import AudioEffect, AudioRange, Cells, Key, Origin

HERE = Path(__file__).parent
FRAMES = 130
MOSAIC = Cells(effect="mosaic", shape="ellipse", cells=5, pad_permille=100)
BLUR = Cells(effect="blur", shape="box", cells=4, pad_permille=0)
KEYS = (Key(frame=0, box=(8, 8, 20, 16)), Key(frame=FRAMES - 1, box=(60, 30, 30, 24)))


class Way(NamedTuple):
    """How a process is started: each entry of `WAYS` differs from `Way()` in one respect."""

    flags: str = "all"
    asm: str = "1"
    jobs: str = "1"
    before: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    media: str = "absolute"
    umask: int = 0o022


NO_VECTORS = "glibc.cpu.hwcaps=-AVX2,-AVX,-AVX512F,-AVX512VL,-AVX512BW,-FMA,-ERMS,-SSE4_2,-SSSE3"
WAYS = {
    "no vector instruction": Way("0"),
    "SSE2": Way("0x18"),
    "SSSE3": Way("0xd8"),
    "AVX": Way("0x43d8"),
    "AVX2": Way("0xc3d8"),
    "x264 in plain C": Way(asm="0"),
    "libjpeg in plain C": Way(environment=(("JSIMD_FORCENONE", "1"),)),
    "C library without vectors": Way(environment=(("GLIBC_TUNABLES", NO_VECTORS),)),
    "numpy without vectors": Way(environment=(("NPY_DISABLE_CPU_FEATURES", "X86_V3"),)),
    "2 workers": Way(jobs="2"),
    "4 workers": Way(jobs="4"),
    "8 workers": Way(jobs="8"),
    "one core": Way(jobs="2", before=("taskset", "-c", "0")),
    "another locale and time zone": Way(environment=(("LC_ALL", "C"), ("LANG", "de_DE"), ("TZ", "Asia/Tokyo"))),
    "another home and user": Way(environment=(("HOME", "/nowhere"), ("USER", "other"), ("LOGNAME", "other"))),
    "another hash seed": Way(environment=(("PYTHONHASHSEED", "77"),)),
    "another umask": Way(umask=0o077),
    "through a symbolic link": Way(media="link"),
    "by a relative path": Way(media="relative"),
}


def ranges(stream: int | None = None) -> tuple[AudioRange, ...]:
    beep = AudioEffect(effect="beep", pad_ms=40)
    what: dict[str, Any] = {"stream": stream, "label": "custom", "review": "added", "origin": Origin(by="hand")}
    return (
        AudioRange(id="custom-0101", start_ms=300, end_ms=700, **what),
        AudioRange(id="custom-0102", start_ms=1500, end_ms=2000, effect=beep, **what),
    )


@pytest.fixture
def cases(clip: Any, picture: Any, sound_of: Any, make_manifest: Any, make_track: Any, saved: Any) -> list[str]:
    """The names of the cases, each a file and its manifest in the test's folder."""
    size = (96, 64)
    tracks = (make_track(1, (0, 0, 1, 1), FRAMES, keys=KEYS), make_track(2, (40, 4, 40, 30), 90, effect=MOSAIC))
    more = (*tracks, make_track(3, (4, 30, 30, 30), FRAMES, effect=BLUR))
    ten = {"codec": "ffv1", "pixel_format": "yuv422p10le", "audio": "flac"}
    manifests = {
        "video": make_manifest(clip("video.mp4", frames=FRAMES, size=size, audio="aac"), more, audio=ranges()),
        "ten": make_manifest(clip("ten.mkv", frames=70, size=size, **ten), (make_track(1, (8, 8, 20, 16), 70),)),
        "lossless": make_manifest(
            clip("lossless.mkv", frames=70, size=size, **ten),
            (make_track(1, (8, 8, 20, 16), 70),),
            profile="lossless",
            container="mkv",
            audio=ranges(),
        ),
        "old": make_manifest(
            clip("old.ts", frames=60, size=size, codec="mpeg2video", options={"bf": "2"}, fields="bottom"),
            (make_track(1, (8, 8, 20, 16), 60),),
        ),
        "mp3": make_manifest(sound_of("mp3.mp3", "libmp3lame", "s16p"), (), container="flac", audio=ranges()),
    }
    for name in ("jpeg.jpg", "png.png", "webp.webp", "gif.gif"):
        image = picture(name, size=(333, 217))
        manifests[name.split(".")[0]] = make_manifest(
            image, (make_track(1, (100, 50, 60, 80), 1), make_track(2, (150, 90, 90, 60), 1, effect=MOSAIC))
        )
    adobe = Image.Exif()
    adobe.get_ifd(0x8769)[0xA001] = 2
    described: dict[str, dict[str, Any]] = {
        "adobe.jpg": {"exif": adobe},
        "profile.tif": {"icc_profile": icc_profile(Colours(PRIMARIES[12], Fraction(9, 5)))},
        "gamma.png": {"pnginfo": PngInfo()},
    }
    described["gamma.png"]["pnginfo"].add(b"gAMA", (100_000).to_bytes(4, "big"))
    for name, options in described.items():
        image = picture(name, size=(333, 217), **options)
        manifests[name.split(".")[0]] = make_manifest(image, (make_track(1, (100, 50, 60, 80), 1),))
    for name, manifest in manifests.items():
        saved(manifest, f"{name}.json")
    return list(manifests)


@pytest.fixture
def sound_of(tmp_path: Path) -> Any:
    """`sound_of(name, codec, form)`: three seconds of a sweep and its overtones."""

    def make(name: str, codec: str, form: str) -> Path:
        at = np.arange(3 * 48000) / 48000
        wave = (5000 * np.sin(2 * np.pi * (200 + 300 * at) * at) + 2000 * np.sin(9000 * at)).astype(np.int16)
        with av.open(str(tmp_path / name), "w") as container:
            stream = container.add_stream(codec, rate=48000, layout="mono")
            for start in range(0, len(wave), 960):
                block = np.ascontiguousarray(wave[None, start : start + 960])
                frame = av.AudioFrame.from_ndarray(block, form, "mono")
                frame.sample_rate, frame.pts = 48000, start
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return tmp_path / name

    return make


def run(number: int, way: Way, names: list[str], folder: Path) -> list[str]:
    """The lines that `exact_render.py` prints when it is started in this way, in a working directory of its own."""
    work = folder / "ways" / str(number)
    (work / "made").mkdir(parents=True)
    (work / "link").symlink_to(folder)
    here = {"absolute": folder, "relative": Path("../.."), "link": Path("link")}[way.media]
    done = subprocess.run(
        [*way.before, sys.executable, str(HERE / "exact_render.py"), str(here), way.flags, way.asm, way.jobs, *names],
        capture_output=True,
        text=True,
        check=False,
        cwd=work,
        umask=way.umask,
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1]), **dict(way.environment)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def test_one_digest_a_clip_however_it_is_rendered(cases: list[str], tmp_path: Path) -> None:
    digests = {}
    for number, (name, way) in enumerate({"as it is": Way(), **WAYS}.items()):
        digests[name] = run(number, way, cases, tmp_path)
    assert len(digests["as it is"]) == len(cases)
    assert len({line.split()[1] for line in digests["as it is"]}) == len(cases)
    different = {name: set(found) ^ set(digests["as it is"]) for name, found in digests.items()}
    assert {name: lines for name, lines in different.items() if lines} == {}


@pytest.mark.parametrize(
    ("profile", "container", "case"), [("h264", "mp4", "h264 8 bit"), ("lossless", "mkv", "lossless 8 bit")]
)
def test_an_encoder_with_another_answer_is_refused(
    profile: str, container: str, case: str, clip: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    source = clip("in.mp4")
    manifest = saved(make_manifest(source, (make_track(1, (8, 8, 20, 16), 40),), profile=profile, container=container))
    before = sorted(tmp_path.iterdir())
    monkeypatch.setitem(selftest.GOLDEN, case, "0" * 64)
    code, _, err = command("render", source, manifest, tmp_path / f"out.{container}")
    assert (code, "does not give the promised bytes" in err, case in err) == (8, True, True)
    assert sorted(tmp_path.iterdir()) == before


def test_every_encoder_gives_its_known_answer() -> None:
    assert selftest.measured() == selftest.GOLDEN


def test_a_render_asks_only_the_encoders_that_it_uses(clip: Any, picture: Any, make_manifest: Any) -> None:
    video = make_manifest(clip("in.mp4", audio="aac"), ())
    assert selftest.cases_for(video) == ["h264 8 bit", "h264 10 bit", "h264 interlaced", "sound flac"]
    assert selftest.cases_for(make_manifest(picture("in.jpg"), ())) == ["picture jpeg"]
