"""Clips with exact truth: a camera pans, zooms, rolls and blurs over photos whose faces are boxed by hand.

Every clip has a seed and is the same on every run. Truth is in three manifests beside each clip: `NAME.truth.json`
holds the face-frames that a person would call easy (at least 24 px high, at least 60 % visible), `NAME.hard.json` all
others that are at least 8 px high and 20 % visible, `NAME.other.json` what is smaller or more hidden, and the faces of
real people whom the photos' truth leaves out: whether those are covered counts neither for nor against.

    python benchmarks/make_clips.py MEDIA OUT      MEDIA is the folder of shared test media
"""

# ruff: noqa: E402
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import boxed
from veridact.media.source import read_source
from veridact.media.video import open_media
from veridact.schema import rules, writer
from veridact.schema.geometry import Box
from veridact.schema.manifest import (
    Effects,
    Key,
    Manifest,
    Origin,
    Output,
    OutputStream,
    Segment,
    Solid,
    Track,
    VideoEffects,
)

FPS = 25
EASY_HEIGHT_PX, EASY_VISIBLE = 24, 0.6
HARD_HEIGHT_PX, HARD_VISIBLE = 8, 0.2


@dataclass(frozen=True)
class Clip:
    """What a clip is like; amplitudes are parts of the frame, `zoom` is from and to, angles in degrees."""

    name: str
    seed: int
    width: int = 1280
    height: int = 720
    frames: int = 125
    pan: float = 0.25
    pan_seconds: float = 5.0
    zoom: tuple[float, float] = (1.0, 1.6)
    roll: float = 4.0
    blur_px: float = 0.0
    shutter: float = 0.0
    noise: float = 2.0
    gamma: float = 1.0
    bars: int = 0
    cut_frames: int = 0


CLIPS = (
    Clip("pan", 11),
    Clip("zoom", 12, zoom=(0.6, 3.0), pan=0.15),
    Clip("roll", 13, roll=30.0),
    Clip("blur", 14, blur_px=1.6, shutter=0.5, noise=6.0),
    Clip("whip", 15, pan=0.4, pan_seconds=1.6, shutter=0.4),
    Clip("bars", 16, bars=3),
    Clip("dim", 17, gamma=2.2, noise=8.0),
    Clip("cuts", 18, cut_frames=25),
    Clip("far", 19, zoom=(0.45, 0.8)),
    Clip("hd", 20, width=1920, height=1080, zoom=(1.2, 2.0), frames=150),
    Clip("calm", 21, width=1920, height=1080, zoom=(1.0, 1.2), frames=75, pan=0.06, roll=2.0),
)
HELD_OUT = (
    Clip("pan2", 111, zoom=(0.8, 1.8)),
    Clip("mix2", 112, zoom=(0.6, 2.4), roll=15.0, blur_px=0.8, noise=4.0, bars=2),
    Clip("whip2", 113, pan=0.4, pan_seconds=2.0, shutter=0.3),
    Clip("dim2", 114, gamma=1.8, noise=6.0, zoom=(0.7, 1.4)),
)
"""Other seeds and mixtures, to be measured only once all else is settled."""

SMALL = (
    Clip("farhd", 219, width=1920, height=1080, frames=75, zoom=(0.36, 0.6)),
    Clip("tiny", 221, frames=75, zoom=(0.12, 0.36)),
    Clip("tinyhd", 222, width=1920, height=1080, frames=75, zoom=(0.12, 0.5)),
)
"""Faces from 8 to 45 pixels high, for `smallest.py`."""


@dataclass(frozen=True)
class Scene:
    """A picture and the corners of the faces in it, those with truth and those without, as (faces, 4, 2)."""

    pixels: np.ndarray
    faces: np.ndarray
    unboxed: np.ndarray


def scene(media: Path, order: list[int]) -> Scene:
    """The boxed photos side by side in two rows, each 900 px wide."""
    photos = boxed.faces(media)
    canvas = np.full((1500, 1900, 3), 96, np.uint8)
    faces, unboxed = [], []
    for place, which in enumerate(order):
        photo = photos[which]
        image = cv2.imread(str(photo.path))
        scale = min(900 / image.shape[1], 700 / image.shape[0])
        scaled = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        left, top = 25 + 950 * (place % 2), 25 + 750 * (place // 2)
        canvas[top : top + scaled.shape[0], left : left + scaled.shape[1]] = scaled
        for boxes, corners in ((photo.boxes, faces), (photo.unboxed, unboxed)):
            for x, y, w, h in boxes:
                box = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]]) * scale
                corners.append(box + np.array([left, top]))
    return Scene(canvas, np.array(faces), np.array(unboxed).reshape(-1, 4, 2))


