"""Staging and publishing: a hidden folder beside the target, then two renames, the receipt before the output."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from veridact.atomic_write import move_to_free_name
from veridact.errors import MachineError, SafetyError, UsageError

FOLDER_PREFIX = ".veridact-"
OR_FORCE = "choose another name or give --force"


@dataclass(frozen=True)
class StagingFolder:
    """The hidden folder in which a render works, locked for this render, and the two targets it publishes to.

    `lock_fd` is the open descriptor that holds the lock; `force` allows existing targets to be replaced.
    """

    path: Path
    lock_fd: int
    target_output: Path
    target_receipt: Path
    force: bool

    @property
    def output(self) -> Path:
        """The staged output file, not yet published."""
        return self.path / "output"

    @property
    def receipt(self) -> Path:
        """The staged receipt, not yet published."""
        return self.path / "audit"

    def publish(self) -> None:
        """Moves the staged pair to its targets in an order that never leaves an output without its receipt.

        Raises `SafetyError` when a target has appeared meanwhile and `force` is off.
        """
        for path in (self.output, self.receipt):
            _sync(path)
        if self.force:
            self.target_output.unlink(missing_ok=True)
            self.receipt.replace(self.target_receipt)
            self.output.replace(self.target_output)
        else:
            move_to_free_name(self.receipt, self.target_receipt, OR_FORCE)
            try:
                move_to_free_name(self.output, self.target_output, OR_FORCE)
            except BaseException:
                self.target_receipt.unlink()
                raise
        _sync(self.target_output.parent)


def _sync(path: Path) -> None:
    """Flushes a file or folder to disk (fsync)."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _check_target(target: Path, media: Path, force: bool) -> None:
    """Refuses a target that must not be written: a link, a folder, the input, or an existing file without `force`."""
    if target.is_symlink():
        raise SafetyError(f"{target} is a symbolic link, which is never followed; choose another name")
    if target.is_dir():
        raise SafetyError(f"{target} is a folder; give a file name")
    if target.exists():
        if media.exists() and target.samefile(media):
            raise SafetyError(f"{target} is the input itself; choose another name")
        if not target.is_file():
            raise SafetyError(f"{target} is not a regular file; choose another name")
        if not force:
            raise SafetyError(f"{target} exists; {OR_FORCE}")
    if not target.parent.is_dir():
        raise UsageError(f"{target.parent} is no folder; make it first")


@contextmanager
def staging_folder(media: Path, output: Path, audit: Path, force: bool, resume: bool) -> Iterator[StagingFolder]:
    """The staging folder of one render, removed with its contents when the context ends, however it ends.

    Raises `UsageError` for targets that cannot be a pair, `SafetyError` when a target exists without `force` or another
    render is writing the same one.
    """
    if output == audit:
        raise UsageError("the receipt and the output need different names")
    for target in (output, audit):
        _check_target(target, media, force)
    if output.parent.stat().st_dev != audit.parent.stat().st_dev:
        raise UsageError("--audit must be on the same file system as the output")
    name = hashlib.sha256(os.fsencode(output.name)).hexdigest()[:16]
    folder = output.parent / f"{FOLDER_PREFIX}{name}"
    with _locked(folder, resume) as lock_fd:
        try:
            yield StagingFolder(folder, lock_fd, output, audit, force)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path, resume: bool) -> Iterator[int]:
    """Creates the folder and locks it for as long as the yielded descriptor is open in any process.

    Files left by a killed render are removed; with `resume`, finished segments are kept.
    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except PermissionError:
        raise MachineError(f"not allowed to write in {folder.parent}; choose another folder") from None
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        with suppress(OSError):
            folder.rmdir()  # ours and empty, or another's and left alone
        raise
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SafetyError("another render is writing the same output; wait for it or choose another name") from None
        for left in folder.iterdir():
            if not (resume and left.suffix == ".segment"):
                left.unlink()
        yield fd
    finally:
        os.close(fd)
