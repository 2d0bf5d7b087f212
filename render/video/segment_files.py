"""Encoded segments on disk: each a file with its own digest, so that an interrupted render can go on from them.

one line of JSON: {"binding": ..., "extradata": hex, "frames_sha256": [...], "packets": [[pts, key, size], ...], ...}
the packets' bytes, one after another
32 bytes: SHA-256 of all before

The binding says for which footage, manifest and release a segment was made. One that was left by any other render, or
that is damaged, is never used: it may show what this manifest covers.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from veridact.render.toolchain import toolchain
from veridact.render.video.encoder import EncodedPacket
from veridact.sandbox.heartbeat import patience
from veridact.schema import digests
from veridact.schema.manifest import Manifest

DIGEST_BYTES = 32
CHUNK_BYTES = 1 << 20
Covered = dict[int, tuple[int, int]]
"""For each track: the frames and the pixels of them that were covered."""


@dataclass(frozen=True)
class Segment:
    """What encoding one segment yields; `frame_digests` are those of the decoded result, in presentation order."""

    extradata: bytes
    packets: list[EncodedPacket]
    frame_digests: list[str]
    covered: Covered


@dataclass(frozen=True)
class Head:
    """What a segment file says of itself; `table` holds (pts, is a key frame, bytes) for each packet."""

    binding: str
    extradata: bytes
    frame_digests: list[str]
    covered: Covered
    table: list[list[int]]


def binding_of(manifest: Manifest) -> str:
    """The digest of all that decides a segment: the whole manifest, which names its footage, and the toolchain."""
    return digests.sha256_hex(digests.canonical([digests.manifest_sha256(manifest), toolchain()]))


def _bound(path: Path, binding: str) -> str:
    """The binding with the stream and the number of the segment, which are its name."""
    return f"{binding} {path.stem}"


def write(path: Path, binding: str, segment: Segment) -> None:
    """Writes a segment whole or not at all."""
    head = {
        "binding": _bound(path, binding),
        "extradata": segment.extradata.hex(),
        "frames_sha256": segment.frame_digests,
        "packets": [[p.pts, p.is_keyframe, len(p.data)] for p in segment.packets],
        "covered": sorted([track, *counts] for track, counts in segment.covered.items()),
    }
    digest = hashlib.sha256()
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        for part in (json.dumps(head).encode() + b"\n", *(p.data for p in segment.packets)):
            digest.update(part)
            file.write(part)
        file.write(digest.digest())
        with patience():  # a slow disk
            file.flush()
            os.fsync(file.fileno())
    temporary.rename(path)


def is_usable(path: Path, binding: str) -> bool:
    """Whether a finished, undamaged segment of this very render is there."""
    if not path.is_file() or path.is_symlink():
        return False
    left = path.stat().st_size - DIGEST_BYTES
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while left > 0 and (chunk := file.read(min(left, CHUNK_BYTES))):
            digest.update(chunk)
            left -= len(chunk)
        return file.read() == digest.digest() and head(path).binding == _bound(path, binding)


def head(path: Path) -> Head:
    """The first line of a segment that `write` made."""
    with path.open("rb") as file:
        told = json.loads(file.readline())
    return Head(
        binding=told["binding"],
        extradata=bytes.fromhex(told["extradata"]),
        frame_digests=told["frames_sha256"],
        covered={track: (frames, pixels) for track, frames, pixels in told["covered"]},
        table=told["packets"],
    )


def packets(path: Path) -> Iterator[EncodedPacket]:
    """The packets of a segment in decoding order, one at a time."""
    table = head(path).table
    with path.open("rb") as file:
        file.readline()
        for pts, key, size in table:
            yield EncodedPacket(pts, bool(key), file.read(size))
