"""A folder of pictures, or of anything else that is read: one manifest a file, and no file stops the others."""

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
    """What became of one file: the number of things found and what else to know, or why there is no manifest."""

    path: Path
    found: int
    reason: str | None
    remarks: tuple[str, ...] = ()


def files_in(folder: Path, out: Path) -> list[Path]:
    """All that is in a folder and those below it, in order, but hidden things and manifests that a search wrote there.

    Links, and folders that cannot be listed, are among them: they are refused, not passed over in silence.
    """
    found: list[Path] = []
    unlisted: list[OSError] = []
    for place, folders, files in os.walk(folder, onerror=unlisted.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [name for name in folders if _is_link(Path(place, name))]
        found += [Path(place, name) for name in (*files, *links) if not name.startswith(".")]
    found = sorted([*found, *(Path(e.filename) for e in unlisted)])
    if folder in found:
        raise MachineError(f"{folder}: not allowed to list what is in it")
    if not out.resolve().is_relative_to(folder.resolve()):
        return found
    own = {manifest_path(p, folder, folder / out.resolve().relative_to(folder.resolve())) for p in found}
    return [p for p in found if p not in own]


def manifest_path(path: Path, folder: Path, out: Path) -> Path:
    """Where the manifest of a file goes: the same place under `out`, with `.json` added to the name."""
    return out / path.relative_to(folder).with_name(path.name + ".json")


def locate_folder(folder: Path, files: Sequence[Path], out: Path, options: Options) -> Iterator[Outcome]:
    """Searches one file after the other and writes its manifest; files that are refused are told and passed over.

    One process with the models goes through them; where a file ends it, another goes on behind that file.
    """
    _make(out)
    with confinement(folder, options) as child_options:
        while files:
            try:
                work = partial(_searched, files, options, child_options)
                with closing(child.each(work, child_options, silently)) as all_:
                    next(all_)  # the layers of the sandbox
                    for found in all_:
                        yield _written(files[0], found, manifest_path(files[0], folder, out))
                        files = files[1:]
            except MediaError as e:
                if files:  # else it ended badly when all was done
                    yield _refused(files[0], str(e))
                files = files[1:]


def _searched(
    files: Sequence[Path], options: Options, child_options: ChildOptions, report: ReportProgress
) -> Iterator[dict[str, Any]]:
    """For each file its manifest, or the reason why there is none."""
    detectors = load_models(child_options, options)
    for path in files:
        try:
            _check(path)
            located = locate(path, options, detectors, report)
            with patience():
                written = writer.write(located.manifest).decode()
            yield {"manifest": written, "remarks": remarks_on(located, options)}
        except (MediaError, ManifestError) as e:
            yield {"reason": str(e)}


def _is_link(path: Path) -> bool:
    with suppress(PermissionError):  # where the folder that it is in can be listed, but not entered
        return path.is_symlink()
    return False


def _check(path: Path) -> None:
    """Raises `MediaError` for what another file might stand behind, or what cannot be read."""
    if _is_link(path):
        raise MediaError("a link, and links are not followed in a folder; put the file itself there")
    try:
        os.close(open_regular(path))
    except MachineError as e:
        raise MediaError(str(e)) from None


def _written(path: Path, found: dict[str, Any], target: Path) -> Outcome:
    if "reason" in found:
        return _refused(path, found["reason"])
    read = reader.read(found["manifest"].encode())
    _make(target.parent)
    try:
        atomic_write.put(target, read.raw)
    except OSError as e:
        if e.errno != errno.ENAMETOOLONG:
            raise
        return _refused(path, f"{target.name} would be too long a name; rename it")
    remarks = tuple(protocol.printable(remark) for remark in found["remarks"])
    return Outcome(path, len(read.manifest.tracks) + len(read.manifest.audio), None, remarks)


def _refused(path: Path, reason: str) -> Outcome:
    return Outcome(path, 0, protocol.printable(reason.removeprefix(f"{path}: ")))


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"{folder} is no folder; choose another name for -o") from None
