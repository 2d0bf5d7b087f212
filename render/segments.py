"""Encoded segments on disk: each a file with its own digest, so that an interrupted render can go on from them.

one line of JSON: {"extradata": hex, "frames_sha256": [...], "packets": [[pts, key, size], ...], "covered": ...}
the packets' bytes, one after another
32 bytes: SHA-256 of all before
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from render.encoder import EncodedPacket

DIGEST_BYTES = 32
Covered = dict[int, tuple[int, int]]
"""For each track: the frames and the pixels of them that were covered."""


@dataclass(frozen=True)
class Segment:
    """What encoding one segment yields; `frame_digests` are those of the decoded result, in presentation order."""

    extradata: bytes
    packets: list[EncodedPacket]
    frame_digests: list[str]
    covered: Covered


def write(path: Path, segment: Segment) -> None:
    """Writes a segment whole or not at all."""
    head = {
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
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def is_whole(path: Path) -> bool:
    """Whether a finished, undamaged segment is there."""
    if not path.is_file() or path.is_symlink():
        return False
    data = path.read_bytes()
    return hashlib.sha256(data[:-DIGEST_BYTES]).digest() == data[-DIGEST_BYTES:]


def read(path: Path) -> Segment:
    """Reads a segment that `write` made."""
    data = path.read_bytes()
    line = data.index(b"\n") + 1
    head = json.loads(data[:line])
    return Segment(
        extradata=bytes.fromhex(head["extradata"]),
        packets=list(_cut(head["packets"], data, line)),
        frame_digests=head["frames_sha256"],
        covered={track: (frames, pixels) for track, frames, pixels in head["covered"]},
    )


def _cut(table: list[list[int]], data: bytes, start: int) -> Iterator[EncodedPacket]:
    for pts, key, size in table:
        yield EncodedPacket(pts, bool(key), data[start : start + size])
        start += size
