"""Makes the clip and the contact sheet of `make demo`: a pan over a NASA portrait, and the frames that came out."""

import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from veridact.media.video import decode, demux, open_media
from veridact.tools import manifest_file

FRAMES, RATE, WIDTH, HEIGHT = 90, 30, 640, 360
SHEET_FRAMES, COLUMNS, THUMBNAIL = 12, 4, (480, 480)


def clip(path: Path) -> None:
    """Pans and zooms over the portrait that arrives with scikit-image, a dependency of the face detector's wheel."""
    from skimage import data

    portrait = Image.fromarray(data.astronaut())
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "18", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = Fraction(1, RATE)
        for number in range(FRAMES):
            width = 512 - 2 * number
            left, top = number, number // 4
            view = portrait.crop((left, top, left + width, top + width * HEIGHT // WIDTH))
            frame = av.VideoFrame.from_ndarray(np.asarray(view.resize((WIDTH, HEIGHT))), "rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def sheet(video: Path, manifest: Path, target: Path) -> None:
    """Draws frames of the redacted clip side by side, spread evenly over those that have a cover."""
    read = manifest_file.read_path(manifest)
    covered = sorted({n for t in read.manifest.tracks for s in t.segments for n in range(s.keys[0].frame, s.end)})
    wanted = set(covered[:: max(1, len(covered) // SHEET_FRAMES)][:SHEET_FRAMES])
    with open_media(video) as media, demux(media) as container:
        frames = enumerate(decode(container, container.streams.video[0]))
        pictures = [frame.to_image() for number, frame in frames if number in wanted]
    for picture in pictures:
        picture.thumbnail(THUMBNAIL)
    width, height = pictures[0].size
    drawn = Image.new("RGB", (width * min(COLUMNS, len(pictures)), height * -(-len(pictures) // COLUMNS)))
    for place, picture in enumerate(pictures):
        drawn.paste(picture, (place % COLUMNS * width, place // COLUMNS * height))
    drawn.save(target)


if __name__ == "__main__":
    {"clip": clip, "sheet": sheet}[sys.argv[1]](*map(Path, sys.argv[2:]))
