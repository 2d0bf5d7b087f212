"""`make corpus`: every real file through locate, render and verify; other tools then search the outputs for metadata.

The table has one line a file: done, refused with the reason, or BROKEN (a traceback, exit 70, a hang, a crash, a leak).
Exits 1 when anything is broken. `--results FILE` keeps a line of JSON a file and goes on from there when run again.
"""

import argparse
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from shutil import which

sys.path.insert(0, str(Path(__file__).resolve().parent))

from leaks import TOOLS, leaks, traces

QUIET_SECONDS = 60
"""A command hangs when it reports no progress for so long."""

ALL_SECONDS = 1800
MOST_LEFT = 60
"""How many of the names that are left behind most often the summary lists."""

MEMORY_BYTES = 1536 << 20
NOT_MEDIA = {".md", ".tsv", ".json", ".txt", ".onnx", ".tflite", ".srt", ".xml", ".yaml", ".yml", ".csv", ".vtt"}
SUFFIX = {"jpeg": ".jpg", "tiff": ".tif"}


@dataclass(frozen=True)
class Ended:
    """How a command ended (124 for a hang, 137 for too much memory), its last message and what it cost."""

    code: int
    words: str
    seconds: float
    peak_mib: int


@dataclass(frozen=True)
class Outcome:
    """What became of one file; `in_source` and `in_output` are what other tools find in it and in its output."""

    file: str
    verdict: str
    why: str
    seconds: float
    peak_mib: int
    in_source: tuple[str, ...] = ()
    in_output: tuple[str, ...] = ()

    @property
    def left(self) -> list[str]:
        """The names, never the values, of metadata that the source has and the output has not."""
        in_output = {name.partition("=")[0] for name in self.in_output}
        return sorted({name.partition("=")[0] for name in leaks(self.in_source)} - in_output)

    def judged(self) -> "Outcome":
        """Broken when more than picture and sound is in the output."""
        found = leaks(self.in_output)
        return replace(self, verdict="BROKEN", why="; ".join(found)) if found else self


