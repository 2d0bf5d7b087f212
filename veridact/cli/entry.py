"""Where the console scripts and `python -m veridact` begin: whatever cannot be imported ends with one line and exit 70.

Only Python's own modules are imported here. A dependency that is missing, broken or shadowed by another package, and a
module of ours that does not load, raise inside `start`, not in the script that pip generates, which would exit with 1.
"""

import errno
import os
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

MACHINE, BUG, INTERRUPTED = 8, 70, 130
DETAILS = "set VERIDACT_DEBUG=1 for details"
MACHINE_ERRORS = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.EFBIG,
    errno.EIO,
    errno.ENOENT,
    errno.ENAMETOOLONG,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.EAGAIN,
}
"""What the operating system answers where this machine cannot go on; any other number is a bug."""


def locate() -> NoReturn:
    """The console script `locate`."""
    sys.exit(start("veridact.cli.locate", "locate"))


def render() -> NoReturn:
    """The console script `render`."""
    sys.exit(start("veridact.cli.render", "render"))


def veridact() -> NoReturn:
    """The console script `veridact`."""
    sys.exit(start("veridact.cli.main", "veridact"))


def start(module: str, name: str) -> int:
    """Imports a command and runs it on the command line's arguments; returns the exit code and never raises."""
    try:
        run = import_module("veridact.cli.runner").run
        code: int = run(getattr(import_module(module), name), name)
    except KeyboardInterrupt:
        return failed("interrupted; nothing is half written", INTERRUPTED)
    except MemoryError:
        return failed("out of memory", MACHINE)
    except BaseException as e:  # noqa: BLE001 - a panic in Rust and an exit while importing are no `Exception`
        if isinstance(e, OSError) and e.errno in MACHINE_ERRORS:
            return failed(machine_reason(e), MACHINE)
        return failed(bug_reason(e), BUG)
    return code


def machine_reason(error: OSError) -> str:
    """What the operating system refused, and for which file."""
    return f"{error.strerror}: {error.filename}" if error.filename else str(error.strerror)


def bug_reason(error: BaseException) -> str:
    """An exception that nothing foresees, in the words of a bug report or of a broken installation."""
    what = f"{type(error).__name__}: {error}"
    if isinstance(error, ImportError | SyntaxError):
        return f"veridact cannot be loaded ({what}); install it again with pip, or {DETAILS}"
    return f"this is a bug in veridact ({what}); {DETAILS}"


def failed(reason: str, code: int) -> int:
    """Writes the reason as one line on stderr and returns the exit code, whatever becomes of the line."""
    try:
        if sys.stderr is not None:
            if os.environ.get("VERIDACT_DEBUG") == "1":
                traceback.print_exc()
            over = "\r\x1b[K" if sys.stderr.isatty() else ""  # a line of progress may stand there without an end
            print(f"{over}error: {' '.join(reason.split())}", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        to_nowhere(2)
    return code


def to_nowhere(fd: int) -> None:
    """Points a standard stream that takes nothing at /dev/null: Python would exit with 120 for what is left in it."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), fd)
