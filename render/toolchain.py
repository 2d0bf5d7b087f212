"""Which code decided the bytes: name, version and digest of each package, hashed from disk (SPEC §4)."""

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import veridact
from veridact.errors import MachineError

OWN = ("__init__.py", "atomic_write.py", "errors.py", "files.py", "media", "render", "schema")
"""What of `veridact/` decides bytes: all that `render` imports of it but `sandbox`, `progress` and `signals`.

A test compares this list with the graph of imports. `lint`, the formats of other tools and `locate` are not in it.
"""

OWN_SUFFIXES = frozenset({".py", ".json"})

PACKAGES = ("av", "numpy", "pillow")
FOR_FORMAT = {"HEIF": ("pillow-heif",)}
"""Further packages for sources of some formats; where one is missing, the source cannot be opened."""

KNOWN_PACKAGES = frozenset(("veridact", *PACKAGES, *(name for names in FOR_FORMAT.values() for name in names)))
"""Every package that a toolchain may name."""


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_files(files: Iterable[tuple[str, Path]]) -> str:
    """SHA-256 over the sorted lines `path NUL sha256` of the files."""
    lines = sorted(f"{name}\0{_file_sha256(path)}\n".encode() for name, path in files)
    return hashlib.sha256(b"".join(lines)).hexdigest()


def _wheel_files(name: str) -> list[tuple[str, Path]]:
    """The files that the package's RECORD lists, without `*.dist-info`, `*.pyc` and what pip made beside the packages.

    That is console scripts, `../../../bin/f2py`, whose first line names the folder of the environment.
    """
    listed = metadata.distribution(name).files
    if not listed:
        raise MachineError(f"the package {name} has no RECORD; install it again with pip")
    kept = [f for f in listed if f.suffix != ".pyc" and f.parts[0] != ".." and not f.parts[0].endswith(".dist-info")]
    return [(f.as_posix(), Path(str(f.locate()))) for f in kept]


def own_files(folder: Path) -> list[tuple[str, Path]]:
    """The files of `OWN` in a folder `veridact`, by their names in a wheel: `veridact/schema/manifest.py`.

    In a checkout `schema` and `render` are links to folders beside it; the names are the same.
    """
    found: list[tuple[str, Path]] = []
    for name in OWN:
        top = folder / name
        paths = [top] if top.is_file() else sorted(top.rglob("*"))
        found += [(f"veridact/{p.relative_to(folder).as_posix()}", p) for p in paths if p.suffix in OWN_SUFFIXES]
    return found


def toolchain(source_format: str = "") -> list[dict[str, str]]:
    """The packages that decide the bytes made of a source of some format, as they lie on this machine's disk."""
    further = (name for name in FOR_FORMAT.get(source_format, ()) if find_spec(name.replace("-", "_")) is not None)
    return _described((*PACKAGES, *further))


@cache
def _described(names: tuple[str, ...]) -> list[dict[str, str]]:
    own = digest_of_files(own_files(Path(veridact.__file__).parent))
    packages = [
        {"name": name, "version": metadata.version(name), "sha256": digest_of_files(_wheel_files(name))}
        for name in names
    ]
    return [{"name": "veridact", "version": veridact.__version__, "sha256": own}, *packages]
