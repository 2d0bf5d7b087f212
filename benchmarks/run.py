"""All benchmarks, one after another: `make bench`.

VERIDACT_MEDIA names the folder of real clips; where it is not set, each benchmark that needs it is left out by name.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORK = HERE.parent / "out" / "bench"
BENCHMARKS: tuple[tuple[str, ...], ...] = (
    ("render.py", str(WORK)),
    ("locate.py", "MEDIA", str(WORK)),
    ("smallest.py", "MEDIA", str(WORK)),
    ("speech.py",),
    ("load.py",),
)
"""Each benchmark and its arguments; MEDIA stands for the folder of real clips."""


def main() -> int:
    media = os.environ.get("VERIDACT_MEDIA")
    WORK.mkdir(parents=True, exist_ok=True)
    failed = []
    for name, *arguments in BENCHMARKS:
        if "MEDIA" in arguments and not media:
            print(f"== {name}: left out, set VERIDACT_MEDIA to the folder of real clips", flush=True)
            continue
        print(f"== {name}", flush=True)
        # -P: no benchmark may hide a module of its name, such as `parts` or `quality`, from a library.
        given = [media if a == "MEDIA" and media else a for a in arguments]
        command = [sys.executable, "-P", str(HERE / name), *given]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "all benchmarks ran")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
