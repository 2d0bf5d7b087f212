"""How well and how fast `locate` finds faces, beside `deface` and beside the same detector without tracking.

    python benchmarks/locate.py MEDIA WORK [--only found,speed,overhead,memory] [--clips pan,zoom,...] [--no-peers]

MEDIA is the folder of shared test media; clips, truths and results are kept in WORK. The peers' results do not change
and are reused. Of the sections, `found` tells what is found and missed on each of `--clips`; the others take a 1080p
clip, `--speed-clip`: `calm`, or `hd` where everything moves. Times are also told in seconds of CPU, which other work on
the machine changes less.
"""

# ruff: noqa: E402
import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import onnxruntime

sys.path[0] = str(Path(__file__).resolve().parents[1])  # this file would hide the package of its name

from benchmarks.footage import lengthen
from benchmarks.make_clips import CLIPS, HELD_OUT, make
from locate.detector import Detection, Request
from locate.detectors import centerface
from locate.frames import footage
from locate.options import START, Options
from locate.pipeline import detectors_for, locate
from schema import formatter, reading, score
from schema.manifest import Effects, Key, Manifest, Origin, Segment, Solid, Track, VideoEffects
from schema.media import open_media
from schema.tools import clock

ROOT = Path(__file__).resolve().parents[1]
SECTIONS = ("found", "speed", "overhead", "memory")
SPEED_SECONDS = 12
MEMORY_SECONDS = (60, 600)
MEMORY_OPTIONS = ["--stride", "5"]
"""As many looks as `auto` begins with and none between: ten minutes of footage shall not take as many."""

DEFACE_THRESHOLD, DEFACE_PAD_PERMILLE = 0.2, 150
"""deface's defaults: score 0.2 at full size, boxes drawn 1.3 times as large. Its ellipse is taken as the whole box."""


def per_frame(clip: Path, truth: Manifest, pad: int, find: Callable[[Any], list[tuple[float, ...]]]) -> Manifest:
    """What a detector finds on each frame by itself, as a manifest."""
    tracks = []
    with open_media(clip) as media:
        for shown in footage(media, 0):
            for left, top, right, bottom in find(shown.view):
                x, y = int(np.floor(left)), int(np.floor(top))
                box = (x, y, max(1, int(np.ceil(right)) - x), max(1, int(np.ceil(bottom)) - y))
                segment = Segment(end=shown.number + 1, keys=(Key(frame=shown.number, box=box),))
                tracks.append(
                    Track.model_validate({
                        "id": f"face-{len(tracks) + 1:06}", "stream": 0, "label": "face", "review": "proposed",
                        "origin": Origin(by="hand"), "segments": (segment,),
                    })
                )  # fmt: skip
    effects = Effects(video=VideoEffects(default=Solid(effect="solid", shape="box", pad_permille=pad)))
    return truth.model_copy(update={"tracks": tuple(tracks), "effects": effects})


def deface_finder() -> Callable[[Any], list[tuple[float, ...]]]:
    """deface's own detector at its defaults."""
    from deface.centerface import CenterFace

    net = CenterFace(backend="onnxrt", override_execution_provider="CPUExecutionProvider")

    def find(view: Any) -> list[tuple[float, ...]]:
        found, _ = net(view.rgb(view.width, view.height), threshold=DEFACE_THRESHOLD)
        return [tuple(map(float, row[:4])) for row in found]

    return find


def bare_finder() -> Callable[[Any], list[tuple[float, ...]]]:
    """locate's own detector on every frame, without tracks."""
    net = centerface.load(Request("p1", frozenset({"face"}), START, "cpu"))

    def edges(d: Detection) -> tuple[float, ...]:
        return (d.left, d.top, d.right, d.bottom)

    return lambda view: [edges(d) for d in net.detect(view)]


@dataclass(frozen=True)
class Cost:
    """What a command took: seconds on the clock and of CPU, and the peak memory of its largest process in MB."""

    seconds: float
    cpu_seconds: float
    mb: float

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.seconds + other.seconds, self.cpu_seconds + other.cpu_seconds, max(self.mb, other.mb))