def camera(clip: Clip, at: float, phase: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """The affine map from scene to frame at a moment in seconds."""
    turn = 2 * math.pi * at / clip.pan_seconds
    low, high = clip.zoom
    zoom = math.exp(
        math.log(low) + (math.log(high) - math.log(low)) * (0.5 + 0.5 * math.sin(2 * math.pi * at / 4.4 + phase[0]))
    )
    angle = math.radians(clip.roll * math.sin(2 * math.pi * at / 3.7 + phase[1]))
    target = centre + np.array([
        clip.pan * 1900 * math.sin(turn + phase[2]), clip.pan * 1500 * math.sin(0.7 * turn + phase[3])
    ])  # fmt: skip
    turned = zoom * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    shift = np.array([clip.width / 2, clip.height / 2]) - turned @ target
    return np.column_stack([turned, shift])


Bar = tuple[int, int, int, int]
"""Left, top, right, bottom."""


def bars_at(clip: Clip, number: int, random: np.ndarray) -> list[Bar]:
    """Upright bars that cross the frame."""
    found = []
    for speed, start, width in random[: clip.bars]:
        x = (start + (0.15 + 0.35 * speed) * number / FPS) % 1.2 - 0.1
        left = int(x * clip.width)
        found.append((left, 0, left + int((0.03 + 0.05 * width) * clip.width), clip.height))
    return found


@dataclass(frozen=True)
class Moment:
    """One frame before it is painted: what is in front of the camera, and where the camera is."""

    clip: Clip
    number: int
    shot: int
    scene: Scene
    phase: np.ndarray
    centre: np.ndarray
    bars: list[Bar]

    def matrix(self, frames_later: float = 0.0) -> np.ndarray:
        """The affine map from scene to frame."""
        return camera(self.clip, (self.number + frames_later) / FPS, self.phase, self.centre)


def moments(clip: Clip, scenes: list[Scene]) -> Iterator[Moment]:
    """Every frame of a clip, in order."""
    random = np.random.default_rng(clip.seed)
    bar_numbers = random.random((8, 3))
    shot, phase, centre = -1, np.zeros(4), np.zeros(2)
    for number in range(clip.frames):
        if shot < 0 or (clip.cut_frames and number % clip.cut_frames == 0):
            shot += 1
            phase, centre = random.random(4) * 6.28, np.array([950, 750]) + (random.random(2) - 0.5) * (500, 300)
        here = scenes[(clip.seed + shot) % len(scenes)]
        yield Moment(clip, number, shot, here, phase, centre, bars_at(clip, number, bar_numbers))


def placed(moment: Moment, faces: np.ndarray) -> Iterator[tuple[int, Box, float]]:
    """Each face's number, the upright box around it as an ellipse that turns with the camera, its visible part."""
    clip, matrix = moment.clip, moment.matrix()
    for number, corners in enumerate(faces):
        centre = corners.mean(axis=0) @ matrix[:, :2].T + matrix[:, 2]
        half = np.hypot(*(matrix[:, :2] * (corners[2] - corners[0]) / 2).T)  # of the ellipse in the box, turned
        (left, top), (right, bottom) = np.floor(centre - half), np.ceil(centre + half)
        mask = np.zeros((int(bottom - top), int(right - left)), bool)
        x0, y0 = max(0, int(-left)), max(0, int(-top))
        mask[y0 : max(0, int(clip.height - top)), x0 : max(0, int(clip.width - left))] = True
        for bar in moment.bars:
            mask[:, max(0, int(bar[0] - left)) : max(0, int(bar[2] - left))] = False
        yield number, (int(left), int(top), int(right - left), int(bottom - top)), float(mask.mean())


def painted(moment: Moment, grain: np.random.Generator) -> np.ndarray:
    """The frame as RGB."""
    clip = moment.clip
    steps = 5 if clip.shutter else 1
    mixed = np.zeros((clip.height, clip.width, 3), np.float32)
    for step in range(steps):
        matrix = moment.matrix(clip.shutter * (step / max(1, steps - 1) - 0.5))
        flags = cv2.INTER_AREA if matrix[0, 0] < 1 else cv2.INTER_LINEAR
        mixed += cv2.warpAffine(
            moment.scene.pixels, matrix, (clip.width, clip.height), flags=flags, borderValue=(96, 96, 96)
        )
    pixels = mixed / steps
    if clip.blur_px:
        pixels = cv2.GaussianBlur(pixels, (0, 0), clip.blur_px)
    pixels = 255 * (np.clip(pixels, 0, 255) / 255) ** clip.gamma
    for left, top, right, bottom in moment.bars:
        pixels[top:bottom, max(0, left) : max(0, right)] = (60, 75, 70)
    pixels += grain.normal(0, clip.noise, pixels.shape[:2])[:, :, None]
    return np.clip(pixels, 0, 255).astype(np.uint8)[:, :, ::-1]


def _runs(boxes: dict[int, Box]) -> list[Segment]:
    segments: list[Segment] = []
    keys: list[Key] = []
    for frame in sorted(boxes):
        if keys and frame != keys[-1].frame + 1:
            segments.append(Segment(end=keys[-1].frame + 1, keys=tuple(keys)))
            keys = []
        keys.append(Key(frame=frame, box=boxes[frame]))
    return [*segments, Segment(end=keys[-1].frame + 1, keys=tuple(keys))]


Places = dict[tuple[int, int], dict[int, Box]]
"""The boxes of a face by frame, by shot and number."""


def truth_manifest(path: Path, boxes: Places) -> Manifest:
    """The boxes of each face, by frame, as a manifest made by hand."""
    with open_media(path) as media:
        source = read_source(media)
    tracks = [
        Track.model_validate({
            "id": f"face-{n:04}", "stream": 0, "label": "face", "review": "added",
            "origin": Origin(by="hand"), "segments": tuple(_runs(found)),
        })
        for n, (_, found) in enumerate(sorted(boxes.items()), 1)
    ]  # fmt: skip
    manifest = Manifest.model_validate({
        "schema": "veridact.manifest/1", "source": source, "producers": (), "scope": "listed",
        "output": Output(container="mp4", profile="h264", streams=(OutputStream(index=0, disposition="render"),)),
        "effects": Effects(video=VideoEffects(default=Solid(effect="solid", shape="box", pad_permille=0))),
        "tracks": tuple(tracks), "audio": (), "ext": {},
    })  # fmt: skip
    rules.check(manifest)
    return manifest


def truths(clip: Clip, scenes: list[Scene]) -> dict[str, Places]:
    """Where the faces are: easy ones, hard ones, and all others of which anything is in sight."""
    found: dict[str, Places] = {"truth": {}, "hard": {}, "other": {}}
    for moment in moments(clip, scenes):
        for face, box, visible in placed(moment, moment.scene.faces):
            if box[3] >= EASY_HEIGHT_PX and visible >= EASY_VISIBLE:
                kind = "truth"
            elif box[3] >= HARD_HEIGHT_PX and visible >= HARD_VISIBLE:
                kind = "hard"
            else:
                kind = "other"
            if visible:
                found[kind].setdefault((moment.shot, face), {})[moment.number] = box
        for face, box, visible in placed(moment, moment.scene.unboxed):
            if visible:
                found["other"].setdefault((moment.shot, len(moment.scene.faces) + face), {})[moment.number] = box
    return found


def make(clip: Clip, media: Path, out: Path) -> Path:
    """Writes a clip and its three truths; what is already there is kept."""
    path = out / f"{clip.name}.mp4"
    kinds = [kind for kind in ("truth", "hard", "other") if not (out / f"{clip.name}.{kind}.json").exists()]
    if not kinds:
        return path
    scenes = [scene(media, order) for order in ([0, 1, 2, 3], [3, 2, 0, 1], [1, 3, 2, 0])]
    if "truth" in kinds or not path.exists():
        grain = np.random.default_rng((clip.seed, 1))
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=FPS, options={"crf": "20", "preset": "fast", "threads": "1"})
            stream.width, stream.height, stream.pix_fmt = clip.width, clip.height, "yuv420p"
            for moment in moments(clip, scenes):
                pixels = np.ascontiguousarray(painted(moment, grain))
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
            container.mux(stream.encode(None))
    places = truths(clip, scenes)
    for kind in kinds:
        (out / f"{clip.name}.{kind}.json").write_bytes(writer.write(truth_manifest(path, places[kind])))
    return path


if __name__ == "__main__":
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for each in (*CLIPS, *HELD_OUT):
        print(make(each, Path(sys.argv[1]), folder))
