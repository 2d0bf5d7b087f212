"""`make fuzz`: manifests, receipts and media changed at random, until something other than a plain refusal happens.

Everything runs in a child process that says what it is about to try, so that a crash, a hang or a hunger for memory is
seen from outside and its input kept in `out/fuzz/`. A run is repeated by its seed: `fuzz.py --seed S --only KIND`.
"""

import argparse
import contextlib
import io
import json
import os
import random
import resource
import select
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
HANG_SECONDS = 20
MEMORY_BYTES = 3 << 30
SMALL_BYTES = 200_000
SIZES = (0, 1, 7, 8, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
WORDS = (b"1e400", b"NaN", b"-0", b"9007199254740993", b"\"\\ud800\"", b"[[[[[[[[[[[[[[[[[[", b"{}", b"null", b"true",
         b"\xef\xbb\xbf", b"\xff", b"\"__proto__\"", b"-1", b"1.0", b"\"\"", b"18446744073709551616")  # fmt: skip


def mutate(data: bytes, rng: random.Random) -> bytes:
    """One to four random changes: bits, cuts, repeats, swaps of two blocks, sizes, words."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(7):
            case 0:
                for _ in range(rng.randint(1, 16)):
                    if out:
                        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
            case 1:
                del out[at:]
            case 2:
                del out[at : at + rng.randint(1, 64)]
            case 3:
                out[at:at] = out[at : at + rng.randint(1, 4096)]
            case 4:
                length, other = rng.randint(1, 512), rng.randrange(len(out) + 1)
                out[at : at + length], out[other : other + length] = out[other : other + length], out[at : at + length]
            case 5:
                order = rng.choice("<>")
                out[at : at + 4] = struct.pack(f"{order}I", rng.choice(SIZES))
            case _:
                word = rng.choice(WORDS)
                out[at : at + len(word) * rng.randrange(2)] = word
    return bytes(out)


def mutate_boxes(data: bytes, rng: random.Random) -> bytes:
    """Two boxes of an MP4 swapped, or the length of one made huge; any other file is changed as `mutate` does."""
    boxes = [i - 4 for n in (b"moov", b"trak", b"mdia", b"stbl", b"stsd", b"stts", b"stsz", b"stco", b"ctts", b"elst",
                             b"mdat", b"edts", b"tkhd") if (i := data.find(n)) >= 4]  # fmt: skip
    if len(boxes) < 2 or rng.random() < 0.5:
        return mutate(data, rng)
    out = bytearray(data)
    one, other = sorted(rng.sample(boxes, 2))
    if rng.random() < 0.5:
        out[one : one + 4] = struct.pack(">I", rng.choice(SIZES))
        at = one + rng.randrange(8, 40)
        out[at : at + 4] = struct.pack(">I", rng.choice(SIZES))
    else:
        a = int.from_bytes(out[one : one + 4], "big")
        b = int.from_bytes(out[other : other + 4], "big")
        first, second = bytes(out[one : one + a]), bytes(out[other : other + b])
        out[other : other + b] = first
        out[one : one + a] = second
    return bytes(out)


ODD_VALUES = (None, True, -1, 0, 1, 2**53 - 1, -(2**53) + 1, "", "0" * 64, "x", "\ud800", [], {}, [[]], ["a"], {"a": 1})


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a tree of JSON: the object or list, and the name or number in it."""
    for name in value if isinstance(value, dict) else range(len(value)):
        yield value, name
        if isinstance(value[name], dict | list):
            yield from _places(value[name])


def mutate_sealed(data: bytes, rng: random.Random) -> bytes:
    """A receipt whose bodies are changed and whose chain holds again, so that what lies behind the chain is reached."""
    from schema import receipt

    bodies = [(e["type"], e["body"]) for e in map(json.loads, data.splitlines()) if e["type"] != "seal"]
    for _ in range(rng.randint(1, 3)):
        match rng.randrange(4):
            case 0 if len(bodies) > 1:
                del bodies[rng.randrange(len(bodies))]
            case 1:
                bodies.insert(rng.randrange(len(bodies) + 1), rng.choice(bodies))
            case 2:
                one, other = rng.randrange(len(bodies)), rng.randrange(len(bodies))
                bodies[one], bodies[other] = bodies[other], bodies[one]
            case _:
                kind, body = bodies[number := rng.randrange(len(bodies))]
                body = json.loads(json.dumps(body))
                places = list(_places(body))
                if places:
                    holder, name = rng.choice(places)
                    holder[name] = rng.choice(ODD_VALUES)
                bodies[number] = (kind, body)
    try:
        return receipt.chain(bodies, rng.choice([receipt.AUDIT, receipt.AUDIT, receipt.DISCLOSED]))
    except ValueError:  # a lone surrogate has no canonical form
        return data


def try_sealed(data: bytes, path: Path) -> None:
    """Every level of verify, and disclose, on a receipt that speaks of files which are there."""
    from render.disclose import disclosed
    from render.verify import Asked, verify
    from schema import receipt
    from schema.errors import VeridactError

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
    """A render in a folder of its own: in.mkv, m.json, out.mkv; its receipt."""
    from schema import formatter, media, source
    from schema.cli import run, veridact
    from schema.manifest import Manifest

    folder.mkdir()
    (folder / "in.mkv").write_bytes(films()[1])
    with media.open_media(folder / "in.mkv") as found:
        listed = source.read_source(found)
    track = {"id": "face-0001", "stream": 0, "label": "face", "review": "added", "origin": {"by": "hand"},
             "segments": [{"end": 6, "keys": [{"frame": 0, "box": [4, 4, 16, 16]}]}]}  # fmt: skip
    tree = {
        "schema": "veridact.manifest/1", "source": listed.model_dump(mode="json", exclude_none=True), "producers": [],
        "output": {"container": "mkv", "profile": "h264", "streams": [{"index": 0, "disposition": "render"}]},
        "scope": "listed", "effects": {"video": {"default": {"effect": "solid", "shape": "box", "pad_permille": 0}}},
        "tracks": [track], "audio": [], "ext": {},
    }  # fmt: skip
    (folder / "m.json").write_bytes(formatter.write(Manifest.model_validate_json(json.dumps(tree))))
    arguments = ["render", "--quiet", folder / "in.mkv", folder / "m.json", folder / "out.mkv"]
    if code := run(veridact, "veridact", [str(a) for a in arguments]):
        raise RuntimeError(f"the render that receipts are taken from ends with {code}")
    return (folder / "out.mkv.audit.jsonl").read_bytes()


def sealed() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        return [_rendered(Path(folder) / "true")]


def try_manifest(data: bytes, path: Path) -> None:
    from schema import formatter, reading
    from schema.errors import VeridactError

    with contextlib.suppress(VeridactError):
        formatter.write(reading.read(data).manifest)


def try_receipt(data: bytes, path: Path) -> None:
    from schema import receipt
    from schema.errors import VeridactError

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
    from itertools import islice

    from schema import media, pictures, source
    from schema.errors import VeridactError

    path.write_bytes(data)
    try:
        with media.open_media(path) as found:
            if frames is None:
                source.read_source(found)
            elif found.format.library == "pillow":
                with pictures.open_picture(found) as image:
                    list(islice(pictures.frames(image), frames))
            else:
                with media.demux(found) as container:
                    for stream in islice(container.streams.video, 1):
                        if stream.codec_context is not None:
                            list(islice(media.decode(container, stream), frames))
    except VeridactError:
        pass


def manifests() -> list[bytes]:
    return [p.read_bytes() for p in sorted((ROOT / "manifests").glob("*.json"))]


def receipts() -> list[bytes]:
    from schema import receipt

    bodies = [
        (kind, {"sha256": "0" * 64, "bytes": 1, "name": "x"}) for kind in ("genesis", "input", "stream", "output")
    ]
    made = receipt.chain(bodies)
    snapshots = [p.read_bytes() for p in sorted((ROOT / "tests").rglob("*.jsonl"))]
    return [made, *snapshots]


def media_files() -> list[bytes]:
    """The small real clips where there are some, and pictures and films made here."""
    import numpy as np
    from PIL import Image

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
    import av
    import numpy as np

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


def child(kind: str, seed: int, runs: int) -> None:
    """Tries `runs` inputs; the number of each is written before it is tried, and what went wrong after."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    corpus, change, attempt = KINDS[kind]
    files = corpus()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "input"
        for number in range(runs):
            rng = random.Random(f"{kind}/{seed}/{number}")  # noqa: S311 - repeatable, not secret
            data = change(rng.choice(files), rng)
            print(number, flush=True)
            try:
                attempt(data, path)
            except Exception as e:  # noqa: BLE001 - whatever is not a refusal is what is looked for
                keep(kind, seed, number, data)
                print(f"! {type(e).__name__}: {str(e)[:150]}".replace("\n", " "), flush=True)


def input_of(kind: str, seed: int, number: int) -> bytes:
    """The bytes of one run again."""
    corpus, change, _ = KINDS[kind]
    rng = random.Random(f"{kind}/{seed}/{number}")  # noqa: S311
    return change(rng.choice(corpus()), rng)


def keep(kind: str, seed: int, number: int, data: bytes) -> None:
    folder = ROOT / "out" / "fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{kind}-{seed}-{number}").write_bytes(data)


def watch(kind: str, seed: int, runs: int) -> list[str]:
    """Runs a child to its end; what it found, and how it ended where that was not well."""
    command = [sys.executable, __file__, "--child", kind, "--seed", str(seed), "--runs", str(runs)]
    found, number = [], 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        while True:
            ready, _, _ = select.select([process.stdout], [], [], HANG_SECONDS)
            if not ready:
                process.kill()
                keep(kind, seed, number, input_of(kind, seed, number))
                return [*found, f"{kind} seed {seed} run {number}: hangs"]
            line = process.stdout.readline().decode()
            if not line:
                break
            if line.startswith("!"):
                found.append(f"{kind} seed {seed} run {number}: {line[2:].strip()}")
            else:
                number = int(line)
    if process.returncode:
        keep(kind, seed, number, input_of(kind, seed, number))
        found.append(f"{kind} seed {seed} run {number}: ends with {process.returncode}")
    elif number + 1 != runs:
        found.append(f"{kind} seed {seed}: {number + 1} of {runs} runs")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=22_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=KINDS)
    parser.add_argument("--child", choices=KINDS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(asked.child, asked.seed, asked.runs)
        return 0
    failures = []
    for kind in [asked.only] if asked.only else KINDS:
        runs = asked.runs if asked.only else asked.runs * SHARES[kind] // sum(SHARES.values())
        began = time.monotonic()
        found = watch(kind, asked.seed, runs)
        failures += found
        print(f"{kind}: {runs} runs in {time.monotonic() - began:.0f} s, {len(found)} failures", flush=True)
    print("\n".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
