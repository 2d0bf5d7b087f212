"""A folder of pictures, or of anything else that is read: one manifest a file, and no file stops the others."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from locate.options import Options
from locate.pipeline import locate
from locate.shut import ready, shut_in
from schema import contained, formatter, reading
from schema.contained import Tell, Terms
from schema.errors import ManifestError, MediaError
from schema.pulse import patience
from schema.tools import writing


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


def locate_folder(folder: Path, out: Path, options: Options) -> Iterator[Outcome]:
    """Searches one file after the other and writes its manifest; files that are refused are told and passed over.

    One process with the models goes through them; where a file ends it, another goes on behind that file.
    """
    files = files_in(folder)
    with shut_in(folder, options) as terms:
        while files:
            try:
                with closing(contained.each(partial(_searched, files, options, terms), terms, _nobody)) as all_:
                    next(all_)  # the layers of the sandbox
                    for found in all_:
                        yield _written(files[0], found, manifest_path(files[0], folder, out))
                        files = files[1:]
            except MediaError as e:
                if files:  # else it ended badly when all was done
                    yield Outcome(files[0], 0, str(e))
                files = files[1:]


def _nobody(what: str, done: int, total: int) -> None:
    """Tells nobody how far it is within a file."""


def _searched(files: Sequence[Path], options: Options, terms: Terms, tell: Tell) -> Iterator[dict[str, str]]:
    """For each file its manifest, or the reason why there is none."""
    detectors = ready(terms, options)
    for path in files:
        try:
            manifest = locate(path, options, detectors, tell).manifest
            with patience():
                written = formatter.write(manifest).decode()
            yield {"manifest": written}
        except (MediaError, ManifestError) as e:
            yield {"reason": str(e)}


def _written(path: Path, found: dict[str, str], target: Path) -> Outcome:
    if "reason" in found:
        return Outcome(path, 0, contained.printable(found["reason"]))
    read = reading.read(found["manifest"].encode())
    target.parent.mkdir(parents=True, exist_ok=True)
    writing.put(target, read.raw)
    return Outcome(path, len(read.manifest.tracks) + len(read.manifest.audio), None)
