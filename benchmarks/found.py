"""What `locate` finds and misses: on each made clip beside its peers, and in the photos that are boxed by hand."""

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks import boxed, costs, peers
from benchmarks.make_clips import CLIPS, HELD_OUT, make
from veridact.schema import timeline, writer
from veridact.schema.geometry import Box, Edges, edges
from veridact.schema.manifest import Manifest, PictureStream
from veridact.tools import manifest_file, score
from veridact.tools.score import Tally, TrackBox

LEAST_IOU = 0.3
OURS: dict[str, tuple[str, ...]] = {"locate": (), "stride-1": ("--stride", "1")}
"""Beside adaptive sampling, every frame: what sampling loses."""

WHO = (*OURS, "deface", "per frame")


def clips(asked: argparse.Namespace) -> None:
    """Each clip, and all together; the rows are kept in `results.json`."""
    rows = []
    for name in _names(asked.clips):
        clip = make(next(c for c in (*CLIPS, *HELD_OUT) if c.name == name), asked.media, asked.work)
        truths = [manifest_file.read_path(asked.work / f"{name}.{k}.json").manifest for k in ("truth", "hard", "other")]
        for who, options in OURS.items():
            mine = asked.work / f"{name}.{who}.json"
            cost = costs.of("locate", clip, "-o", mine, "--labels", "face", *options, *asked.locate.split())
            fps = truths[0].source.streams[0].frames / cost.seconds  # type: ignore[union-attr]
            rows.append(
                _row(name, who, manifest_file.read_path(mine).manifest, truths, f"{fps:.1f} fps {cost.mb:.0f} MB")
            )
        if not asked.no_peers:
            their = _kept(asked.work / f"{name}.deface.json", lambda c=clip, t=truths[0]: peers.deface(c, t))
            rows.append(_row(name, "deface", their, truths, ""))
            rows.append(_row(name, "per frame", peers.bare(clip, truths[0]), truths, ""))
    for who in WHO:
        _total([r for r in rows if r["who"] == who], who)
    (asked.work / "results.json").write_text(json.dumps(rows, indent=1))


def _names(asked: str) -> list[str]:
    groups = {"tuned": CLIPS, "held-out": HELD_OUT, "all": (*CLIPS, *HELD_OUT)}
    return [n for part in asked.split(",") for n in ([c.name for c in groups[part]] if part in groups else [part])]


def _kept(path: Path, build: Callable[[], Manifest]) -> Manifest:
    if not path.exists():
        path.write_bytes(writer.write(build()))
    return manifest_file.read_path(path).manifest


def _row(name: str, who: str, found: Manifest, truths: list[Manifest], extra: str) -> dict[str, Any]:
    """The counts of one clip; `truths` are the easy faces, the hard ones, and all others of which anything is seen.

    `beyond` are boxes that match no easy face and lie on no hard one, `no_face` those of them on no face at all.
    """
    truth, hard, other = truths
    clocks = timeline.from_manifest(truth)

    def tally(true: Manifest, aside: Manifest) -> Tally:
        return score.score(found, true, clocks, LEAST_IOU, aside).get("face", Tally())

    easy, harder = tally(truth, hard), tally(hard, truth)
    any_face = tally(truth, hard.model_copy(update={"tracks": (*hard.tracks, *other.tracks)}))
    counts = {
        "frames": truth.source.streams[0].frames,  # type: ignore[union-attr]
        "faces": easy.true_boxes, "exposed": easy.exposed, "matched": easy.matched,
        "beyond": easy.found_boxes - easy.matched, "no_face": any_face.found_boxes - any_face.matched,
        "hard": harder.true_boxes, "hard_exposed": harder.exposed,
        "keys": sum(len(s.keys) for t in found.tracks for s in t.segments),
        "breaks": easy.interruptions, "switches": easy.switches,
    }  # fmt: skip
    _print(name, who, counts, extra)
    return {"clip": name, "who": who, **counts}


