"""`make fuzz`: manifests, receipts and media changed at random; anything but a refusal is a failure.

Inputs are tried in a child process that announces each of them, so that a crash, a hang or too much memory is noticed
from outside and its input saved in `out/fuzz/`. A run is repeated by its seed:
`python -m benchmarks.fuzz --seed S --only KIND`.
"""

import argparse
import random
import resource
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.fuzz_readers import KINDS, SHARES

ROOT = Path(__file__).resolve().parent.parent
CHILD = [sys.executable, "-m", "benchmarks.fuzz"]
HANG_SECONDS = 20
MEMORY_BYTES = 3 << 30


def child(kind: str, seed: int, runs: int) -> None:
    """Tries `runs` inputs; prints the number of each before it is tried, and any failure after it."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    corpus, change, attempt = KINDS[kind]
    files = corpus()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "input"
        for number in range(runs):
            rng = random.Random(f"{kind}/{seed}/{number}")  # noqa: S311 - repeatable, not secret
            data = change(rng.choice(files), rng)
            print(number, flush=True)
            try:
                attempt(data, path)
            except Exception as e:  # noqa: BLE001 - whatever is not a refusal is a finding
                keep(kind, seed, number, data)
                print(f"! {type(e).__name__}: {str(e)[:150]}".replace("\n", " "), flush=True)


def input_of(kind: str, seed: int, number: int) -> bytes:
    """The bytes of one run, made again from its seed."""
    corpus, change, _ = KINDS[kind]
    rng = random.Random(f"{kind}/{seed}/{number}")  # noqa: S311
    return change(rng.choice(corpus()), rng)


def keep(kind: str, seed: int, number: int, data: bytes) -> None:
    """Saves an input that was not just refused."""
    folder = ROOT / "out" / "fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{kind}-{seed}-{number}").write_bytes(data)


def watch(kind: str, seed: int, runs: int) -> list[str]:
    """Runs a child to its end; returns its findings, and how it ended unless it ended well."""
    command = [*CHILD, "--child", kind, "--seed", str(seed), "--runs", str(runs)]
    found, number = [], 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT) as process:
        assert process.stdout is not None
        while True:
            ready, _, _ = select.select([process.stdout], [], [], HANG_SECONDS)
            if not ready:
                process.kill()
                keep(kind, seed, number, input_of(kind, seed, number))
                return [*found, f"{kind} seed {seed} run {number}: hangs"]
            line = process.stdout.readline().decode()
            if not line:
                break
            if line.startswith("!"):
                found.append(f"{kind} seed {seed} run {number}: {line[2:].strip()}")
            else:
                number = int(line)
    if process.returncode:
        keep(kind, seed, number, input_of(kind, seed, number))
        found.append(f"{kind} seed {seed} run {number}: ends with {process.returncode}")
    elif number + 1 != runs:
        found.append(f"{kind} seed {seed}: {number + 1} of {runs} runs")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=22_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=KINDS)
    parser.add_argument("--child", choices=KINDS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(asked.child, asked.seed, asked.runs)
        return 0
    failures = []
    for kind in [asked.only] if asked.only else KINDS:
        runs = asked.runs if asked.only else asked.runs * SHARES[kind] // sum(SHARES.values())
        began = time.monotonic()
        found = watch(kind, asked.seed, runs)
        failures += found
        print(f"{kind}: {runs} runs in {time.monotonic() - began:.0f} s, {len(found)} failures", flush=True)
    print("\n".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
