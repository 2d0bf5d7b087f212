"""How well and how fast `locate` finds faces, beside `deface` and beside the same detector without tracking.

    python benchmarks/locate.py MEDIA WORK [--only photos,found,...] [--clips tuned|held-out|all|NAME,...] [--no-peers]

MEDIA is the folder of shared test media; clips, truths and results are kept in WORK. The peers' results do not change
and are reused. `photos` tells what is found in photos boxed by hand, `real` in clips in which one face or none
is seen throughout, `found` what is found and missed on each of `--clips`; nothing was tuned on those held out. The
other sections take a 1080p clip, `--speed-clip`: `calm`, or `hd` where everything moves. Times are also in seconds of
CPU, which other work on the machine changes less.
"""

# ruff: noqa: E402
import argparse
import os
import sys
import time
from pathlib import Path

import av

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when it is imported
import onnxruntime

sys.path[0] = str(Path(__file__).resolve().parents[1])  # this file would hide the package of its name

from benchmarks import costs, found
from benchmarks.costs import counted, print_cost, timed
from benchmarks.footage import lengthen
from benchmarks.make_clips import CLIPS, make
from veridact.locate.options import Options
from veridact.locate.pipeline import detectors_for, locate

SPEED_SECONDS = 24
MEMORY_SECONDS = (60, 600)
MEMORY_OPTIONS = ["--stride", "5"]
"""As many samples as `auto` begins with and none between: more would make ten minutes of footage take too long."""


def speed_clip(asked: argparse.Namespace) -> Path:
    return make(next(c for c in CLIPS if c.name == asked.speed_clip), asked.media, asked.work)


def longer(clip: Path, seconds: int) -> Path:
    """The clip again and again for so many seconds: of a short one, a good part goes into starting up."""
    long = clip.with_stem(f"{clip.stem}-{seconds}s")
    return long if long.exists() else lengthen(clip, long.with_suffix(".part.mp4"), seconds).rename(long)


def speed(asked: argparse.Namespace) -> None:
    """locate, locate and render together, and deface, one after the other on one clip."""
    clip, frames = longer(speed_clip(asked), SPEED_SECONDS), 25 * SPEED_SECONDS
    name, work = asked.speed_clip, asked.work
    peer = Path(sys.executable).with_name("deface")
    theirs = None
    if not asked.no_peers:
        theirs = timed([str(peer), str(clip), "-o", str(work / f"{name}.deface.mp4")])
        print_cost(name, "deface", frames, theirs)
    manifest, faces = work / f"{name}.timed.json", ("--labels", "face")
    ours = costs.of("locate", clip, "-o", manifest, *faces, *asked.locate.split())
    print_cost(name, "locate --labels face", frames, ours, theirs)
    hidden = costs.of("render", clip, manifest, work / f"{name}.redacted.mp4", "--force")
    print_cost(name, "locate and render", frames, ours + hidden, theirs)
    dense = costs.of("locate", clip, "-o", work / f"{name}.dense.json", *faces, "--stride", "1")
    print_cost(name, "locate --stride 1", frames, dense, theirs)
    both = costs.of("locate", clip, "-o", work / f"{name}.both.json", "--labels", "face,plate")
    print_cost(name, "locate --labels face,plate", frames, both, theirs)


def overhead(asked: argparse.Namespace) -> None:
    """What everything outside the models costs with --stride 1, in CPU time beside that inside them.

    Loading the models counts to neither. Decoding is that of the first pass; that of the second runs on threads of its
    own and counts with the rest.
    """
    clip = longer(speed_clip(asked), SPEED_SECONDS)
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
    clip = speed_clip(asked)
    for seconds in MEMORY_SECONDS:
        options = ("--labels", "face", *MEMORY_OPTIONS)
        cost = costs.of("locate", longer(clip, seconds), "-o", asked.work / "long.json", *options)
        print_cost(asked.speed_clip, f"locate, {seconds} s", 25 * seconds, cost)


SECTIONS = {
    "photos": found.photos, "real": found.real, "found": found.clips,
    "speed": speed, "overhead": overhead, "memory": memory,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("media", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"of {', '.join(SECTIONS)}; all by default")
    parser.add_argument("--clips", default="tuned", help="names of clips, or tuned, held-out, all")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--speed-clip", default="calm", choices=["calm", "hd"])
    parser.add_argument("--locate", default="", help="further options for locate")
    asked = parser.parse_args()
    chosen = asked.only.split(",")
    if unknown := set(chosen) - set(SECTIONS):
        parser.error(f"there is no section {sorted(unknown)[0]!r}; choose from {', '.join(SECTIONS)}")
    asked.work.mkdir(parents=True, exist_ok=True)
    for name, section in SECTIONS.items():
        if name in chosen:
            print(f"-- {name}", flush=True)
            section(asked)


if __name__ == "__main__":
    main()
