"""Free text where a muxer usually writes its own words never reaches an output; an output that contains it fails."""

import importlib.util
import io
import shutil
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from veridact.render import readback
from veridact.schema import writer

_SPEC = importlib.util.spec_from_file_location("leaks", Path(__file__).resolve().parents[2] / "benchmarks" / "leaks.py")
assert _SPEC is not None
assert _SPEC.loader is not None
leaks = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(leaks)

SECRET = "Jane Doe, 12 Elm Street"


def relabelled(source: Path, target: Path, tags: dict[str, str]) -> Path:
    """The streams of a file in a new one, with tags on the first."""
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        streams = [made.add_stream_from_template(s) for s in given.streams]
        streams[0].metadata.update(tags)
        for packet in given.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                made.mux(packet)
    return target


def relabel(clip: Any, path: Path, tags: dict[str, str]) -> None:
    relabelled(clip("plain.mp4", frames=5), path, tags)


def planted_chapter(path: Path, clip: Any) -> None:
    with av.open(str(path), "w") as made, av.open(str(clip("plain.mp4", frames=5))) as given:
        stream = made.add_stream_from_template(given.streams[0])
        made.set_chapters([{"id": 1, "start": 0, "end": 2, "time_base": Fraction(1, 25), "metadata": {}}])
        for packet in given.demux():
            if packet.size:
                packet.stream = stream
                made.mux(packet)


def picture_with(path: Path, clip: Any, **more: Any) -> None:
    Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(path, **more)


def jpeg() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((16, 16, 3), 200, np.uint8)).save(file, "JPEG")
    return file.getvalue()


def behind(path: Path, clip: Any, more: bytes) -> None:
    path.write_bytes(clip("plain.mp4", frames=5).read_bytes() + struct.pack(">I", 8 + len(more)) + b"free" + more)


def located() -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.GPSInfo] = {1: "N", 2: (1.0, 2.0, 3.0)}
    exif[ExifTags.Base.BodySerialNumber] = "1234"
    return exif


PLANTED: dict[str, tuple[Callable[[Path, Any], None], str, str]] = {
    "title.mp4": (lambda p, c: relabel(c, p, {"title": SECRET}), "mediainfo Title", "mediainfo"),
    "handler.mp4": (lambda p, c: relabel(c, p, {"handler_name": SECRET}), "ffprobe tag handler_name", "ffprobe"),
    "chapter.mp4": (planted_chapter, "ffprobe chapter", "ffprobe"),
    "place.jpg": (lambda p, c: picture_with(p, c, exif=located()), "exiftool GPSLatitude", "exiftool"),
    "serial.png": (lambda p, c: picture_with(p, c, exif=located()), "exiftool SerialNumber", "exiftool"),
    "comment.jpg": (lambda p, c: picture_with(p, c, comment=SECRET), "exiftool Comment", "exiftool"),
    "profile.jpg": (
        lambda p, c: picture_with(p, c, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()),
        "ICC profile inside",
        "",
    ),
    "jpeg.mp4": (lambda p, c: behind(p, c, jpeg()), "JPEG inside", ""),
    "film.mp4": (lambda p, c: behind(p, c, c("inner.mp4", frames=3).read_bytes()), "MP4 inside", ""),
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found(name: str, clip: Any, tmp_path: Path) -> None:
    """The search over the corpus proves nothing unless it finds what is there."""
    plant, trace, tool = PLANTED[name]
    if tool and shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    plant(tmp_path / name, clip)
    found = leaks.leaks(leaks.traces(tmp_path / name))
    assert trace in {t.partition("=")[0] for t in found}


@pytest.mark.parametrize("name", ["plain.mp4", "plain.mkv", "plain.mov"])
def test_nothing_is_found_where_nothing_is(
    name: str, clip: Any, make_manifest: Any, make_track: Any, command: Any, tmp_path: Path
) -> None:
    source, manifest = clip(name, frames=5, tags={"title": SECRET}), tmp_path / "m.json"
    in_source = leaks.leaks(leaks.traces(source))
    assert in_source or not any(map(shutil.which, leaks.TOOLS))
    track = make_track(1, (8, 8, 20, 16), 5)
    manifest.write_bytes(writer.write(make_manifest(source, (track,), container=source.suffix[1:])))
    out = tmp_path / f"out{source.suffix}"
    assert command("render", source, manifest, out)[0] == 0
    assert leaks.leaks(leaks.traces(out)) == []


def test_three_bytes_of_a_jpeg_are_no_picture(tmp_path: Path) -> None:
    """Noise contains the first bytes of a JPEG by chance; what does not decode does not count."""
    path = tmp_path / "noise.bin"
    path.write_bytes(np.random.default_rng(1).bytes(5000) + b"\xff\xd8\xff\xe0" + np.random.default_rng(2).bytes(5000))
    assert list(leaks.embedded(path)) == []
    path.write_bytes(path.read_bytes() + jpeg())
    assert list(leaks.embedded(path)) == ["JPEG inside"]


LANGUAGES = {"eng": True, SECRET: False, "en-US-x-jane": False, "Eng": False, "": False}


@pytest.mark.parametrize("language", LANGUAGES)
def test_only_a_language_is_kept_as_one(
    language: str, clip: Any, make_manifest: Any, make_track: Any, command: Any, tmp_path: Path
) -> None:
    """Matroska stores any text as the language of a stream."""
    source = relabelled(clip("plain.mkv", frames=5), tmp_path / "in.mkv", {"language": language} if language else {})
    manifest, out = tmp_path / "m.json", tmp_path / "out.mkv"
    manifest.write_bytes(writer.write(make_manifest(source, (make_track(1, (8, 8, 20, 16), 5),), container="mkv")))
    code, _, said = command("render", source, manifest, out)
    assert code == 0, said
    with av.open(str(out)) as made:
        kept = made.streams[0].metadata.get("language")
    assert kept == (language if LANGUAGES[language] else None)
    receipt = out.with_name("out.mkv.audit.jsonl").read_bytes()
    assert SECRET.encode() not in out.read_bytes() + receipt
    assert (b'"language"' in receipt) == (bool(language) and not LANGUAGES[language])


@pytest.mark.parametrize("name", ["language", "handler_name", "encoder", "title"])
def test_an_output_with_free_text_fails_its_check(name: str, clip: Any, tmp_path: Path) -> None:
    plain = clip("plain.mkv", frames=5)
    with av.open(str(relabelled(plain, tmp_path / "same.mkv", {}))) as made:
        assert readback.stray_tags(made) == []
    with av.open(str(relabelled(plain, tmp_path / "evil.mkv", {name: SECRET}))) as made:
        assert SECRET in made.streams[0].metadata.values()
        assert readback.stray_tags(made) == [name]
