"""Paths as programs give them."""

import os


def path_of(path: str | os.PathLike[str]) -> str:
    """A path as text; `-` is a file of that name, never standard input, which belongs to the program."""
    text = os.fspath(path)
    return "./-" if text == "-" else text


def optional(path: str | os.PathLike[str] | None) -> str | None:
    """As `path_of`, None where no path is given."""
    return None if path is None else path_of(path)
