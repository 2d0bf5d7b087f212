"""Batch search of a folder: one manifest for each file, and a refused file does not stop the others."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from veridact import atomic_write
from veridact.errors import MachineError, ManifestError, MediaError, UsageError
from veridact.files import open_regular
from veridact.locate.isolation import confinement, load_models, remarks_on
from veridact.locate.options import Options
from veridact.locate.pipeline import locate
from veridact.progress import ReportProgress, silently
from veridact.sandbox import child, protocol
from veridact.sandbox.child import ChildOptions
from veridact.sandbox.heartbeat import patience
from veridact.schema import reader, writer


@dataclass(frozen=True)
class Outcome:
    """The outcome for one file: the number of tracks and audio ranges in its manifest and notes, or why it has none."""

    path: Path
    found: int
    reason: str | None
    notes: tuple[str, ...] = ()


def list_files(folder: Path, out: Path) -> list[Path]:
    """The files in a folder and below it, sorted, without hidden ones and without manifests from an earlier batch.

    Those are under `out`. Links, and folders that cannot be listed, are in the list, so that they are refused and not
    skipped in silence. Raises `MachineError` where `folder` itself cannot be listed.
    """
    paths: list[Path] = []
    unlisted: list[OSError] = []
    for parent, folders, files in os.walk(folder, onerror=unlisted.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [name for name in folders if _is_link(Path(parent, name))]
        paths += [Path(parent, name) for name in (*files, *links) if not name.startswith(".")]
    paths = sorted([*paths, *(Path(e.filename) for e in unlisted)])
    if folder in paths:
        raise MachineError(f"{folder}: not allowed to list what is in it; give read permission on the folder")
    if not out.resolve().is_relative_to(folder.resolve()):
        return paths
    manifests = {manifest_path(p, folder, folder / out.resolve().relative_to(folder.resolve())) for p in paths}
    return [p for p in paths if p not in manifests]


def manifest_path(path: Path, folder: Path, out: Path) -> Path:
    """The manifest of a file of `folder`: the same relative path under `out`, with `.json` added to the name."""
    return out / path.relative_to(folder).with_name(path.name + ".json")


def locate_folder(folder: Path, files: Sequence[Path], out: Path, options: Options) -> Iterator[Outcome]:
    """Locates in one file after another and writes its manifest; a refused file yields its reason.

    One child process with the models loaded takes all files; if a file ends it, a new one goes on with the next file.
    """
    _make_folder(out)
    with confinement(folder, options) as child_options:
        while files:
            try:
                work = partial(_locate_each, files, options, child_options)
                with closing(child.each(work, child_options, silently)) as all_:
                    next(all_)  # the layers of the sandbox
                    for result in all_:
                        yield _write_manifest(files[0], result, manifest_path(files[0], folder, out))
                        files = files[1:]
            except MediaError as e:
                if files:  # otherwise it failed after the last file
                    yield _refused(files[0], str(e))
                files = files[1:]


def _locate_each(
    files: Sequence[Path], options: Options, child_options: ChildOptions, report: ReportProgress
) -> Iterator[dict[str, Any]]:
    """In the child process: for each file its manifest and notes, or the reason why there is none."""
    detectors = load_models(child_options, options)
    for path in files:
        try:
            _check(path)
            located = locate(path, options, detectors, report)
            with patience():
                manifest = writer.write(located.manifest).decode()
            yield {"manifest": manifest, "notes": remarks_on(located, options)}
        except (MediaError, ManifestError) as e:
            yield {"reason": str(e)}


def _is_link(path: Path) -> bool:
    with suppress(PermissionError):  # its folder can be listed, but not entered
        return path.is_symlink()
    return False


def _check(path: Path) -> None:
    """Raises `MediaError` for a link, which may lead out of the folder, and for a file that cannot be read."""
    if _is_link(path):
        raise MediaError("a link, and links are not followed in a folder; put the file itself there")
    try:
        os.close(open_regular(path))
    except MachineError as e:
        raise MediaError(str(e)) from None


def _write_manifest(path: Path, result: dict[str, Any], target: Path) -> Outcome:
    """Checks the result that the child sent for a file and writes its manifest to `target`."""
    if "reason" in result:
        return _refused(path, result["reason"])
    read = reader.read(result["manifest"].encode())
    _make_folder(target.parent)
    try:
        atomic_write.put(target, read.raw)
    except OSError as e:
        if e.errno != errno.ENAMETOOLONG:
            raise
        return _refused(path, f"{target.name} would be too long a name; rename it")
    notes = tuple(protocol.printable(note) for note in result["notes"])
    return Outcome(path, len(read.manifest.tracks) + len(read.manifest.audio), None, notes)


def _refused(path: Path, reason: str) -> Outcome:
    """The outcome for a refused file; the path is taken off the reason, for it is reported beside it."""
    return Outcome(path, 0, protocol.printable(reason.removeprefix(f"{path}: ")))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"{folder} is no folder; choose another name for -o") from None
