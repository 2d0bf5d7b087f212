"""How every command ends: one line on stderr and the exit code of SPEC §5."""

import errno
import os
import sys
import traceback
from pathlib import Path

import click

from veridact import signals
from veridact.cli import completion
from veridact.errors import MachineError, VeridactError
from veridact.sandbox.protocol import ChildBugError

INTERRUPTED = 130
BUG = 70
A_BUG, DETAILS = "this is a bug in veridact", "set VERIDACT_DEBUG=1 for details"

_MACHINE_ERRORS = {
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


def _take_standard_streams() -> None:
    """Where whoever started us closed some, nothing else shall get their numbers."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(fd)
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for as long as the process lives


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _failed(reason: str, code: int) -> int:
    if os.environ.get("VERIDACT_DEBUG") == "1":
        traceback.print_exc()
    over = "\r\x1b[K" if sys.stderr.isatty() else ""  # a line of progress may stand there without an end
    print(f"{over}error: {_one_line(reason)}", file=sys.stderr)
    return code


def run(command: click.Command, name: str, arguments: list[str] | None = None) -> int:
    """Runs a command and returns its exit code; whatever goes wrong becomes one line on stderr.

    `arguments` are those of the command line where none are given.
    """
    _take_standard_streams()
    with signals.caught():
        return _run(command, name, arguments)


def _run(command: click.Command, name: str, arguments: list[str] | None) -> int:
    if sys.stdout is None:
        return _failed("standard output is closed; send it to a file or to /dev/null", MachineError.exit_code)
    try:
        if completion.answer(command, name):
            return 0
        result = command.main(arguments, prog_name=name, standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.ClickException as e:
        return _failed(e.format_message(), e.exit_code)
    except (signals.Interruption, KeyboardInterrupt, click.Abort):
        return _failed("interrupted; nothing is half written", INTERRUPTED)
    except VeridactError as e:
        return _failed(str(e), e.exit_code)
    except MemoryError:
        return _failed("out of memory", MachineError.exit_code)
    except (BrokenPipeError, SystemExit):  # click turns a broken pipe into SystemExit, whatever it is told
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return _failed("the output was closed before all of it was written", MachineError.exit_code)
    except OSError as e:
        if e.errno in _MACHINE_ERRORS:
            return _failed(f"{e.strerror}: {e.filename}" if e.filename else str(e.strerror), MachineError.exit_code)
        return _failed(f"{type(e).__name__}: {e}", BUG)
    except ChildBugError as e:
        return _failed(f"{A_BUG} ({e}); {DETAILS}", BUG)
    except Exception as e:  # noqa: BLE001 - the last line of defence turns any bug into exit 70
        return _failed(f"{A_BUG} ({type(e).__name__}: {e}); {DETAILS}", BUG)
