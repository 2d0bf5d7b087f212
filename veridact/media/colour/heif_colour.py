"""The colour code points of the primary item of a HEIC or AVIF file, which Pillow does not tell (ISO/IEC 23008-12)."""

import struct
from collections.abc import Iterator

from veridact.media.reader import Reader

MAX_META_BYTES = 1 << 24
_FULL_BOX_BYTES = 4
_MAX_BOXES = 10_000


def colour_codes(reader: Reader) -> tuple[int, int, int, int] | None:
    """Primaries, transfer, matrix (ITU-T H.273) and 1 for full range, of the primary item; None where there is none.

    Where the primary item has none, as a grid whose tiles have, those that all the others agree on count.
    """
    meta = _meta(reader)
    boxes = dict(_boxes(meta[_FULL_BOX_BYTES:]))
    parts = list(_boxes(boxes.get(b"iprp", b"")))
    properties = list(_boxes(next((body for name, body in parts if name == b"ipco"), b"")))
    codes = {n: _nclx(body) for n, (name, body) in enumerate(properties, 1) if name == b"colr" and body[:4] == b"nclx"}
    primary = _primary_item(boxes.get(b"pitm", b""))
    for name, body in parts:
        if name == b"ipma":
            own = [codes[n] for n in _associations(body).get(primary, ()) if n in codes]
            if own:
                return own[0]
    found = set(codes.values())
    return found.pop() if len(found) == 1 else None


def _meta(reader: Reader) -> bytes:
    """The body of the file's meta box; empty where there is none of reasonable size."""
    at = 0
    for _ in range(_MAX_BOXES):
        reader.seek(at)
        head = reader.read(16)
        if len(head) < 8:
            return b""
        size, name = struct.unpack_from(">I4s", head)
        begin = 8
        if size == 1 and len(head) == 16:
            size, begin = struct.unpack_from(">Q", head, 8)[0], 16
        if name == b"meta":
            reader.seek(at + begin)
            return reader.read(min(size - begin, MAX_META_BYTES)) if size > begin else b""
        if size < begin:
            return b""
        at += size
    return b""


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The name and body of each box with a 32-bit size; stops at one that is cut short."""
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        if size < 8 or at + size > len(data):
            return
        yield name, data[at + 8 : at + size]
        at += size


def _nclx(body: bytes) -> tuple[int, int, int, int]:
    """The code points of a colr box of type nclx (ISO/IEC 14496-12, 12.1.5)."""
    primaries, transfer, matrix, full_range = struct.unpack(">HHHB", body[4:11].ljust(7, b"\0"))
    return primaries, transfer, matrix, full_range >> 7


def _primary_item(body: bytes) -> int:
    """The id of the primary item; 0 where there is none."""
    size = 2 if body[:1] == b"\0" else 4
    return int.from_bytes(body[4 : 4 + size], "big")


def _associations(body: bytes) -> dict[int, list[int]]:
    """For each item, the numbers from 1 of its properties (ISO/IEC 23008-12, 9.3.1); stops where data ends."""
    if len(body) < 8:
        return {}
    id_bytes, index_bytes = (2 if body[0] < 1 else 4), (2 if body[3] & 1 else 1)
    found: dict[int, list[int]] = {}
    at = 8
    for _ in range(int.from_bytes(body[4:8], "big")):
        if at + id_bytes >= len(body):
            break
        item, count = int.from_bytes(body[at : at + id_bytes], "big"), body[at + id_bytes]
        at += id_bytes + 1
        mask = (1 << (8 * index_bytes - 1)) - 1
        found[item] = [
            int.from_bytes(body[n : n + index_bytes], "big") & mask
            for n in range(at, at + count * index_bytes, index_bytes)
        ]
        at += count * index_bytes
    return found