def _print(name: str, who: str, counts: dict[str, int], extra: str = "") -> None:
    faces, frames = max(1, counts["faces"]), counts["frames"]
    print(
        f"{name:8} {who:10} "
        f"exposed {counts['exposed']:4}/{counts['faces']:<5} {100 * counts['exposed'] / faces:5.2f}%  "
        f"recall {counts['matched'] / faces:.3f}  beyond truth {counts['beyond'] / frames:.2f}/frame, "
        f"no face {counts['no_face'] / frames:.2f}  hard exposed {counts['hard_exposed']:3}/{counts['hard']:<4} "
        f"keys {counts['keys']:5} breaks {counts['breaks']:3} switches {counts['switches']:4} {extra}",
        flush=True,
    )


def _total(rows: list[dict[str, Any]], who: str) -> None:
    if rows:
        _print("ALL", who, {k: sum(r[k] for r in rows) for k in rows[0] if k not in {"clip", "who"}})


def real(asked: argparse.Namespace) -> None:
    """Real clips whose every frame shows one face, or none: how many frames are without a cover, or with one."""
    videos = json.loads((asked.media / "GROUND_TRUTH.json").read_text())["videos"]
    all_frames, all_keys = 0, 0
    for name, faces in ((n, v["faces_per_frame"]) for n, v in videos.items() if "faces_per_frame" in v):
        mine = asked.work / "real.json"
        costs.of("locate", asked.media / name, "-o", mine, "--labels", "face", *asked.locate.split())
        manifest = manifest_file.read_path(mine).manifest
        covered = {n for t in manifest.tracks for s in t.segments for n in range(s.keys[0].frame, s.end)}
        frames = manifest.source.streams[0].frames  # type: ignore[union-attr]
        keys = sum(len(s.keys) for t in manifest.tracks for s in t.segments)
        all_frames, all_keys = all_frames + frames * faces, all_keys + keys
        wrong = f"{frames - len(covered)} without a cover" if faces else f"{len(covered)} with a cover"
        shows = "one face" if faces else "nobody"
        print(f"{Path(name).name:52} {shows:8} on each of {frames:4} frames: {wrong}, {keys} keys", flush=True)
    print(f"ALL      {all_frames} face-frames, {all_keys} keys: {all_frames / all_keys:.1f} times fewer", flush=True)


def photos(asked: argparse.Namespace) -> None:
    """Faces and plates in the photos that are boxed by hand."""
    for label, chosen in (("face", boxed.faces(asked.media)), ("plate", boxed.plates(asked.media))):
        counts = [_in_photo(photo, label, asked) for photo in chosen]
        true, matched, beyond, real = (sum(column) for column in zip(*counts, strict=True))
        line = f"ALL      {label}s in {len(chosen)} photos: {matched} of {true} found (recall {matched / true:.3f})"
        if label == "face":
            line += (
                f"; {beyond} boxes beyond the truth ({beyond / len(chosen):.2f} a photo), {real} of them on real faces "
                f"that the truth lacks: {beyond - real} on no face ({(beyond - real) / len(chosen):.2f} a photo)"
            )
        print(line, flush=True)


def _in_photo(photo: boxed.Photo, label: str, asked: argparse.Namespace) -> tuple[int, int, int, int]:
    """How many boxes are true, matched, beyond the truth, and of these on real faces that the truth lacks."""
    mine = asked.work / "photo.json"
    costs.of("locate", photo.path, "-o", mine, "--labels", label, *asked.locate.split())
    manifest = manifest_file.read_path(mine).manifest
    stream = manifest.source.streams[0]
    if not isinstance(stream, PictureStream):
        raise TypeError(f"{photo.path} is no picture")
    found = score.boxes_by_frame(manifest, stream, timeline.from_manifest(manifest)[0].assumed()).get(0, [])
    matched = score.matches(_true(photo.boxes, label), found, LEAST_IOU)
    used = {j for j, _ in matched.values()}
    left = [f for j, f in enumerate(found) if j not in used]
    real = score.matches(_true(photo.unboxed, label), left, LEAST_IOU)
    print(f"{photo.path.name:36} {label:5} {len(matched)}/{len(photo.boxes)} beyond the truth {len(left)}", flush=True)
    return len(photo.boxes), len(matched), len(left), len(real)


def _true(boxes: Iterable[boxed.Box], label: str) -> list[TrackBox]:
    whole: list[Edges] = [edges(_rounded(box)) for box in boxes]
    return [TrackBox(str(n), label, box) for n, box in enumerate(whole)]


def _rounded(box: boxed.Box) -> Box:
    x, y, w, h = map(round, box)
    return x, y, w, h
