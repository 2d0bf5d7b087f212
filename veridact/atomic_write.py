"""Writing a file so that it is there whole or not at all, and over an existing one only where that is asked for."""

import errno
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from veridact.errors import MachineError, SafetyError, UsageError

FOLDER_PREFIX = ".veridact-folder-"
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EMLINK}
"""The error numbers of a file system without hard links (a memory stick, some network shares)."""


def move_to_free_name(source: Path, target: Path, advice: str = "choose another name") -> None:
    """As a rename, but never over a file that came to be there meanwhile; raises `SafetyError` with `advice` then."""
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise SafetyError(f"{target} exists; {advice}") from None
    except OSError as e:
        if e.errno not in NO_LINKS or target.exists():
            raise
        source.rename(target)
        return
    source.unlink()


@contextmanager
def _temporary(target: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A file beside the target that only its owner may read, and that is gone at the end unless it was moved.

    One that a killed run left for the same target is removed: it is no longer locked.
    """
    prefix = f".veridact-{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]}-"
    for left in target.parent.glob(f"{prefix}*"):
        _remove_unless_locked(left)
    try:
        fd, path = _locked(lambda: tempfile.mkstemp(prefix=prefix, dir=target.parent))
    except PermissionError:
        raise MachineError(f"not allowed to write in {target.parent}") from None
    try:
        with os.fdopen(fd, "w+b") as file:
            yield file, path
    finally:
        path.unlink(missing_ok=True)


def _locked(make: Callable[[], tuple[int, str]]) -> tuple[int, Path]:
    """The file or folder that `make` opens, locked; made anew where another run removed it before it was locked."""
    while True:
        fd, name = make()
        fcntl.flock(fd, fcntl.LOCK_EX)
        if os.path.lexists(name):
            return fd, Path(name)
        os.close(fd)


def _make_folder() -> tuple[int, str]:
    while True:
        name = tempfile.mkdtemp(prefix=FOLDER_PREFIX)
        with suppress(FileNotFoundError):
            return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), name


def _remove_unless_locked(left: Path) -> None:
    with suppress(OSError):  # it went meanwhile, is locked, or belongs to somebody else
        fd = os.open(left, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if stat.S_ISDIR(os.fstat(fd).st_mode):
                shutil.rmtree(left)
            else:
                left.unlink()
        finally:
            os.close(fd)


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder for temporary files that only its owner may read, gone at the end; removes those of killed runs."""
    for left in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        _remove_unless_locked(left)
    fd, folder = _locked(_make_folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(fd)


def _finish(file: BinaryIO, mode: int) -> None:
    file.flush()
    os.fchmod(file.fileno(), mode)
    os.fsync(file.fileno())


def _usual_mode() -> int:
    """The mode of a new file under the umask; read from /proc, because `os.umask` would change it for other threads."""
    with Path("/proc/self/status").open(encoding="ascii", errors="replace") as status:
        mask = next(line for line in status if line.startswith("Umask:")).split()[1]
    return 0o666 & ~int(mask, 8)


def check_new(path: Path) -> None:
    """Raises `SafetyError` where the path exists already, and `UsageError` where its folder does not."""
    if path.is_symlink() or path.exists():
        raise SafetyError(f"{path} exists; choose another name")
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is no folder; make it first")


@contextmanager
def new_file(path: Path, mode: int | None = None) -> Iterator[BinaryIO]:
    """A file to write, which is at `path` when the block ends well and nowhere else; `path` must not exist yet.

    `mode` is as `os.chmod` takes it, by default what the umask leaves. Raises as `check_new`.
    """
    check_new(path)
    with _temporary(path) as (file, made):
        yield file
        _finish(file, _usual_mode() if mode is None else mode)
        move_to_free_name(made, path)


def write_new(path: Path, data: bytes, mode: int | None = None) -> None:
    """Writes a file that must not exist yet, as `new_file`."""
    with new_file(path, mode) as file:
        file.write(data)


def put(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Writes a file whole or not at all, in the place of one that may be there; `mode` is as `os.chmod` takes it."""
    with _temporary(path) as (file, made):
        file.write(data)
        _finish(file, mode)
        made.replace(path)


def replace(path: Path, data: bytes) -> None:
    """Replaces a file at one instant, keeping its mode; raises `SafetyError` for a link, or what is no regular file."""
    if path.is_symlink() or not path.is_file():
        raise SafetyError(f"{path} is not a regular file, so it is not replaced; write to another name")
    put(path, data, stat.S_IMODE(path.stat().st_mode))
