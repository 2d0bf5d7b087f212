"""A folder of pictures, or of anything else that is read: one manifest a file, and no file stops the others."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from locate.detector import Detector
from locate.options import Options
from locate.pipeline import locate
from schema import formatter
from schema.errors import ManifestError, MediaError


@dataclass(frozen=True)
class Outcome:
    """What became of one file: the number of things found, or the reason why there is no manifest."""

    path: Path
    found: int
    reason: str | None


def files_in(folder: Path) -> list[Path]:
    """The files of a folder and those below it, in order; hidden ones are left out."""
    below = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    return [p for p in below if not any(part.startswith(".") for part in p.relative_to(folder).parts)]


def manifest_path(path: Path, folder: Path, out: Path) -> Path:
    """Where the manifest of a file goes: the same place under `out`, with `.json` added to the name."""
    return out / path.relative_to(folder).with_name(path.name + ".json")


def locate_folder(folder: Path, out: Path, options: Options, detectors: Sequence[Detector]) -> Iterator[Outcome]:
    """Searches one file after the other and writes its manifest; files that are refused are told and passed over."""
    for path in files_in(folder):
        try:
            manifest = locate(path, options, detectors, lambda what, done, total: None).manifest
        except (MediaError, ManifestError) as e:
            yield Outcome(path, 0, str(e))
            continue
        target = manifest_path(path, folder, out)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(formatter.write(manifest), target)
        yield Outcome(path, len(manifest.tracks) + len(manifest.audio), None)


def write_whole(data: bytes, target: Path) -> None:
    """Writes a file that appears only when all of it is there; what was at its place before is replaced."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".veridact-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise
