"""Encoded segments on disk, each with a digest, from which an interrupted render can be resumed.

header: one line of JSON, {"binding": …, "extradata": hex, "frames_sha256": […], "packets": [[pts, key, size], …], …}
body: the bytes of the packets, one after another
trailer: 32 bytes, SHA-256 of header and body

The binding identifies the footage, manifest and release that a segment was made for. A segment of any other render, or
a damaged one, is never used: it may show what this manifest covers.
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
"""For each track, by its index in the manifest: the frames on which it was painted, and the pixels in all."""


@dataclass(frozen=True)
class Segment:
    """An encoded segment: its packets, and the digests of its decoded frames in presentation order.

    `blackened` is the number of pixels whose colours under alpha 0 were set to black.
    """

    extradata: bytes
    packets: list[EncodedPacket]
    frame_digests: list[str]
    covered: Covered
    blackened: int = 0


@dataclass(frozen=True)
class Header:
    """The header of a segment file; `packet_table` has [pts, is keyframe, size in bytes] for each packet."""

    binding: str
    extradata: bytes
    frame_digests: list[str]
    covered: Covered
    packet_table: list[list[int]]
    blackened: int


def binding_of(manifest: Manifest) -> str:
    """The digest of all that affects a segment: the manifest, which binds the footage, and the toolchain."""
    return digests.sha256_hex(digests.canonical([digests.manifest_sha256(manifest), toolchain()]))


def _bound(path: Path, binding: str) -> str:
    """The binding with the file's name, which is the stream and number of the segment."""
    return f"{binding} {path.stem}"


def write(path: Path, binding: str, segment: Segment) -> None:
    """Writes a segment atomically: to a temporary file, flushed to disk, then renamed."""
    header = {
        "binding": _bound(path, binding),
        "extradata": segment.extradata.hex(),
        "frames_sha256": segment.frame_digests,
        "packets": [[p.pts, p.is_keyframe, len(p.data)] for p in segment.packets],
        "covered": sorted([track, *counts] for track, counts in segment.covered.items()),
        "blackened": segment.blackened,
    }
    digest = hashlib.sha256()
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        for part in (json.dumps(header).encode() + b"\n", *(p.data for p in segment.packets)):
            digest.update(part)
            file.write(part)
        file.write(digest.digest())
        with patience():  # a slow disk
            file.flush()
            os.fsync(file.fileno())
    temporary.rename(path)


def is_usable(path: Path, binding: str) -> bool:
    """Whether `path` is an undamaged segment with this binding."""
    if not path.is_file() or path.is_symlink():
        return False
    remaining = path.stat().st_size - DIGEST_BYTES
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while remaining > 0 and (chunk := file.read(min(remaining, CHUNK_BYTES))):
            digest.update(chunk)
            remaining -= len(chunk)
        return file.read() == digest.digest() and read_header(path).binding == _bound(path, binding)


def read_header(path: Path) -> Header:
    """The header of a segment file that `write` made."""
    with path.open("rb") as file:
        header = json.loads(file.readline())
    return Header(
        binding=header["binding"],
        extradata=bytes.fromhex(header["extradata"]),
        frame_digests=header["frames_sha256"],
        covered={track: (frames, pixels) for track, frames, pixels in header["covered"]},
        packet_table=header["packets"],
        blackened=header["blackened"],
    )


def packets(path: Path) -> Iterator[EncodedPacket]:
    """The packets of a segment in decoding order, read one at a time."""
    table = read_header(path).packet_table
    with path.open("rb") as file:
        file.readline()
        for pts, is_keyframe, size in table:
            yield EncodedPacket(pts, bool(is_keyframe), file.read(size))
