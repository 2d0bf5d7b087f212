"""Where a render works and how it ends: a hidden folder beside the target, then two renames, receipt before output."""

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
class Place:
    """The hidden `folder` of a render, the descriptor whose lock makes it ours, and the two files it will leave."""

    folder: Path
    lock: int
    output: Path
    audit: Path
    force: bool

    @property
    def new_output(self) -> Path:
        return self.folder / "output"

    @property
    def new_audit(self) -> Path:
        return self.folder / "audit"

    def publish(self) -> None:
        """Moves the finished pair to its place, so that there is never an output without its receipt."""
        for path in (self.new_output, self.new_audit):
            _sync(path)
        if self.force:
            self.output.unlink(missing_ok=True)
            self.new_audit.replace(self.audit)
            self.new_output.replace(self.output)
        else:
            move_to_free_name(self.new_audit, self.audit, OR_FORCE)
            try:
                move_to_free_name(self.new_output, self.output, OR_FORCE)
            except BaseException:
                self.audit.unlink()
                raise
        _sync(self.output.parent)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _check_target(target: Path, media: Path, force: bool) -> None:
    if target.is_symlink():
        raise SafetyError(f"{target} is a symbolic link, which is never followed; choose another name")
    if target.is_dir():
        raise SafetyError(f"{target} is a folder; give a file name")
    if target.exists():
        if media.exists() and target.samefile(media):
            raise SafetyError(f"{target} is the input itself; choose another name")
        if not target.is_file():
            raise SafetyError(f"{target} is no regular file; choose another name")
        if not force:
            raise SafetyError(f"{target} exists; {OR_FORCE}")
    if not target.parent.is_dir():
        raise UsageError(f"{target.parent} is no folder; make it first")


@contextmanager
def work_in(media: Path, output: Path, audit: Path, force: bool, resume: bool) -> Iterator[Place]:
    """The place of one render. Whatever happens, the hidden folder is gone at the end, and with it all that it held.

    Raises `SafetyError` when a target exists or another render is writing the same one.
    """
    if output == audit:
        raise UsageError("the receipt and the output need different names")
    for target in (output, audit):
        _check_target(target, media, force)
    if output.parent.stat().st_dev != audit.parent.stat().st_dev:
        raise UsageError("--audit must be on the same file system as the output")
    name = hashlib.sha256(os.fsencode(output.name)).hexdigest()[:16]
    folder = output.parent / f"{FOLDER_PREFIX}{name}"
    with _locked(folder, resume) as lock:
        try:
            yield Place(folder, lock, output, audit, force)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path, resume: bool) -> Iterator[int]:
    """Makes the folder ours, for as long as the descriptor that it gives is open anywhere.

    What a killed render left in it is removed, or kept for `resume`.
    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except PermissionError:
        raise MachineError(f"not allowed to write in {folder.parent}") from None
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
