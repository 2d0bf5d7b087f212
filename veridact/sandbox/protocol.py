"""The messages of a decoder process: a line of JSON each, and how an exception travels in one."""

import json
import os
import threading
import time
import traceback
from collections.abc import Generator, Iterator
from typing import Any, cast

from veridact import errors
from veridact.errors import MediaError, VeridactError
from veridact.progress import ReportProgress
from veridact.sandbox.policy import Active

BEAT_SECONDS = 1.0
MESSAGE_BYTES = 1 << 28
ERRORS = {kind.__name__: kind for kind in vars(errors).values() if isinstance(kind, type)}
FIELDS = ("layer", "path", "reason")
"""What errors hold besides their text; never an exit code, which a child must not choose."""


class ChildBugError(Exception):
    """Something that no error class foresees went wrong in the child; the text names it."""


class _Speaker:
    """Writes messages to the parent; the threads of the work may all do so."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()
        self._next_beat = 0.0
        self._patient = False

    def __call__(self, message: dict[str, Any]) -> None:
        data = memoryview(json.dumps(message).encode() + b"\n")
        with self._lock:
            while data:
                data = data[os.write(self._fd, data) :]

    def progress(self, what: str, done: int, total: int) -> None:
        self({"progress": [what, done, total]})

    def beat(self, patient: bool) -> None:
        now = time.monotonic()
        if now >= self._next_beat or patient != self._patient:
            self._next_beat, self._patient = now + BEAT_SECONDS, patient
            self({"patient": patient})


def _told(error: BaseException) -> dict[str, Any]:
    """An exception as a message."""
    if isinstance(error, VeridactError):
        held = vars(error)
        return {"error": type(error).__name__, "text": str(error), "more": {f: held[f] for f in FIELDS if f in held}}
    if isinstance(error, MemoryError):
        return {"memory": True}
    if isinstance(error, OSError) and error.errno is not None:
        return {"errno": error.errno, "text": error.strerror, "file": _name(error.filename)}
    return {"bug": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}


def _name(filename: object) -> str | None:
    return os.fsdecode(filename) if isinstance(filename, str | bytes | os.PathLike) else None


def _message(line: bytearray) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise MediaError("the process that decodes talks nonsense; the file broke it")
    return found


def _values(messages: Iterator[dict[str, Any]], report: ReportProgress) -> Generator[Any, None, bool]:
    """The layers and the values as they come, the rest handed on; at the end, whether that was all.

    Raises what the child raised.
    """
    for message in messages:
        match message:
            case {"progress": [str(what), int(done), int(total)]}:
                report(printable(what), done, total)
            case {"active": {"layers": layers, "landlock_abi": abi, "missing": missing}}:
                yield Active(tuple(layers), abi, tuple(missing))
            case {"value": value}:
                yield value
            case {"done": True}:
                return True
            case _:
                _raise_what_is_told(message)
    return False


def _raise_what_is_told(message: dict[str, Any]) -> None:
    text = printable(str(message.get("text")))
    match message:
        case {"error": str(name), "more": dict(more)} if name in ERRORS:
            error = cast(VeridactError, ERRORS[name].__new__(ERRORS[name], text))
            vars(error).update({field: printable(str(more[field])) for field in FIELDS if field in more})
            raise error
        case {"memory": True}:
            raise MediaError("the file needs more memory than a file may; scale it down or cut it first")
        case {"errno": int(number), "file": file}:
            raise OSError(number, text, *([printable(file)] if isinstance(file, str) else []))
        case {"bug": str(bug), "trace": str(trace)}:
            found = ChildBugError(printable(bug))
            found.add_note(trace)
            raise found


def printable(text: str) -> str:
    """A text that the child chose, without what a terminal would act on."""
    return "".join(c if c.isprintable() else " " for c in text)
