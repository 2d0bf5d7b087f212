"""Random access to an open file descriptor, and the digest of its bytes."""

import hashlib
import os

from veridact.sandbox.heartbeat import beat

BUFFER_BYTES = 1 << 18
HASH_BYTES = 1 << 20


class Reader:
    """A read-only, seekable file object over a descriptor, without the `name` that FFmpeg would open as a URL.

    Reading a part of the file for the first time gives a heartbeat; reading it again does not.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._at = 0
        self._parts_read = bytearray(os.fstat(fd).st_size // BUFFER_BYTES + 1)

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes from the position, or all to the end when it is negative."""
        size = size if size >= 0 else os.fstat(self._fd).st_size - self._at
        data = os.pread(self._fd, size, self._at)
        if data:
            parts = slice(self._at // BUFFER_BYTES, (self._at + len(data) - 1) // BUFFER_BYTES + 1)
            if 0 in (seen := self._parts_read[parts]):
                self._parts_read[parts] = b"\1" * len(seen)
                beat()
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Sets the position, at least 0; returns it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: os.fstat(self._fd).st_size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """The position."""
        return self._at


def hash_descriptor(fd: int) -> str:
    """SHA-256 of all bytes of an open file; its position is neither used nor changed."""
    digest, at = hashlib.sha256(), 0
    while chunk := os.pread(fd, HASH_BYTES, at):
        digest.update(chunk)
        at += len(chunk)
        beat()
    return digest.hexdigest()
