"""Writing a result so that it is there whole or not at all, and never over something that was there."""

import os
import stat
import tempfile
from pathlib import Path

from schema.errors import MachineError, SafetyError, UsageError


def _temporary(folder: Path, data: bytes, mode: int) -> Path:
    try:
        fd, name = tempfile.mkstemp(prefix=".veridact-", dir=folder)
    except PermissionError:
        raise MachineError(f"not allowed to write in {folder}") from None
    path = Path(name)
    try:
        with os.fdopen(fd, "wb") as file:
            os.fchmod(fd, mode)
            file.write(data)
            file.flush()
            os.fsync(fd)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _usual_mode() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def check_new(path: Path) -> None:
    """Refuses a path that something stands at already, or whose folder is not there."""
    if path.is_symlink() or path.exists():
        raise SafetyError(f"{path} exists; choose another name")
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is no folder; make it first")


def write_new(path: Path, data: bytes, mode: int | None = None) -> None:
    """Writes a file that must not exist yet; `mode` as `os.chmod` takes it, by default what the umask leaves."""
    check_new(path)
    made = _temporary(path.parent, data, _usual_mode() if mode is None else mode)
    try:
        os.link(made, path)
    except FileExistsError:
        raise SafetyError(f"{path} exists; choose another name") from None
    finally:
        made.unlink()


def replace(path: Path, data: bytes) -> None:
    """Replaces a file by another at one instant, keeping its mode; a link is not followed."""
    if path.is_symlink() or not path.is_file():
        raise SafetyError(f"{path} is no regular file, so it is not replaced; use -o")
    made = _temporary(path.parent, data, stat.S_IMODE(path.stat().st_mode))
    made.replace(path)
