"""`make fuzz`, the coverage-guided part: atheris tries what reaches new lines of the readers of text and bytes.

The first byte of an input selects the reader. An input that ends in anything but a `VeridactError` ends the run and is
saved in `out/fuzz/`; `python -m benchmarks.fuzz_guided FILE` tries it again. Other arguments are those of libFuzzer
(`-runs=N`).
"""

import contextlib
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parent.parent

with atheris.instrument_imports(include=["veridact"]):
    from veridact.errors import VeridactError
    from veridact.media import sniff
    from veridact.media.guards import gif, h264, mp3
    from veridact.schema import reader, receipt
    from veridact.schema.writer import write
    from veridact.tools.edit import operations, query
    from veridact.tools.formats import audacity, cvat_xml

RUNS, SECONDS, MEMORY_MIB = 200_000, 20, 2048


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _manifest(data: bytes) -> None:
    write(reader.read(data).manifest)


def _sealed(data: bytes) -> None:
    """A receipt of one body, with a valid chain."""
    try:
        body = json.loads(data)
        lines = receipt.chain([("genesis", body)])
    except (ValueError, RecursionError):
        return  # no JSON, or none that has a canonical form
    receipt.read(lines)


READERS: tuple[Callable[[bytes], object], ...] = (
    _manifest,
    receipt.read,
    _sealed,
    sniff.sniff,
    mp3.starts_mid_frame,
    lambda data: list(h264.reference_frames(data)),
    lambda data: gif.has_more_frames(io.BytesIO(data), 100),
    lambda data: query.parse(_text(data)),
    lambda data: operations.from_script(_text(data), None),
    cvat_xml.parse,
    lambda data: audacity.read(data, 0, frozenset({0, 1})),
)


def try_one(data: bytes) -> None:
    """Tries one input; raises whatever is not a refusal."""
    if data:
        with contextlib.suppress(VeridactError):
            READERS[data[0] % len(READERS)](data[1:])


def seeds(folder: Path) -> Path:
    """Writes the seeds: one file for each reader and for each example of a manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    examples = sorted((ROOT / "manifests").glob("*.json"))
    for number, path in enumerate(examples):
        (folder / f"manifest-{number}").write_bytes(b"\0" + path.read_bytes())
    (folder / "receipt").write_bytes(b"\1" + receipt.chain([("genesis", {"name": "x"}), ("input", {"bytes": 1})]))
    (folder / "where").write_bytes(b"\7label == face and score < 500 or not (start >= 4.5s) and during 1s-2s")
    (folder / "script").write_bytes(b"\x08accept face-0001 then move face-0002 3,4 0s-2s\nadd face 10-20 1,2,3,4 # x\n")
    box = b'<box frame="0" outside="0" occluded="0" keyframe="1" xtl="1" ytl="2" xbr="3" ybr="4"/>'
    track = b'<annotations><track id="0" label="face">' + box + b"</track></annotations>"
    (folder / "cvat").write_bytes(b"\x09" + track)
    (folder / "audacity").write_bytes(b"\x0a0.5\t1.25\tspeech\n\\\t-1\t-1\n")
    (folder / "gif").write_bytes(
        b"\6GIF89a\1\0\1\0\x80" + bytes(8) + bytes.fromhex("2c0000000001000100000202440100") + b";"
    )
    (folder / "h264").write_bytes(b"\5" + bytes.fromhex("0000000167640028acd940780227e5c0440000030004000003"))
    return folder


if __name__ == "__main__":
    given = sys.argv[1:]
    kept = ROOT / "out" / "fuzz"
    kept.mkdir(parents=True, exist_ok=True)
    limits = [f"-runs={RUNS}", "-seed=1", f"-timeout={SECONDS}", f"-rss_limit_mb={MEMORY_MIB}", "-max_len=8192",
              "-verbosity=0", f"-artifact_prefix={kept}/"]  # fmt: skip
    corpus = [] if any(not argument.startswith("-") for argument in given) else [str(seeds(kept / "seeds"))]
    atheris.Setup([sys.argv[0], *limits, *given, *corpus], try_one)
    atheris.Fuzz()
