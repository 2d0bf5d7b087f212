"""What a command costs: time on the clock, CPU and memory, and a line for each."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Cost:
    """What a command took: seconds on the clock and of CPU, and the peak memory of its largest process in MB."""

    seconds: float
    cpu_seconds: float
    mb: float

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.seconds + other.seconds, self.cpu_seconds + other.cpu_seconds, max(self.mb, other.mb))


START = """
import json, resource, subprocess, sys, time
began = time.monotonic()
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([status, time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""
"""A process is said to have had at least the peak memory of the one that started it: a small one does it here."""


def timed(command: list[str]) -> Cost:
    """What a command took; a command that fails ends the bench."""
    done = subprocess.run([sys.executable, "-I", "-c", START, *command], capture_output=True, text=True, check=True)
    status, *spent = json.loads(done.stdout)
    if status:
        sys.exit(f"{command}: {done.stderr[-500:]}")
    return Cost(*spent)


def of(command: str, *arguments: str | Path) -> Cost:
    """What `locate` or `render`, from the source tree, took with these arguments."""
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from veridact.cli.{command} import main; main()"
    return timed([sys.executable, "-P", "-c", start, *map(str, arguments), "--quiet"])


def print_cost(name: str, what: str, frames: int, cost: Cost, peer: Cost | None = None) -> None:
    """A row of the table: frames a second, CPU, memory, and how many times as fast as a peer."""
    beside = (
        ""
        if peer is None
        else f"  {peer.seconds / cost.seconds:5.1f} x  CPU {peer.cpu_seconds / cost.cpu_seconds:5.1f} x"
    )
    print(
        f"{name:8} {what:30} {frames / cost.seconds:7.2f} frames/s  "
        f"CPU {1000 * cost.cpu_seconds / frames:6.0f} ms/frame  peak {cost.mb:4.0f} MB{beside}",
        flush=True,
    )


@contextmanager
def counted(owner: Any, name: str, spent: list[float]) -> Iterator[None]:
    """Notes the CPU seconds of every call of a method while it lasts."""
    method = getattr(owner, name)

    def timed_method(*given: Any) -> Any:
        began = time.thread_time()
        answer = method(*given)
        spent.append(time.thread_time() - began)
        return answer

    setattr(owner, name, timed_method)
    try:
        yield
    finally:
        setattr(owner, name, method)
