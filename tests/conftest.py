"""Media made by the tests, manifests for them, and the folder of real clips where there is one."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.codec.context import Flags
from hypothesis import settings
from PIL import Image

from veridact.media.pictures import CONTAINER_OF
from veridact.media.source import read_source
from veridact.media.video import open_media
from veridact.render.video.interlace import FieldOrder, marker
from veridact.schema import reader, rules, writer
from veridact.schema.manifest import (
    AudioEffect,
    AudioEffects,
    Effects,
    Key,
    Manifest,
    Origin,
    Output,
    OutputStream,
    Segment,
    Solid,
    Track,
    VideoEffects,
)

MANIFESTS = Path(__file__).parents[1] / "manifests"
settings.register_profile("shared", deadline=None)  # a loaded machine is slow, and nothing is wrong with it
settings.load_profile("shared")

SOLID = Solid(effect="solid", shape="box", pad_permille=0)


@pytest.fixture(scope="session", autouse=True)
def signals_as_in_a_terminal() -> None:
    """Lets the commands under test be interrupted, also where the tests run in the background and ignore signals."""
    for number, handler in {
        signal.SIGINT: signal.default_int_handler, signal.SIGQUIT: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL,
    }.items():  # fmt: skip
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.fixture(scope="session")
def manifests() -> Path:
    """The folder of the documented examples."""
    return MANIFESTS


@pytest.fixture(scope="session")
def example() -> Callable[[str], Manifest]:
    """An example by name: `street` is manifests/valid-street.json."""

    def load(name: str) -> Manifest:
        return reader.read((MANIFESTS / f"valid-{name}.json").read_bytes()).manifest

    return load


@pytest.fixture(scope="session")
def document() -> Callable[[str], dict[str, Any]]:
    """An example by name as plain values that a test may change."""

    def load(name: str) -> dict[str, Any]:
        tree: dict[str, Any] = json.loads((MANIFESTS / f"valid-{name}.json").read_bytes())
        return tree

    return load


@pytest.fixture
def real_media() -> Path:
    """The folder of real clips; the test is skipped, and says so, where there is none."""
    folder = os.environ.get("VERIDACT_MEDIA")
    if not folder:
        pytest.skip("set VERIDACT_MEDIA to the folder of real clips")
    return Path(folder)


@pytest.fixture(scope="session", autouse=True)
def children_are_measured() -> Iterator[None]:
    """Under `coverage run`, measures the decoder processes as well: without them most of `render` would not count.

    A child ends by `os._exit` and is killed once it has reported its end, so it saves its measurements before; its
    sandbox allows it to write in their folder.
    """
    coverage = sys.modules.get("coverage")
    running = coverage.Coverage.current() if coverage else None
    if running is None:
        yield
        return
    from veridact.sandbox import child, landlock, policy

    folder, each = Path(str(running.get_option("run:data_file"))).resolve().parent, child.each

    def each_measured(work: Callable[..., Iterator[Any]], *options: Any) -> Iterator[Any]:
        def then_saved(*arguments: Any) -> Iterator[Any]:
            try:
                yield from work(*arguments)
            finally:
                running.stop()
                running.save()

        return each(then_saved, *options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(policy.DEVICES, folder, landlock.WRITE)
        patch.setattr(child, "each", each_measured)
        yield


def noise(number: int, width: int, height: int) -> np.ndarray[Any, Any]:
    """A picture with detail everywhere that moves from frame to frame: `(height, width, 3)`, values 0 to 255."""
    generator = np.random.default_rng(7)
    base = generator.integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), dtype=np.uint8)
    big = base.repeat(4, axis=0).repeat(4, axis=1)[:height, :width]
    return np.roll(big, number, axis=1)


def tone(samples: int, rate: int, channels: int) -> np.ndarray[Any, Any]:
    """A quiet sweep, another on each channel: `(channels, samples)` of int16."""
    at = np.arange(samples) / rate
    return np.stack(
        [(6000 * np.sin(2 * np.pi * (300 + 110 * c + 40 * at) * at)).astype(np.int16) for c in range(channels)]
    )


def write_clip(
    path: Path,
    *,
    frames: int = 40,
    size: tuple[int, int] = (64, 48),
    pts: list[int] | None = None,
    time_base: Fraction = Fraction(1, 25),
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    matrix: tuple[int, ...] | None = None,
    audio: str | None = None,
    tags: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
    fields: FieldOrder = "progressive",
    pixel_shape: Fraction | None = None,
) -> Path:
    """Writes a small video; the container is that of the suffix."""
    width, height = size
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        container.metadata.update(tags or {})
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.codec_context.time_base = time_base
        stream.time_base = time_base
        if fields != "progressive":
            stream.codec_context.flags |= Flags.interlaced_dct | Flags.interlaced_me
        mark = marker(fields, width, height, pixel_format)
        if pixel_shape:
            stream.codec_context.sample_aspect_ratio = pixel_shape
        if matrix:
            stream.set_display_matrix(matrix)
        sound = container.add_stream(audio, rate=48000, layout="stereo") if audio else None
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(noise(number, width, height), "rgb24").reformat(format=pixel_format)
            frame.pts = pts[number] if pts else number
            frame.time_base = time_base
            container.mux(stream.encode(mark(frame)))
        container.mux(stream.encode(None))
        if sound is not None:
            samples = tone(frames * 48000 // 25, 48000, 2)
            block = av.AudioFrame.from_ndarray(samples.T.reshape(1, -1).copy(), "s16", "stereo")
            block.sample_rate, block.pts = 48000, 0
            container.mux(sound.encode(block))
            container.mux(sound.encode(None))
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Callable[..., Path]:
    """`clip(name, **what)` writes a small video into the test's folder."""

    def make(name: str, **what: Any) -> Path:
        return write_clip(tmp_path / name, **what)

    return make


