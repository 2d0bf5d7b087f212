"""Files opened by path: regular files only, and at most a limited number of bytes read from one."""

import os
import stat
import sys
from typing import BinaryIO

from veridact.errors import MachineError, MediaError, UsageError, VeridactError


def open_regular(
    path: str | bytes | os.PathLike[str], what: str = "file", wrong: type[VeridactError] = MediaError, advice: str = ""
) -> int:
    """A read-only descriptor of a regular file, closed on exec.

    `what` names the kind of file in messages, `advice` ends the one for what is no regular file. Raises `wrong` where
    there is no such file or it is not a regular one, `MachineError` where it may not be read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise wrong(f"{path!s}: no such {what}") from None
    except PermissionError:
        raise MachineError(f"{path!s}: not allowed to read it") from None
    except (OSError, ValueError) as e:
        raise wrong(f"{path!s}: cannot be opened ({getattr(e, 'strerror', None) or e})") from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise wrong(f"{path!s}: not a regular file{advice}")
    return fd


def read_limited(path: str | os.PathLike[str], what: str, max_bytes: int) -> bytes:
    """The bytes of a regular file, or of standard input where `path` is `-`: at most `max_bytes` and one more.

    A caller that gets more than `max_bytes` knows that the file is larger. `what` names the file's kind in errors.
    Raises `UsageError` where it is not a regular file, `MachineError` where it may not be read.
    """
    if os.fspath(path) == "-":
        return _read(sys.stdin.buffer, max_bytes + 1)
    fd = open_regular(path, what, UsageError, f"; give a {what}, or - for standard input")
    with os.fdopen(fd, "rb") as file:
        return _read(file, max_bytes + 1)


def _read(file: BinaryIO, size: int) -> bytes:
    chunks: list[bytes] = []
    while size and (chunk := file.read(min(size, 1 << 20))):
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)
