"""The peers of `locate`: `deface`, and locate's own detector on every frame by itself, without tracking."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from veridact.locate.detectors import centerface
from veridact.locate.detectors.base import Detection, Request
from veridact.locate.options import START
from veridact.locate.video.frames import decode_video
from veridact.media.video import open_media
from veridact.schema.manifest import Effects, Key, Manifest, Origin, Segment, Solid, Track, VideoEffects

DEFACE_THRESHOLD, DEFACE_PAD_PERMILLE = 0.2, 150
"""deface's defaults: score 0.2 at full size, boxes drawn 1.3 times as large. Its ellipse is taken as the whole box."""

OWN_PAD_PERMILLE = 200
Finder = Callable[[Any], list[tuple[float, ...]]]
"""From a frame's view to left, top, right and bottom of each detection on it."""


def deface(clip: Path, truth: Manifest) -> Manifest:
    """The detections of deface's own detector at its defaults."""
    from deface.centerface import CenterFace

    net = CenterFace(backend="onnxrt", override_execution_provider="CPUExecutionProvider")

    def find(view: Any) -> list[tuple[float, ...]]:
        found, _ = net(view.rgb(view.width, view.height), threshold=DEFACE_THRESHOLD)
        return [tuple(map(float, row[:4])) for row in found]

    return _per_frame(clip, truth, DEFACE_PAD_PERMILLE, find)


def bare(clip: Path, truth: Manifest) -> Manifest:
    """The detections of locate's own detector on every frame, without tracks."""
    detector = centerface.load(Request("p1", frozenset({"face"}), START, "cpu"))

    def edges(d: Detection) -> tuple[float, ...]:
        return (d.left, d.top, d.right, d.bottom)

    return _per_frame(clip, truth, OWN_PAD_PERMILLE, lambda view: [edges(d) for d in detector.detect(view)])


def _per_frame(clip: Path, truth: Manifest, pad: int, find: Finder) -> Manifest:
    """The detections on each frame by itself, as a manifest."""
    tracks = []
    with open_media(clip) as media:
        for frame in decode_video(media, 0):
            for left, top, right, bottom in find(frame.view):
                x, y = int(np.floor(left)), int(np.floor(top))
                box = (x, y, max(1, int(np.ceil(right)) - x), max(1, int(np.ceil(bottom)) - y))
                segment = Segment(end=frame.number + 1, keys=(Key(frame=frame.number, box=box),))
                tracks.append(
                    Track.model_validate({
                        "id": f"face-{len(tracks) + 1:06}", "stream": 0, "label": "face", "review": "proposed",
                        "origin": Origin(by="hand"), "segments": (segment,),
                    })
                )  # fmt: skip
    effects = Effects(video=VideoEffects(default=Solid(effect="solid", shape="box", pad_permille=pad)))
    return truth.model_copy(update={"tracks": tuple(tracks), "effects": effects})
