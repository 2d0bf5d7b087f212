"""The smallest face that one look finds: the boxed photos scaled down step by step on an empty page.

python benchmarks/smallest.py MEDIA        MEDIA is the folder of shared test media
"""

# ruff: noqa: E402
import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import boxed
from locate.detector import Detection, Request, iou
from locate.detectors import centerface
from locate.frames import PictureView
from locate.options import START, STILL_START

HEIGHTS_PX = (8, 10, 12, 14, 16, 18, 20, 24, 28, 32, 40)
PAGES = (("still", 1920, 1080), ("footage", 1280, 720), ("footage", 1920, 1080), ("footage", 3840, 2160))
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


def main() -> None:
    media = Path(sys.argv[1])
    photos = {photo.path: photo.boxes for photo in boxed.faces(media)}
    net = centerface.load(Request("p1", frozenset({"face"}), STILL_START, "cpu"))
    print("height in pixels   " + " ".join(f"{h:>5}" for h in HEIGHTS_PX))
    for page, width, height in PAGES:
        cells = []
        for height_px in HEIGHTS_PX:
            counts = [found(net, p, boxes, height_px, page, (width, height)) for p, boxes in photos.items()]
            cells.append(f"{sum(c for c, _ in counts):>2}/{sum(n for _, n in counts)}")
        print(f"{width}x{height} {page:9}" + " ".join(f"{c:>5}" for c in cells), flush=True)


if __name__ == "__main__":
    main()
