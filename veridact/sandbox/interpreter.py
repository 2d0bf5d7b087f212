"""Runs a call in a Python interpreter of its own, for programs with threads: such a process must never be forked.

program, any thread ──spawn──► interpreter, one thread ──fork──► child, sandboxed: decodes
   request        ──────────► a line of JSON on standard input
   progress, value ◄───────── messages as of `veridact.sandbox.protocol`

The interpreter is trusted: it does what a command does, with the same environment, folder and rights, but it inherits
no descriptor and no signal handler, and stands in a session of its own, so that a Ctrl-C at the terminal reaches the
program alone. When the call is interrupted, or the program dies, it gets SIGTERM, removes what it began and ends.
"""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NoReturn, cast

from veridact import signals
from veridact.errors import MachineError
from veridact.progress import ReportProgress
from veridact.sandbox import protocol, syscalls

END_SECONDS = 10
"""An interpreter that has not ended so long after SIGTERM is killed."""
TICK_MS = 1000
LOG_BYTES = 4096


def ask(module: str, name: str, arguments: Mapping[str, Any], report: ReportProgress) -> Any:
    """The value of the call `name` with JSON `arguments` in a new interpreter that runs `module`, which calls `serve`.

    `report` is called in this thread; an exception that it raises ends the call. Raises what the call raises, and
    `MachineError` where the interpreter does not start or just ends.
    """
    log = os.memfd_create("veridact-stderr")
    reading, writing = os.pipe()
    try:
        try:
            process = _start(module, writing, log)
        finally:
            os.close(writing)
        try:
            _send(process, {"call": name, "arguments": arguments})
            for value in protocol.results(_messages(reading, process), report):
                return value
            with suppress(subprocess.TimeoutExpired):  # it closed its end of the pipe, so it is about to end
                process.wait(END_SECONDS)
        finally:
            _end(process)
        raise MachineError(f"the worker process ended early ({_last_words(process, log)}); run again")
    finally:
        os.close(reading)
        os.close(log)


def _start(module: str, writing: int, log: int) -> "subprocess.Popen[bytes]":
    if not sys.executable:
        raise MachineError("sys.executable names no Python interpreter; set it to the one that veridact is to run in")
    return subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-s", "-P", "-m", module, str(writing), str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=log,
        pass_fds=(writing,),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(_search_path())},
        start_new_session=True,
    )


def _search_path() -> list[str]:
    """Where this process finds modules, without the current folder, and in any case where this package lies."""
    folders = [folder for folder in sys.path if folder]
    own = str(Path(__file__).resolve().parents[2])
    return folders if own in folders else [*folders, own]


def _send(process: "subprocess.Popen[bytes]", request: Mapping[str, Any]) -> None:
    data = json.dumps(request).encode() + b"\n"
    with suppress(BrokenPipeError), cast(IO[bytes], process.stdin) as stdin:  # where it ended early, messages end too
        stdin.write(data)


def _messages(fd: int, process: "subprocess.Popen[bytes]") -> Iterator[dict[str, Any]]:
    """The messages of the interpreter until it ends, also where a fork of this program keeps its pipe open."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    reader = protocol.MessageReader()
    while True:
        if poll.poll(TICK_MS):
            if not (chunk := os.read(fd, protocol.CHUNK_BYTES)):
                return
            yield from reader.feed(chunk)
        elif process.poll() is not None and not poll.poll(0):
            return


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Has an interpreter that still runs remove what it began, and reaps it."""
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    finally:
        process.kill()
        process.wait()


def _last_words(process: "subprocess.Popen[bytes]", log: int) -> str:
    """How an interpreter ended, and the last line that it wrote to stderr."""
    code = process.returncode
    how = f"exit code {code}" if code >= 0 else f"signal {-code}"
    size = os.fstat(log).st_size
    lines = os.pread(log, LOG_BYTES, max(0, size - LOG_BYTES)).decode(errors="replace").split("\n")
    return ": ".join([how, *[protocol.printable(line) for line in lines if line.strip()][-1:]])


def serve(calls: Mapping[str, Callable[..., Any]]) -> NoReturn:
    """The whole life of an interpreter that `ask` started: reads one request, answers it, and ends.

    Each call gets a `ReportProgress` and the arguments of the request by name, and gives a JSON value.
    """
    writing, program = map(int, sys.argv[1:])
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != program:
        os._exit(1)
    os.set_inheritable(writing, False)
    for number in (signal.SIGTERM, signal.SIGCHLD):  # a program may ignore them, and what is started inherits that
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    send = protocol.MessageWriter(writing)
    try:
        with signals.caught():
            request = json.loads(sys.stdin.buffer.readline())
            value = calls[request["call"]](send.progress, **request["arguments"])
        send({"value": value})
    except (signals.Interruption, BrokenPipeError):
        os._exit(1)
    except BaseException as e:  # noqa: BLE001 - nothing may end this process without an answer
        send(protocol.message_of(e))
    os._exit(0)
