"""How much of its time a process waited for a processor: on a busy machine, silence does not mean that it hangs.

Source: Linux, Documentation/scheduler/sched-stats.rst, /proc/<pid>/schedstat: nanoseconds run, and waited to run.
"""

from contextlib import suppress
from pathlib import Path

NANOSECONDS = 1e9


class CpuWait:
    """The threads of a process, and how long each had run and waited at the last measurement."""

    def __init__(self, process: int) -> None:
        self._tasks = Path(f"/proc/{process}/task")
        self._before: dict[str, tuple[int, int]] = {}

    def share(self, seconds: float) -> float:
        """The part, 0 to 1, of its last `seconds` that the process waited for a processor.

        Where several threads wanted one, it is the part of what they wanted together. 0 where the kernel counts none.
        """
        now = self._threads()
        changed = [(now[name], self._before.get(name, (0, 0))) for name in now]
        ran, waited = (sum(a[i] - b[i] for a, b in changed) / NANOSECONDS for i in (0, 1))
        self._before = now
        return max(0.0, waited / max(seconds, ran + waited))

    def _threads(self) -> dict[str, tuple[int, int]]:
        """Nanoseconds run and waited, by thread id."""
        found: dict[str, tuple[int, int]] = {}
        with suppress(OSError, ValueError):  # it ended meanwhile, or the kernel keeps no such figures
            for task in self._tasks.iterdir():
                ran, waited, _ = (task / "schedstat").read_text().split()
                found[task.name] = (int(ran), int(waited))
        return found
