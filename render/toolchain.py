"""Which code decided the bytes: name, version and digest of each package, hashed from disk (SPEC §4)."""

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from veridact import __version__, render, schema
from veridact.errors import MachineError

PACKAGES = ("av", "numpy", "pillow")
FOR_FORMAT = {"HEIF": ("pillow-heif",)}
"""Further packages for sources of some formats; where one is missing, the source cannot be opened."""

CHUNK_BYTES = 1 << 20


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_files(files: Iterable[tuple[str, Path]]) -> str:
    """SHA-256 over the sorted lines `path NUL sha256` of the files."""
    lines = sorted(f"{name}\0{_file_sha256(path)}\n".encode() for name, path in files)
    return hashlib.sha256(b"".join(lines)).hexdigest()


def _wheel_files(name: str) -> list[tuple[str, Path]]:
    """The files that the package's RECORD lists, without `*.dist-info` and `*.pyc`."""
    listed = metadata.distribution(name).files
    if not listed:
        raise MachineError(f"the package {name} has no RECORD; install it again with pip")
    kept = [f for f in listed if f.suffix != ".pyc" and not f.parts[0].endswith(".dist-info")]
    return [(f.as_posix(), Path(str(f.locate()))) for f in kept]


def _own_files() -> list[tuple[str, Path]]:
    """Our own modules, the same whether installed from a wheel or run from a checkout."""
    found: list[tuple[str, Path]] = []
    for package in (schema, render):
        folder = Path(package.__file__ or "").parent
        for path in folder.rglob("*"):
            if path.suffix in {".py", ".json"}:
                found.append((path.relative_to(folder.parent).as_posix(), path))
    return found


def toolchain(source_format: str = "") -> list[dict[str, str]]:
    """The packages that decide the bytes made of a source of some format, as they lie on this machine's disk."""
    return _described((*PACKAGES, *(name for name in FOR_FORMAT.get(source_format, ()) if _is_there(name))))


def _is_there(package: str) -> bool:
    return find_spec(package.replace("-", "_")) is not None


@cache
def _described(names: tuple[str, ...]) -> list[dict[str, str]]:
    packages = [
        {"name": name, "version": metadata.version(name), "sha256": digest_of_files(_wheel_files(name))}
        for name in names
    ]
    return [{"name": "veridact", "version": __version__, "sha256": digest_of_files(_own_files())}, *packages]