def timed(command: list[str]) -> Cost:
    """What a command took; a command that fails ends the bench."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command}: {errors.decode()[-500:]}")
    return Cost(time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def run_locate(clip: Path, out: Path, extra: list[str], labels: str = "face") -> Cost:
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from locate.cli import main; main()"
    return timed([sys.executable, "-P", "-c", start, str(clip), "-o", str(out), "--labels", labels, "--quiet", *extra])


def row(name: str, who: str, found: Manifest, truth: Manifest, hard: Manifest, extra: str) -> dict[str, Any]:
    clocks = clock.from_manifest(truth)
    easy = score.score(found, truth, clocks, 0.3, hard).get("face", score.Tally())
    harder = score.score(found, hard, clocks, 0.3, truth).get("face", score.Tally())
    frames = truth.source.streams[0].frames  # type: ignore[union-attr]
    false = (easy.found_boxes - easy.matched) / frames
    keys = sum(len(s.keys) for t in found.tracks for s in t.segments)
    line = {
        "clip": name, "who": who, "faces": easy.true_boxes, "exposed": easy.exposed, "matched": easy.matched,
        "false": false, "frames": frames, "hard": harder.true_boxes, "hard_exposed": harder.exposed, "keys": keys,
        "breaks": easy.interruptions, "switches": easy.switches,
    }  # fmt: skip
    print(
        f"{name:8} {who:10} exposed {easy.exposed:4}/{easy.true_boxes:<4} "
        f"{100 * easy.exposed / max(1, easy.true_boxes):5.1f}%  recall {easy.matched / max(1, easy.true_boxes):.3f}  "
        f"false/frame {false:.2f}  hard exposed {harder.exposed:3}/{harder.true_boxes:<4} keys {keys:4} "
        f"breaks {easy.interruptions:2} switches {easy.switches:2} {extra}",
        flush=True,
    )
    return line


def kept(path: Path, build: Callable[[], Manifest]) -> Manifest:
    if not path.exists():
        path.write_bytes(formatter.write(build()))
    return reading.read_path(path).manifest


def total(rows: list[dict[str, Any]], who: str) -> None:
    mine = [r for r in rows if r["who"] == who]
    if mine:
        summed = {k: sum(r[k] for r in mine) for k in mine[0] if k not in {"clip", "who", "false"}}
        false = sum(r["false"] * r["frames"] for r in mine) / summed["frames"]
        print(
            f"ALL      {who:10} exposed {summed['exposed']}/{summed['faces']} "
            f"({100 * summed['exposed'] / max(1, summed['faces']):.2f}%)  "
            f"recall {summed['matched'] / max(1, summed['faces']):.3f}  false/frame {false:.2f}  "
            f"hard exposed {summed['hard_exposed']}/{summed['hard']}  keys {summed['keys']}"
        )


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


def speed(asked: argparse.Namespace) -> None:
    """locate, locate and render together, and deface, one after the other on one clip."""
    clip, frames = longer(speed_clip(asked)[0], SPEED_SECONDS), 25 * SPEED_SECONDS
    name, work = asked.speed_clip, asked.work
    peer = Path(sys.executable).with_name("deface")
    theirs = None
    if not asked.no_peers:
        theirs = timed([str(peer), str(clip), "-o", str(work / f"{name}.deface.mp4")])
        print_cost(name, "deface", frames, theirs)
    manifest = work / f"{name}.timed.json"
    ours = run_locate(clip, manifest, asked.locate.split())
    print_cost(name, "locate --labels face", frames, ours, theirs)
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from render.cli import main; main()"
    hidden = timed(
        [sys.executable, "-P", "-c", start, str(clip), str(manifest), str(work / f"{name}.redacted.mp4"),
         "--force", "--quiet"]
    )  # fmt: skip
    print_cost(name, "locate and render", frames, ours + hidden, theirs)
    print_cost(
        name, "locate --stride 1", frames, run_locate(clip, work / f"{name}.dense.json", ["--stride", "1"]), theirs
    )
    both = run_locate(clip, work / f"{name}.both.json", [], "face,plate")
    print_cost(name, "locate --labels face,plate", frames, both, theirs)


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


def speed_clip(asked: argparse.Namespace) -> tuple[Path, int]:
    chosen = next(c for c in CLIPS if c.name == asked.speed_clip)
    return make(chosen, asked.media, asked.work), chosen.frames


def longer(clip: Path, seconds: int) -> Path:
    """The clip again and again for so many seconds: of a short one, a good part goes into starting up."""
    long = clip.with_stem(f"{clip.stem}-{seconds}s")
    return long if long.exists() else lengthen(clip, long.with_suffix(".part.mp4"), seconds).rename(long)


def overhead(asked: argparse.Namespace) -> None:
    """What everything outside the models costs with --stride 1, in CPU time beside that inside them."""
    clip, _ = speed_clip(asked)
    for labels in (("face",), ("face", "plate")):
        options = Options(labels=labels, workers=len(os.sched_getaffinity(0)), stride=1)
        detectors = detectors_for(options)
        inside: list[float] = []
        decoding: list[float] = []
        with counted(onnxruntime.InferenceSession, "run", inside), counted(av.Packet, "decode", decoding):
            began = time.process_time()
            locate(clip, options, detectors, lambda what, done, total: None)
            whole = time.process_time() - began
        models, outside = sum(inside), whole - sum(inside)
        print(
            f"{asked.speed_clip:8} --stride 1 --labels {','.join(labels):10}  in {len(inside)} runs of models "
            f"{models:.1f} s, outside {outside:.1f} s: {100 * outside / models:.0f} %; "
            f"without decoding ({sum(decoding):.1f} s) {100 * (outside - sum(decoding)) / models:.0f} %",
            flush=True,
        )


def memory(asked: argparse.Namespace) -> None:
    """The peak memory for one and for ten minutes of 1080p footage."""
    clip, _ = speed_clip(asked)
    for seconds in MEMORY_SECONDS:
        cost = run_locate(longer(clip, seconds), asked.work / "long.json", MEMORY_OPTIONS)
        print_cost(asked.speed_clip, f"locate, {seconds} s", 25 * seconds, cost)


def found(asked: argparse.Namespace) -> None:
    """What is found and missed on each clip, and in all."""
    rows = []
    for name in filter(None, asked.clips.split(",")):
        clip = make(next(c for c in (*CLIPS, *HELD_OUT) if c.name == name), asked.media, asked.work)
        truth, hard = (reading.read_path(asked.work / f"{name}.{kind}.json").manifest for kind in ("truth", "hard"))
        mine = asked.work / f"{name}.locate.json"
        cost = run_locate(clip, mine, asked.locate.split())
        fps = truth.source.streams[0].frames / cost.seconds  # type: ignore[union-attr]
        ours = reading.read_path(mine).manifest
        rows.append(row(name, "locate", ours, truth, hard, f"{fps:.1f} fps {cost.mb:.0f} MB"))
        if not asked.no_peers:
            their = kept(asked.work / f"{name}.deface.json",
                         lambda c=clip, t=truth: per_frame(c, t, DEFACE_PAD_PERMILLE, deface_finder()))  # fmt: skip
            rows.append(row(name, "deface", their, truth, hard, ""))
            bare = per_frame(clip, truth, 200, bare_finder())
            rows.append(row(name, "per frame", bare, truth, hard, ""))
    for who in ("locate", "deface", "per frame"):
        total(rows, who)
    (asked.work / "results.json").write_text(json.dumps(rows, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("media", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"of {', '.join(SECTIONS)}; all by default")
    parser.add_argument("--clips", default=",".join(c.name for c in CLIPS))
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--speed-clip", default="calm", choices=["calm", "hd"])
    parser.add_argument("--locate", default="", help="further options for locate")
    asked = parser.parse_args()
    chosen = asked.only.split(",")
    if unknown := set(chosen) - set(SECTIONS):
        parser.error(f"there is no section {sorted(unknown)[0]!r}; choose from {', '.join(SECTIONS)}")
    asked.work.mkdir(parents=True, exist_ok=True)
    for name in SECTIONS:
        if name in chosen:
            print(f"-- {name}", flush=True)
            {"found": found, "speed": speed, "overhead": overhead, "memory": memory}[name](asked)


if __name__ == "__main__":
    main()