def _memory(session: int) -> int:
    """Memory of all processes of a session in bytes, shared pages counted once."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                rollup = stat.with_name("smaps_rollup").read_text()
                total += int(rollup.split("Pss:")[1].split()[0]) << 10
        except (OSError, IndexError):
            continue
    return total


def run(*arguments: object) -> Ended:
    """Runs a veridact command on a terminal of its own, watched for progress and memory."""
    command = [sys.executable, "-c", "from veridact.cli.main import main; main()", *map(str, arguments)]
    ours, theirs = pty.openpty()
    began = before = time.monotonic()
    said, peak, code, quiet = bytearray(), 0, 0, 0.0
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        while process.poll() is None and not code:
            ready, _, _ = select.select([ours], [], [], 0.2)
            now = time.monotonic()
            try:
                more = os.read(ours, 1 << 16) if ready else b""
            except OSError:  # the other side is closed; the end of the process is near
                time.sleep(0.05)
                continue
            quiet = 0 if more else quiet + min(1, now - before)  # a machine that sleeps is no command that hangs
            before = now
            said += more
            peak = max(peak, _memory(process.pid))
            if peak > MEMORY_BYTES:
                code = 137
            elif quiet > QUIET_SECONDS or now - began > ALL_SECONDS:
                code = 124
        if code:
            os.killpg(process.pid, signal.SIGKILL)
    said += _rest(ours)
    os.close(ours)
    text = said.decode(errors="replace").replace("\r", "\n").strip()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if "Traceback (most" in text:
        code = 70
    errors = [line for line in lines if line.startswith("error")]
    words = {124: "hangs", 137: f"more than {MEMORY_BYTES >> 20} MiB"}.get(code, (errors or lines or [""])[-1])
    return Ended(code or process.returncode, words, time.monotonic() - began, peak >> 20)


def _rest(fd: int) -> bytes:
    os.set_blocking(fd, False)
    try:
        return os.read(fd, 1 << 20)
    except OSError:
        return b""


def one(path: Path, folder: Path, costs: list[Ended]) -> tuple[str, str, list[str], list[str]]:
    """What becomes of one file: the verdict and why, what other tools find in it and in its output."""

    def tool(*arguments: object) -> Ended:
        costs.append(run(*arguments))
        return costs[-1]

    manifest = folder / "m.json"
    ended = tool("locate", "--stride", 1, "--labels", "face", path, "-o", manifest)
    if ended.code:
        return *verdict("locate", ended, list(folder.iterdir())), [], []
    container = json.loads(manifest.read_bytes())["output"]["container"]
    out = folder / f"out{SUFFIX.get(container, '.' + container)}"
    ended = tool("render", "--allow-uncovered", path, manifest, out)
    if ended.code:
        return *verdict("render", ended, [p for p in folder.iterdir() if p != manifest]), [], []
    audit = out.with_name(out.name + ".audit.jsonl")
    ended = tool("verify", audit, "--input", path, "--manifest", manifest, "--output", out)
    if ended.code:
        return "BROKEN", f"verify {ended.code}: {ended.words}", [], []
    return "done", container, traces(path), traces(out)


REFUSALS = {"locate": {4, 7}, "render": {4, 5, 6}}
"""The exit codes that refuse a file; a manifest of `locate` is never at fault (SPEC 1.1 rule 1)."""


def verdict(tool: str, ended: Ended, left: list[Path]) -> tuple[str, str]:
    """Refused, when the code is one for that and nothing was left behind; the temporary folder is not named."""
    words = f"{tool} {ended.code}: {ended.words}"
    if left:
        return "BROKEN", f"{words} (left {', '.join(sorted(p.name for p in left))})"
    return ("refused" if ended.code in REFUSALS[tool] else "BROKEN"), words


def outcome(path: Path, name: str) -> Outcome:
    """Runs one file through all commands in a temporary folder."""
    costs: list[Ended] = []
    with tempfile.TemporaryDirectory() as folder:
        what, why, in_source, in_output = one(path, Path(folder), costs)
    seconds, peak = sum(e.seconds for e in costs), max(e.peak_mib for e in costs)
    why = why.replace(str(path.parent), "")
    return Outcome(name, what, why, round(seconds, 1), peak, tuple(in_source), tuple(in_output))


def line(found: Outcome) -> str:
    """One line of the table."""
    left = f"  left behind: {', '.join(found.left)}" if found.left else ""
    return f"{found.verdict:8}{found.seconds:6.0f} s{found.peak_mib:6} MiB  {found.file:60} {found.why}{left[:240]}"


def summary(outcomes: list[Outcome]) -> str:
    """How many of each verdict, and how many for each reason, numbers in reasons left out."""
    counts = Counter((o.verdict, re.sub(r"\d+", "N", o.why)) for o in outcomes)
    lines = [f"{number:5}  {what:8} {why}" for (what, why), number in sorted(counts.items())]
    left = Counter(name for o in outcomes for name in o.left)
    lines += [f"{number:5}  left behind  {name}" for name, number in left.most_common(MOST_LEFT)]
    lines.append(f"{len(left)} names were left behind in all")
    total = Counter(o.verdict for o in outcomes)
    peak, slow = max(o.peak_mib for o in outcomes), max(o.seconds for o in outcomes)
    lines.append(", ".join(f"{n} {what}" for what, n in sorted(total.items())) + f" of {len(outcomes)} files; "
                 f"at most {peak} MiB, {slow:.0f} s")  # fmt: skip
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", default=os.environ.get("VERIDACT_MEDIA"))
    parser.add_argument("--name", default="", help="only files with this in their path")
    parser.add_argument("--results", type=Path, help="a file of JSON lines to go on from")
    asked = parser.parse_args()
    if not asked.folder or not Path(asked.folder).is_dir():
        parser.error("give a folder of media, or set VERIDACT_MEDIA")
    for tool in TOOLS:
        if which(tool) is None:
            print(f"corpus: {tool} is not installed; outputs are not checked with it")
    known: dict[str, Outcome] = {}
    if asked.results and asked.results.exists():
        for record in map(json.loads, asked.results.read_text().splitlines()):
            lists = {name: tuple(record[name]) for name in ("in_source", "in_output")}
            known[record["file"]] = Outcome(**{**record, **lists})
    root, outcomes = Path(asked.folder), []
    for path in sorted(p for p in root.rglob("*") if p.is_file() and p.suffix.lower() not in NOT_MEDIA):
        name = str(path.relative_to(root))
        if asked.name not in name:
            continue
        found = known.get(name) or outcome(path, name)
        if asked.results and name not in known:
            with asked.results.open("a") as file:
                file.write(json.dumps(asdict(found)) + "\n")
        outcomes.append(found.judged())
        print(line(outcomes[-1]), flush=True)
    print(summary(outcomes))
    return 1 if any(o.verdict == "BROKEN" for o in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
