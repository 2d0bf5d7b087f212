"""The messages of a process that works for another: a line of JSON each, and how an exception travels in one.

| message | meaning |
|---|---|
| `{"active": {...}}` | the layers of the sandbox that are on; comes first from a sandboxed child |
| `{"progress": [what, done, total]}` | how far the work is |
| `{"patient": bool}` | a sign of life, and whether a step that takes long goes on |
| `{"value": ...}` | a value that the work gives |
| `{"error": ...}`, `{"errno": ...}`, `{"memory": true}`, `{"bug": ...}` | what the work raised; comes last |
| `{"done": true}` | there is nothing more; comes last |
"""

import json
import os
import threading
import time
import traceback
from collections.abc import Generator, Iterator
from typing import Any, NoReturn, cast

from veridact import errors
from veridact.errors import MediaError, VeridactError
from veridact.progress import ReportProgress
from veridact.sandbox.policy import Active

BEAT_SECONDS = 1.0
CHUNK_BYTES = 1 << 16
MESSAGE_BYTES = 1 << 28
MALFORMED = "the decoder process sent malformed output; the file broke it: convert it first, or do without it"
ERRORS = {kind.__name__: kind for kind in vars(errors).values() if isinstance(kind, type)}
FIELDS = ("layer", "path", "reason")
"""What errors hold besides their text; never an exit code, which a child must not choose."""


class ChildBugError(Exception):
    """Work in another process ended in an exception that no class of `veridact.errors` foresees; the text names it.

    The traceback of that process is in `__notes__`.
    """


class MessageWriter:
    """Writes messages to a descriptor; the threads of the work may all do so."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()
        self._next_beat = 0.0
        self._patient = False

    def __call__(self, message: dict[str, Any]) -> None:
        """Writes a message whole; raises `BrokenPipeError` when nobody reads any more."""
        data = memoryview(json.dumps(message).encode() + b"\n")
        with self._lock:
            while data:
                data = data[os.write(self._fd, data) :]

    def progress(self, what: str, done: int, total: int) -> None:
        """Sends how far the work is; a `ReportProgress`."""
        self({"progress": [what, done, total]})

    def beat(self, patient: bool) -> None:
        """Sends a sign of life, at most one every `BEAT_SECONDS` while `patient` stays the same."""
        now = time.monotonic()
        if now >= self._next_beat or patient != self._patient:
            self._next_beat, self._patient = now + BEAT_SECONDS, patient
            self({"patient": patient})


class MessageReader:
    """Puts the bytes of a pipe together to messages."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, chunk: bytes) -> list[dict[str, Any]]:
        """The messages that end in `chunk`; raises `MediaError` for a line that is no JSON object, or too long."""
        self._waiting += chunk
        if len(self._waiting) > MESSAGE_BYTES:
            raise MediaError(MALFORMED)
        if b"\n" not in chunk:
            return []
        *lines, self._waiting = self._waiting.split(b"\n")
        return list(map(_parse, lines))


def _parse(line: bytearray) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise MediaError(MALFORMED)
    return message


def message_of(error: BaseException) -> dict[str, Any]:
    """An exception as a message."""
    if isinstance(error, VeridactError):
        fields = vars(error)
        more = {name: fields[name] for name in FIELDS if name in fields}
        return {"error": type(error).__name__, "text": str(error), "more": more}
    if isinstance(error, MemoryError):
        return {"memory": True}
    if isinstance(error, OSError) and error.errno is not None:
        return {"errno": error.errno, "text": error.strerror, "file": _name(error.filename)}
    if isinstance(error, ChildBugError):
        return {"bug": str(error), "trace": "\n".join(getattr(error, "__notes__", ()))}
    return {"bug": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}


def _name(filename: object) -> str | None:
    return os.fsdecode(filename) if isinstance(filename, str | bytes | os.PathLike) else None


def results(messages: Iterator[dict[str, Any]], report: ReportProgress) -> Generator[Any, None, bool]:
    """The layers that are on (`Active`) and the values, as they come; progress goes to `report`.

    Returns, at the end, whether the work was complete. Raises what the work raised.
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
                _raise(message)
    return False


def _raise(message: dict[str, Any]) -> NoReturn:
    """Raises the exception that a message stands for, `MediaError` where it stands for none."""
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
    raise MediaError(MALFORMED)


def printable(text: str) -> str:
    """A text that the child chose, without what a terminal would act on."""
    return "".join(c if c.isprintable() else " " for c in text)
