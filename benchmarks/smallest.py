"""The smallest face that is detected on one frame, and the smallest that is covered in the end.

    python benchmarks/smallest.py MEDIA WORK      MEDIA is the folder of shared test media

For the first, the boxed photos are scaled down step by step on an empty page; for the second, a camera pans over them
and zooms, in clips that are kept in WORK.
"""

# ruff: noqa: E402
import os
import sys
from bisect import bisect
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from veridact.tools import manifest_file

sys.path[0] = str(Path(__file__).resolve().parents[1])
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported

from benchmarks import boxed, costs
from benchmarks.make_clips import CLIPS, SMALL, make
from veridact.locate.detectors import centerface
from veridact.locate.detectors.base import Detection, Request
from veridact.locate.detectors.nms import iou
from veridact.locate.options import START, STILL_START
from veridact.locate.video.frames import PictureView
from veridact.schema import timeline
from veridact.schema.plan.video import StreamPlan
from veridact.tools import score

HEIGHTS_PX = (8, 10, 12, 14, 16, 18, 20, 24, 28, 32, 40)
PAGES = (("still", 1920, 1080), ("footage", 1280, 720), ("footage", 1920, 1080), ("footage", 3840, 2160))
IN_CLIPS = {"1280x720": ("tiny", "far"), "1920x1080": ("tinyhd", "farhd")}
LEAST_IOU = 0.3


def found(net: centerface.CenterFace, photo: Path, boxes: tuple[boxed.Box, ...], height_px: int, page: str,
          size: tuple[int, int]) -> tuple[int, int]:  # fmt: skip
    """How many of a photo's faces are found, and of how many, when the middle one is `height_px` high on the page."""
    image = Image.open(photo).convert("RGB")
    scale = height_px / float(np.median([box[3] for box in boxes]))
    small = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    canvas = Image.new("RGB", size, (96, 96, 96))
    left, top = (size[0] - small.width) // 2, (size[1] - small.height) // 2
    canvas.paste(small, (left, top))
    least = STILL_START if page == "still" else START
    seen = [d for d in net.detect(PictureView(canvas, still=page == "still")) if d.score >= least]
    true = [
        Detection("face", x * scale + left, y * scale + top, (x + w) * scale + left, (y + h) * scale + top, 1.0, "")
        for x, y, w, h in boxes
    ]
    return sum(any(iou(d, t) >= LEAST_IOU for d in seen) for t in true), len(true)


def in_sight(name: str, media: Path, work: Path) -> tuple[Counter[int], Counter[int]]:
    """By the step of height below them: face-frames of a clip wholly in the picture, and those of them exposed."""
    clip = make(next(c for c in (*CLIPS, *SMALL) if c.name == name), media, work)
    mine = work / f"{name}.locate.json"
    costs.of("locate", clip, "-o", mine, "--labels", "face")
    mine, easy, hard = (
        manifest_file.read_path(work / f"{name}.{kind}.json").manifest for kind in ("locate", "truth", "hard")
    )
    stream, times = easy.source.streams[0], timeline.from_manifest(easy)[0].assumed()
    plan = StreamPlan.displayed(mine, stream, times)
    seen: Counter[int] = Counter()
    exposed: Counter[int] = Counter()
    for truth in (easy, hard):
        for frame, faces in score.boxes_by_frame(truth, stream, times).items():
            for face in faces:
                left, top, right, bottom = face.box
                if min(left, top) <= 0 or right >= stream.width or bottom >= stream.height:
                    continue
                step = HEIGHTS_PX[bisect(HEIGHTS_PX, face.box.height) - 1]
                seen[step] += 1
                hidden = score.covered_part(face.box, plan.at(frame))
                exposed[step] += hidden * 100 < score.COVERED_PERCENT
    return seen, exposed


def main() -> None:
    media, work = map(Path, sys.argv[1:])
    work.mkdir(parents=True, exist_ok=True)
    photos = {photo.path: photo.boxes for photo in boxed.faces(media)}
    net = centerface.load(Request("p1", frozenset({"face"}), STILL_START, "cpu"))
    print("height in pixels   " + " ".join(f"{h:>5}" for h in HEIGHTS_PX))
    for page, width, height in PAGES:
        cells = []
        for height_px in HEIGHTS_PX:
            counts = [found(net, p, boxes, height_px, page, (width, height)) for p, boxes in photos.items()]
            cells.append(f"{sum(c for c, _ in counts):>2}/{sum(n for _, n in counts)}")
        print(f"{width}x{height} {page:9}" + " ".join(f"{c:>5}" for c in cells), flush=True)
    print("exposed in clips   " + " ".join(f"{h:>8}" for h in HEIGHTS_PX))
    for size, names in IN_CLIPS.items():
        counts = [in_sight(name, media, work) for name in names]
        seen, exposed = (sum(column, Counter()) for column in zip(*counts, strict=True))
        cells = [f"{exposed[h]}/{seen[h]}" for h in HEIGHTS_PX]
        print(f"{size:19}" + " ".join(f"{c:>8}" for c in cells), flush=True)


if __name__ == "__main__":
    main()