@pytest.fixture
def picture(tmp_path: Path) -> Callable[..., Path]:
    """`picture(name, mode=..., size=..., **save options)` writes a small picture into the test's folder."""

    def make(name: str, mode: str = "RGB", size: tuple[int, int] = (61, 47), **options: Any) -> Path:
        path = tmp_path / name
        Image.fromarray(noise(0, *size)).convert(mode).save(path, **options)
        return path

    return make


def track(number: int, box: tuple[int, int, int, int], end: int, **what: Any) -> Track:
    """A track with one key on frame 0 that stays until `end`."""
    keys = what.pop("keys", (Key(frame=0, box=box),))
    fields = {"stream": 0, "label": "custom", "review": "added", "origin": Origin(by="hand"), **what}
    return Track(id=f"custom-{number:04}", segments=(Segment(end=end, keys=keys),), **fields)


def manifest_for(path: Path, tracks: tuple[Track, ...], **what: Any) -> Manifest:
    """A manifest for a file that renders all its video and sound; `what` replaces fields or output settings."""
    with open_media(path) as media:
        source, name = read_source(media), media.format.name
    container = what.pop("container", None)
    effect = what.pop("effect", SOLID)
    profile = what.pop("profile", "h264")
    if source.kind == "picture":
        output = Output(container=container or CONTAINER_OF[name])
    else:
        kept = tuple(
            OutputStream(index=s.index, disposition="render") for s in source.streams if s.type in {"video", "audio"}
        )
        settings = {"profile": profile} if source.kind == "video" else {}
        output = Output(container=container or "mp4", streams=kept, **settings)
    effects: dict[str, Any] = {}
    if source.kind != "audio":
        effects["video"] = VideoEffects(default=effect)
    if any(s.type == "audio" for s in source.streams):
        effects["audio"] = AudioEffects(default=AudioEffect(effect="silence", pad_ms=0))
    fields: dict[str, Any] = {
        "schema": "veridact.manifest/1",
        "source": source,
        "producers": (),
        "output": output,
        "scope": "listed",
        "effects": Effects(**effects),
        "tracks": tracks,
        "audio": (),
        "ext": {},
        **what,
    }
    manifest = Manifest(**fields)
    rules.check(manifest)
    return manifest


@pytest.fixture
def make_manifest() -> Callable[..., Manifest]:
    """`make_manifest(path, tracks, **what)`: see `manifest_for`."""
    return manifest_for


@pytest.fixture
def make_track() -> Callable[..., Track]:
    """`make_track(number, box, end, **what)`: see `track`."""
    return track


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[Manifest], Path]:
    """Writes a manifest into the test's folder with the one formatter."""

    def save(manifest: Manifest, name: str = "m.json") -> Path:
        path = tmp_path / name
        path.write_bytes(writer.write(manifest))
        return path

    return save


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """`command("render", ...)` runs a veridact command in this process: its exit code, stdout and stderr."""
    from veridact.cli.main import veridact
    from veridact.cli.runner import run

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(veridact, "veridact", [str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
