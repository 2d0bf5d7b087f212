"""How every command ends: one line on stderr and the exit code of SPEC §5."""

import os
import sys
from pathlib import Path

import click

from veridact import signals
from veridact.cli import completion
from veridact.cli.entry import BUG, DETAILS, INTERRUPTED, MACHINE_ERRORS, bug_reason, failed, machine_reason, to_nowhere
from veridact.errors import MachineError, VeridactError
from veridact.sandbox.protocol import ChildBugError


def _take_standard_streams() -> None:
    """Opens /dev/null on each standard descriptor that is closed, so that no file opened later gets its number."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(fd)
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for as long as the process lives


def run(command: click.Command, name: str, arguments: list[str] | None = None) -> int:
    """Runs a command and returns its exit code; whatever goes wrong becomes one line on stderr.

    `arguments` are those of the command line where none are given.
    """
    _take_standard_streams()
    with signals.caught():
        return _run(command, name, arguments)


def _run(command: click.Command, name: str, arguments: list[str] | None) -> int:
    stdout = sys.stdout
    if stdout is None:
        return failed("standard output is closed; send it to a file or to /dev/null", MachineError.exit_code)
    try:
        if completion.answer(command, name):
            return 0
        result = command.main(arguments, prog_name=name, standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.ClickException as e:
        return failed(e.format_message(), e.exit_code)
    except (signals.Interruption, KeyboardInterrupt, click.Abort):
        return failed("interrupted; nothing is half written", INTERRUPTED)
    except VeridactError as e:
        return failed(str(e), e.exit_code)
    except MemoryError:
        return failed("out of memory", MachineError.exit_code)
    except BaseException as e:  # noqa: BLE001 - the last line of defence turns any bug into exit 70, a panic in Rust too
        return _unforeseen(e, broken=sys.stdout is not stdout)


def _unforeseen(error: BaseException, broken: bool) -> int:
    """The exit code of an exception that no error class names.

    On a broken pipe, click puts a wrapper in the place of stdout (`broken`) and raises `SystemExit`.
    """
    if isinstance(error, BrokenPipeError) or (isinstance(error, SystemExit) and broken):
        to_nowhere(1)
        return failed("the output was closed before all of it was written", MachineError.exit_code)
    if isinstance(error, OSError) and error.errno in MACHINE_ERRORS:
        _give_up_unwritten()
        return failed(machine_reason(error), MachineError.exit_code)
    if isinstance(error, ChildBugError):
        return failed(f"this is a bug in veridact ({error}); {DETAILS}", BUG)
    return failed(bug_reason(error), BUG)


def _give_up_unwritten() -> None:
    """Drops what a full disk did not take of stdout, at which Python would fail once more when it exits."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        to_nowhere(1)
