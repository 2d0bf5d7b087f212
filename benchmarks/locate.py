"""How well and how fast `locate` finds faces, beside `deface` and beside the same detector without tracking.

    python benchmarks/locate.py MEDIA WORK [--clips pan,zoom,...] [--no-peers] [--speed calm]

MEDIA is the folder of shared test media; clips, truths and results are kept in WORK. The peers' results do not change
and are reused. `--speed` times locate and deface in turn on a 1080p clip: calm, or hd where everything moves.
"""

# ruff: noqa: E402
import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path[0] = str(Path(__file__).resolve().parents[1])  # this file would hide the package of its name

from benchmarks.make_clips import CLIPS, HELD_OUT, make
from locate.detector import Detection, Request
from locate.detectors import centerface
from locate.frames import footage
from locate.options import START
from schema import formatter, reading, score
from schema.manifest import Effects, Key, Manifest, Origin, Segment, Solid, Track, VideoEffects
from schema.media import open_media
from schema.tools import clock

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


def timed(command: list[str]) -> tuple[float, float]:
    """Seconds and peak MB of a command."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command}: {errors.decode()[-500:]}")
    return time.monotonic() - began, usage.ru_maxrss / 1024


def run_locate(clip: Path, out: Path, extra: list[str]) -> tuple[float, float]:
    start = "from locate.cli import main; main()"
    return timed([sys.executable, "-c", start, str(clip), "-o", str(out), "--labels", "face", "--quiet", *extra])


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


def speed(work: Path, media: Path, name: str) -> None:
    """Times locate and deface one after the other on one clip."""
    asked = next(c for c in CLIPS if c.name == name)
    clip, frames = make(asked, media, work), asked.frames
    ours, our_mb = run_locate(clip, work / f"{name}.timed.json", [])
    dense, dense_mb = run_locate(clip, work / f"{name}.dense.json", ["--stride", "1"])
    peer = Path(sys.executable).with_name("deface")
    theirs, their_mb = timed([str(peer), str(clip), "-o", str(work / f"{name}.deface.mp4")])
    size = f"{asked.width}x{asked.height} {name:6}"
    print(f"{size} locate            {frames / ours:6.2f} frames/s  peak {our_mb:4.0f} MB")
    print(f"{size} locate --stride 1 {frames / dense:6.2f} frames/s  peak {dense_mb:4.0f} MB")
    print(f"{size} deface            {frames / theirs:6.2f} frames/s  peak {their_mb:4.0f} MB")
    print(f"{size} locate is {theirs / ours:.1f} times as fast as deface; with --stride 1 {theirs / dense:.1f} times")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("media", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--clips", default=",".join(c.name for c in CLIPS))
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--speed", metavar="CLIP", help="time locate and deface on this clip, hd or calm")
    parser.add_argument("--locate", default="", help="further options for locate")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in filter(None, asked.clips.split(",")):
        clip = make(next(c for c in (*CLIPS, *HELD_OUT) if c.name == name), asked.media, asked.work)
        truth, hard = (reading.read_path(asked.work / f"{name}.{kind}.json").manifest for kind in ("truth", "hard"))
        mine = asked.work / f"{name}.locate.json"
        seconds, mb = run_locate(clip, mine, asked.locate.split())
        found = reading.read_path(mine).manifest
        fps = truth.source.streams[0].frames / seconds  # type: ignore[union-attr]
        rows.append(row(name, "locate", found, truth, hard, f"{fps:.1f} fps {mb:.0f} MB"))
        if not asked.no_peers:
            their = kept(asked.work / f"{name}.deface.json",
                         lambda c=clip, t=truth: per_frame(c, t, DEFACE_PAD_PERMILLE, deface_finder()))  # fmt: skip
            rows.append(row(name, "deface", their, truth, hard, ""))
            bare = per_frame(clip, truth, 200, bare_finder())
            rows.append(row(name, "per frame", bare, truth, hard, ""))
    for who in ("locate", "deface", "per frame"):
        total(rows, who)
    (asked.work / "results.json").write_text(json.dumps(rows, indent=1))
    if asked.speed:
        speed(asked.work, asked.media, asked.speed)


if __name__ == "__main__":
    main()
