"""What the fuzzer tries: for each kind of input its seeds, its mutation, and the reader that is tested."""

import contextlib
import io
import json
import os
import random
import tempfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import av
import numpy as np
from PIL import Image

from benchmarks.fuzz_changes import mutate, mutate_boxes, mutate_sealed
from veridact.audit.disclosure import disclosed
from veridact.audit.verify import Asked, verify
from veridact.cli.main import veridact
from veridact.cli.runner import run
from veridact.errors import VeridactError
from veridact.media import pictures, source, video
from veridact.schema import reader, receipt, writer
from veridact.schema.manifest import Manifest

ROOT = Path(__file__).resolve().parent.parent
SMALL_BYTES = 200_000


def try_sealed(data: bytes, path: Path) -> None:
    """Every level of verify, and disclose, on a receipt whose files exist."""
    path.write_bytes(data)
    folder = path.parent / "true"
    if not folder.exists():
        _rendered(folder)
    asked = Asked(
        path, folder / "in.mkv", folder / "m.json", folder / "out.mkv", content=len(data) % 16 == 0, salt=b"0" * 32
    )
    with contextlib.suppress(VeridactError):
        verify(asked)
        disclosed(receipt.read(data)[1], b"0" * 32)


def _rendered(folder: Path) -> bytes:
    """Renders in a folder of its own (in.mkv, m.json, out.mkv); returns the receipt."""
    folder.mkdir()
    (folder / "in.mkv").write_bytes(films()[1])
    with video.open_media(folder / "in.mkv") as found:
        listed = source.read_source(found)
    track = {"id": "face-0001", "stream": 0, "label": "face", "review": "added", "origin": {"by": "hand"},
             "segments": [{"end": 6, "keys": [{"frame": 0, "box": [4, 4, 16, 16]}]}]}  # fmt: skip
    tree = {
        "schema": "veridact.manifest/1", "source": listed.model_dump(mode="json", exclude_none=True), "producers": [],
        "output": {"container": "mkv", "profile": "h264", "streams": [{"index": 0, "disposition": "render"}]},
        "scope": "listed", "effects": {"video": {"default": {"effect": "solid", "shape": "box", "pad_permille": 0}}},
        "tracks": [track], "audio": [], "ext": {},
    }  # fmt: skip
    (folder / "m.json").write_bytes(writer.write(Manifest.model_validate_json(json.dumps(tree))))
    arguments = ["render", "--quiet", folder / "in.mkv", folder / "m.json", folder / "out.mkv"]
    if code := run(veridact, "veridact", [str(a) for a in arguments]):
        raise RuntimeError(f"the render that receipts are taken from ends with {code}")
    return (folder / "out.mkv.audit.jsonl").read_bytes()


def sealed() -> list[bytes]:
    """The receipt of a real render."""
    with tempfile.TemporaryDirectory() as folder:
        return [_rendered(Path(folder) / "true")]


def try_manifest(data: bytes, path: Path) -> None:
    """Reads a manifest and writes it."""
    with contextlib.suppress(VeridactError):
        writer.write(reader.read(data).manifest)


def try_receipt(data: bytes, path: Path) -> None:
    """Reads a receipt and its head."""
    try:
        _, entries = receipt.read(data)
        receipt.head(entries)
    except VeridactError:
        pass


def try_opening(data: bytes, path: Path) -> None:
    """What every tool does first: open, sniff, list the streams, decode three frames."""
    _media(data, path, 3)


def try_media(data: bytes, path: Path) -> None:
    """The whole file as a source, as `locate` and `render` read it."""
    _media(data, path, None)


def _media(data: bytes, path: Path, frames: int | None) -> None:
    """Opens a file and decodes its first `frames`, or all of it as a source."""
    path.write_bytes(data)
    try:
        with video.open_media(path) as found:
            if frames is None:
                source.read_source(found)
            elif found.format.library == "pillow":
                with pictures.open_picture(found) as image:
                    list(islice(pictures.frames(image), frames))
            else:
                with video.demux(found) as container:
                    for stream in islice(container.streams.video, 1):
                        if stream.codec_context is not None:
                            list(islice(video.decode(container, stream), frames))
    except VeridactError:
        pass


def manifests() -> list[bytes]:
    """The documented examples, valid and invalid."""
    return [p.read_bytes() for p in sorted((ROOT / "manifests").glob("*.json"))]


def receipts() -> list[bytes]:
    """A small receipt, and those among the snapshots."""
    bodies = [
        (kind, {"sha256": "0" * 64, "bytes": 1, "name": "x"}) for kind in ("genesis", "input", "stream", "output")
    ]
    made = receipt.chain(bodies)
    snapshots = [p.read_bytes() for p in sorted((ROOT / "tests").rglob("*.jsonl"))]
    return [made, *snapshots]


def media_files() -> list[bytes]:
    """The small real clips where VERIDACT_MEDIA names some, and pictures and films made here."""
    found = []
    folder = os.environ.get("VERIDACT_MEDIA")
    if folder:
        small = [p for p in sorted(Path(folder).rglob("*")) if p.is_file() and p.stat().st_size < SMALL_BYTES]
        found = [p.read_bytes() for p in small if p.suffix.lower() not in {".json", ".tsv", ".md", ".txt"}]
    noise = np.random.default_rng(7).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    for kind in ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "AVIF"):
        file = io.BytesIO()
        more = {"save_all": True, "append_images": [Image.fromarray(noise[::-1])]} if kind in {"GIF", "WEBP"} else {}
        Image.fromarray(noise).save(file, kind, **more)
        found.append(file.getvalue())
    return [*found, *films()]


def films() -> list[bytes]:
    """Six frames in each of several containers."""
    noise = np.random.default_rng(7).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    found = []
    for kind, codec in (("mp4", "libx264"), ("matroska", "ffv1"), ("mpegts", "mpeg2video"), ("avi", "mjpeg")):
        file = io.BytesIO()
        with av.open(file, "w", format=kind) as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for number in range(6):
                frame = av.VideoFrame.from_ndarray(np.roll(noise, number, 1), "rgb24")
                container.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
            container.mux(stream.encode(None))
        found.append(file.getvalue())
    return found


KINDS: dict[
    str, tuple[Callable[[], list[bytes]], Callable[[bytes, random.Random], bytes], Callable[[bytes, Path], None]]
]
KINDS = {
    "manifest": (manifests, mutate, try_manifest),
    "receipt": (receipts, mutate, try_receipt),
    "sealed": (sealed, mutate_sealed, try_sealed),
    "opening": (media_files, mutate_boxes, try_opening),
    "media": (media_files, mutate_boxes, try_media),
}
SHARES = {"manifest": 8, "receipt": 6, "sealed": 2, "opening": 5, "media": 1}
"""How many of 22 runs each kind gets."""
