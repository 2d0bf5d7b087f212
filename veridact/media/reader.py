"""A regular file by its own descriptor: opened once, read at any place, hashed before and after."""

import hashlib
import os

from veridact.sandbox.heartbeat import beat

BUFFER_BYTES = 1 << 18
HASH_BYTES = 1 << 20


class Reader:
    """A read-only, seekable view of a descriptor, without the `name` that FFmpeg would read as an address.

    Parts that it reads for the first time are signs of life; the same part once more is none.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._at = 0
        self._known = bytearray(os.fstat(fd).st_size // BUFFER_BYTES + 1)

    def read(self, size: int = -1) -> bytes:
        size = size if size >= 0 else os.fstat(self._fd).st_size - self._at
        data = os.pread(self._fd, size, self._at)
        if data:
            parts = slice(self._at // BUFFER_BYTES, (self._at + len(data) - 1) // BUFFER_BYTES + 1)
            if 0 in (known := self._known[parts]):
                self._known[parts] = b"\1" * len(known)
                beat()
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: os.fstat(self._fd).st_size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at


def hash_descriptor(fd: int) -> str:
    """SHA-256 of all bytes behind a descriptor, whatever its position."""
    digest, at = hashlib.sha256(), 0
    while chunk := os.pread(fd, HASH_BYTES, at):
        digest.update(chunk)
        at += len(chunk)
        beat()
    return digest.hexdigest()
