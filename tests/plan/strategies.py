"""Random manifests of one small video or picture, with the timeline and the chroma layout that they are read with."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from veridact.schema import rules
from veridact.schema.manifest import (
    Cells,
    Effects,
    Key,
    Manifest,
    Origin,
    Output,
    OutputStream,
    PictureStream,
    Segment,
    Solid,
    Source,
    Track,
    VideoEffects,
    VideoStream,
)
from veridact.schema.plan.video import Raster
from veridact.schema.timeline import Clock, pts_sha256

STREAM = 1
"""The stream under test; stream 0 has tracks of its own, which must not count."""

HUGE = 1_000_000
SHA = "0" * 64


@dataclass(frozen=True)
class Chroma:
    """How colours are stored: pixels of the picture per chroma sample, and per block that must be covered as one."""

    name: str
    step: tuple[int, int]
    block: tuple[int, int]


CHROMA = (
    Chroma("4:4:4", (1, 1), (1, 1)),
    Chroma("4:2:2", (2, 1), (2, 1)),
    Chroma("4:2:0", (2, 2), (2, 2)),
    Chroma("4:2:0 interlaced", (2, 2), (2, 4)),
    Chroma("4:1:1", (4, 1), (4, 1)),
    Chroma("4:4:0 interlaced", (1, 2), (1, 4)),
)


@dataclass(frozen=True)
class Case:
    """A manifest, the presentation times of stream `STREAM` (0 for a picture), and the frame of it under test."""

    manifest: Manifest
    pts: tuple[int, ...]
    chroma: Chroma
    frame: int

    @property
    def stream(self) -> VideoStream | PictureStream:
        found = self.manifest.source.streams[-1]
        if not isinstance(found, VideoStream | PictureStream):
            raise TypeError("the last stream has no picture")
        return found

    @property
    def raster(self) -> Raster:
        """What `render` and `verify --content` paint on: pictures are turned upright and have no chroma blocks."""
        s = self.stream
        if isinstance(s, PictureStream):
            return Raster(s.width, s.height, 1, 1, 1)
        return Raster(s.coded_width, s.coded_height, s.orientation, *self.chroma.block)

    @property
    def clock(self) -> Clock:
        return Clock(self.stream.index, self.stream.frames, Fraction(1, 1000), self.pts, Fraction(0))


SHAPES = st.sampled_from(["box", "ellipse"])
PADS = st.sampled_from([0, 0, 1, 100, 333, 2000])
SOLIDS = st.builds(Solid, effect=st.just("solid"), shape=SHAPES, pad_permille=PADS)
CELLS = st.builds(
    Cells, effect=st.sampled_from(["mosaic", "blur"]), shape=SHAPES, cells=st.integers(2, 8), pad_permille=PADS
)
EFFECTS = SOLIDS | CELLS
REVIEWS = st.sampled_from(["proposed", "accepted", "edited", "added", "rejected"])


def _side(length: int) -> st.SearchStrategy[tuple[int, int]]:
    """Where a box begins along a side of the picture, and how long it is."""
    usual = st.tuples(st.integers(-12, length + 6), st.integers(1, 14))
    huge = st.tuples(st.integers(-HUGE, length), st.just(HUGE))
    return usual | usual | usual | huge


def boxes(width: int, height: int) -> st.SearchStrategy[tuple[int, int, int, int]]:
    """Boxes in, across and beyond a picture: a pixel wide or high, or a million."""
    return st.tuples(_side(width), _side(height)).map(lambda s: (s[0][0], s[1][0], s[0][1], s[1][1]))


@st.composite
def segments(draw: st.DrawFn, frames: int, box: st.SearchStrategy[Any]) -> tuple[Segment, ...]:
    """One or two segments in order, each with a few keys."""
    bounds = sorted(draw(st.sets(st.integers(0, frames), min_size=2, max_size=4)))
    made = []
    for first, end in zip(bounds[::2], bounds[1::2], strict=False):
        others = draw(st.sets(st.integers(first, end - 1), max_size=3))
        keys = tuple(Key(frame=f, box=draw(box)) for f in sorted({first, *others}))
        made.append(Segment(end=end, keys=keys))
    return tuple(made)


@st.composite
def tracks(draw: st.DrawFn, number: int, scope: str, streams: tuple[Any, ...]) -> Track:
    """A track of any label and review state; a `keep` only where the scope allows it."""
    stream = draw(st.sampled_from([streams[-1], *streams]))
    label = draw(st.sampled_from(["face", "text", *(["keep", "keep"] if scope == "everything" else [])]))
    fields: dict[str, Any] = {}
    if label != "keep" and draw(st.booleans()):
        fields["effect"] = draw(EFFECTS)
    return Track(
        id=f"{label}-{number:04}",
        stream=stream.index,
        label=label,
        review=draw(REVIEWS),
        origin=Origin(by="hand"),
        segments=draw(segments(stream.frames, boxes(stream.width, stream.height))),
        **fields,
    )


@st.composite
def _record(draw: st.DrawFn, kind: str, index: int, pts: tuple[int, ...]) -> VideoStream | PictureStream:
    width, height = draw(st.integers(1, 21)), draw(st.integers(1, 17))
    orientation = draw(st.integers(1, 8))
    coded = (width, height) if orientation < 5 else (height, width)
    fields = {
        "index": index,
        "type": kind,
        "codec": "h264" if kind == "video" else "png",
        "width": width,
        "height": height,
        "coded_width": coded[0],
        "coded_height": coded[1],
        "orientation": orientation,
        "frames": len(pts),
    }
    if kind == "video" or len(pts) > 1:
        fields |= {"time_base": (1, 1000), "pts_sha256": pts_sha256(pts)}
    return VideoStream(**fields) if kind == "video" else PictureStream(**fields)


@st.composite
def cases(draw: st.DrawFn, most_tracks: int = 5) -> Case:
    """A valid manifest and one frame of its last stream."""
    kind = draw(st.sampled_from(["video", "video", "video", "picture"]))
    scope = draw(st.sampled_from(["listed", "everything"]))
    gaps = draw(st.lists(st.integers(1, 90), min_size=1, max_size=6))
    pts = tuple(sum(gaps[:n]) for n in range(len(gaps)))
    count = STREAM + 1 if kind == "video" else 1
    streams = tuple(draw(_record(kind, index, pts)) for index in range(count))
    default = draw(EFFECTS)
    face = {"face": draw(EFFECTS)} if draw(st.booleans()) else {}
    dropped = kind == "video" and draw(st.integers(0, 5)) == 0
    output = (
        Output(container="png")
        if kind == "picture"
        else Output(
            container="mp4",
            profile="h264",
            streams=(
                OutputStream(index=0, disposition="render"),
                *([] if dropped and draw(st.booleans()) else [_listed(dropped)]),
            ),
        )
    )
    manifest = Manifest(
        schema="veridact.manifest/1",
        source=Source(kind=kind, sha256=SHA, bytes=1, streams=streams),
        producers=(),
        output=output,
        scope=scope,
        effects=Effects(video=VideoEffects(default=default, **face)),
        tracks=tuple(draw(tracks(n, scope, streams)) for n in range(draw(st.integers(0, most_tracks)))),
        audio=(),
        ext={},
    )
    rules.check(manifest)
    return Case(manifest, pts, draw(st.sampled_from(CHROMA)), draw(st.integers(0, len(pts) - 1)))


def _listed(dropped: bool) -> OutputStream:
    return OutputStream(index=STREAM, disposition="drop" if dropped else "render")


def plate(box: Any, case: Case, **fields: Any) -> Track:
    key = Key(frame=case.frame, box=box)
    return Track(
        **{
            "id": "plate-0001",
            "stream": case.stream.index,
            "label": "plate",
            "review": "added",
            "origin": Origin(by="hand"),
            "segments": (Segment(end=case.frame + 1, keys=(key,)),),
            **fields,
        }
    )


def showing(default: Solid | Cells, *boxes: tuple[int, int, int, int], **fields: Any) -> Case:
    """A clip of one frame of 70 by 60 pixels with a plate in each box."""
    stream = VideoStream(
        index=0, type="video", codec="h264", width=70, height=60, coded_width=70, coded_height=60, orientation=1,
        time_base=(1, 1000), frames=1, pts_sha256=SHA,
    )  # fmt: skip
    manifest = Manifest(
        schema="veridact.manifest/1",
        source=Source(kind="video", sha256=SHA, bytes=1, streams=(stream,)),
        producers=(),
        output=Output(container="mp4", profile="h264", streams=(OutputStream(index=0, disposition="render"),)),
        scope="listed",
        effects=Effects(video=VideoEffects(default=default)),
        tracks=(),
        audio=(),
        ext={},
    )
    case = Case(manifest, (0,), CHROMA[0], 0)
    tracks = tuple(plate(box, case, id=f"plate-{n:04}", **fields) for n, box in enumerate(boxes))
    return replace(case, manifest=manifest.model_copy(update={"tracks": tracks}))
