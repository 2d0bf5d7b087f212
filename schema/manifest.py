"""The manifest `veridact.manifest/1`: what is covered, where and when, in a form that people read and edit.

Frame numbers are 0-based in presentation order, boxes are in integer pixels of the picture as displayed, audio times in
integer milliseconds; every range is half-open. These models are the `schema` layer only: the text is checked before
them (`strict_json`), relations between fields after them (`rules`).
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, FailFast, Field, JsonValue

MAJOR = 1
SCHEMA_ID: Literal["veridact.manifest/1"] = "veridact.manifest/1"
MAX_TRACKS = 100_000
MAX_KEYS = 1_000_000
MAX_INT = 2**53 - 1
MAX_PIXELS_OFF = 1_000_000
"""Bound of coordinates and sides in pixels: far above any picture, far below where products stop being exact."""

VideoLabel = Literal["face", "head", "plate", "person", "vehicle", "screen", "text", "document", "custom", "keep"]
AudioLabel = Literal[
    "person_name", "location", "phone_number", "credit_card", "iban", "email", "date", "id_number",
    "speech", "custom", "keep",
]  # fmt: skip
Review = Literal["proposed", "accepted", "edited", "added", "rejected"]
Container = Literal[
    "mp4", "mov", "mkv", "flac", "wav", "m4a", "mp3", "ogg", "jpeg", "png", "webp", "tiff", "bmp", "gif"
]

Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Codec = Annotated[str, Field(pattern=r"^[a-z0-9_.\-]{1,40}$")]
Index = Annotated[int, Field(ge=0, le=9999)]
Frame = Annotated[int, Field(ge=0, le=MAX_INT)]
Count = Annotated[int, Field(ge=0, le=MAX_INT)]
Positive = Annotated[int, Field(ge=1, le=MAX_INT)]
Side = Annotated[int, Field(ge=1, le=65_535)]
Coordinate = Annotated[int, Field(ge=-MAX_PIXELS_OFF, le=MAX_PIXELS_OFF)]
Extent = Annotated[int, Field(ge=1, le=MAX_PIXELS_OFF)]
Orientation = Annotated[int, Field(ge=1, le=8)]
_LIST = Field(strict=False)
"""Lets a JSON list become a tuple; its elements are validated strictly nevertheless."""
TimeBase = Annotated[
    tuple[Annotated[int, Field(ge=1, le=2**31 - 1)], Annotated[int, Field(ge=1, le=2**31 - 1)]],
    _LIST,
]
Box = Annotated[tuple[Coordinate, Coordinate, Extent, Extent], _LIST]
Milliseconds = Annotated[int, Field(ge=0, le=10**12)]
Permille = Annotated[int, Field(ge=0, le=1000)]
Text280 = Annotated[str, Field(max_length=280)]
ItemId = Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)*-[0-9]{4,12}$")]
ProducerId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.\-]{0,39}$")]
SettingName = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,80}$")]
ReverseDns = Annotated[str, Field(pattern=r"^[a-z0-9\-]+(\.[a-z0-9\-_]+)+$", max_length=120)]
SettingValue = bool | Annotated[int, Field(ge=-MAX_INT, le=MAX_INT)] | Annotated[str, Field(max_length=80)]


class Model(BaseModel):
    """Base of all records: frozen, refuses unknown fields, coerces no type into another."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class VideoStream(Model):
    """A video stream; `pts_sha256` is the digest of its timeline (see `timeline.pts_sha256`)."""

    index: Index
    type: Literal["video"]
    codec: Codec
    width: Side
    height: Side
    coded_width: Side
    coded_height: Side
    orientation: Orientation
    time_base: TimeBase
    frames: Positive
    pts_sha256: Hex
    searched: bool | None = None


class AudioStream(Model):
    """An audio stream; `duration_ms`, rounded up, is for people to read."""

    index: Index
    type: Literal["audio"]
    codec: Codec
    sample_rate: Positive
    channels: Annotated[int, Field(ge=1, le=64)]
    duration_ms: Milliseconds
    searched: bool | None = None


class PictureStream(Model):
    """A still or animated picture; only animated ones have a time base (1/1000) and a digest of frame times."""

    index: Annotated[int, Field(ge=0, le=0)]
    type: Literal["picture"]
    codec: Codec
    width: Side
    height: Side
    coded_width: Side
    coded_height: Side
    orientation: Orientation
    frames: Positive
    time_base: TimeBase | None = None
    pts_sha256: Hex | None = None
    searched: bool | None = None


class OtherStream(Model):
    """A stream that is never rendered: subtitles, telemetry, attachments, cover art, streams that do not decode."""

    index: Index
    type: Literal["data", "subtitle", "attachment", "unknown"]
    codec: Codec


Stream = Annotated[VideoStream | AudioStream | PictureStream | OtherStream, Field(discriminator="type")]


class Source(Model):
    """The file that the manifest is for."""

    kind: Literal["video", "picture", "audio"]
    sha256: Hex
    bytes: Positive
    streams: Annotated[tuple[Stream, ...], Field(strict=False, min_length=1, max_length=1000)]


class Producer(Model):
    """Who or what proposed items: a model, an imported file or a person; changes no rendered byte."""

    id: ProducerId
    kind: Literal["model", "import", "person", "tool"]
    name: Annotated[str, Field(max_length=80)]
    version: Annotated[str, Field(max_length=80)] | None = None
    weights_sha256: Hex | None = None
    runtime: Annotated[str, Field(max_length=80)] | None = None
    settings: dict[SettingName, SettingValue]


class OutputStream(Model):
    """The disposition of one input stream; a stream that is not listed is dropped."""

    index: Index
    disposition: Literal["render", "drop"]


class Output(Model):
    """The container and encoding of the output; `quality` is for pictures, `profile` for video."""

    container: Container
    profile: Literal["h264", "lossless"] | None = None
    quality: Annotated[int, Field(ge=50, le=100)] | None = None
    streams: Annotated[tuple[OutputStream, ...], Field(strict=False, max_length=1000)] | None = None


class Solid(Model):
    """A solid cover in black."""

    effect: Literal["solid"]
    shape: Literal["box", "ellipse"]
    pad_permille: Annotated[int, Field(ge=0, le=2000)]


class Cells(Model):
    """A mosaic or blur of at most `cells` cells along the long side of the track's largest box."""

    effect: Literal["mosaic", "blur"]
    shape: Literal["box", "ellipse"]
    cells: Annotated[int, Field(ge=2, le=8)]
    pad_permille: Annotated[int, Field(ge=0, le=2000)]


VideoEffect = Annotated[Solid | Cells, Field(discriminator="effect")]


class AudioEffect(Model):
    """Silence or a beep, widened by `pad_ms` at both ends."""

    effect: Literal["silence", "beep"]
    pad_ms: Annotated[int, Field(ge=0, le=10_000)]


class VideoEffects(Model):
    """The effect of each label; a label without one takes `default`."""

    default: VideoEffect
    face: VideoEffect | None = None
    head: VideoEffect | None = None
    plate: VideoEffect | None = None
    person: VideoEffect | None = None
    vehicle: VideoEffect | None = None
    screen: VideoEffect | None = None
    text: VideoEffect | None = None
    document: VideoEffect | None = None
    custom: VideoEffect | None = None


class AudioEffects(Model):
    """The effect of each audio label; a label without one takes `default`."""

    default: AudioEffect
    person_name: AudioEffect | None = None
    location: AudioEffect | None = None
    phone_number: AudioEffect | None = None
    credit_card: AudioEffect | None = None
    iban: AudioEffect | None = None
    email: AudioEffect | None = None
    date: AudioEffect | None = None
    id_number: AudioEffect | None = None
    speech: AudioEffect | None = None
    custom: AudioEffect | None = None


class Effects(Model):
    """Effects by medium and label."""

    video: VideoEffects | None = None
    audio: AudioEffects | None = None


class Origin(Model):
    """Where an item comes from: the id of a producer, or `hand`; `score` is a confidence in thousandths."""

    by: ProducerId
    score: Permille | None = None


class Key(Model):
    """A keyframe: the bounding box on one frame; between two keys it moves linearly in presentation time."""

    frame: Frame
    box: Box


class Segment(Model):
    """An unbroken run of frames of a track, half-open: from the frame of its first key to `end`."""

    end: Positive
    keys: Annotated[tuple[Key, ...], Field(strict=False, min_length=1), FailFast()]


class Track(Model):
    """One object to cover (or, in scope `everything`, to keep) in one video stream or picture."""

    id: ItemId
    stream: Index
    label: VideoLabel
    review: Review
    reviewer: Text280 | None = None
    reason: Text280 | None = None
    note: Text280 | None = None
    origin: Origin
    effect: VideoEffect | None = None
    segments: Annotated[tuple[Segment, ...], Field(strict=False, min_length=1), FailFast()]


class AudioRange(Model):
    """A half-open range of milliseconds to cover (or keep) in one audio stream, or in all where `stream` is null."""

    id: ItemId
    stream: Index | None
    label: AudioLabel
    review: Review
    reviewer: Text280 | None = None
    reason: Text280 | None = None
    note: Text280 | None = None
    origin: Origin
    effect: AudioEffect | None = None
    start_ms: Milliseconds
    end_ms: Milliseconds


class Manifest(Model):
    """The whole document; the fields are declared in the order in which they are written."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, title="veridact.manifest/1", serialize_by_alias=True
    )

    schema_id: Annotated[Literal["veridact.manifest/1"], Field(alias="schema")]
    source: Source
    producers: Annotated[tuple[Producer, ...], Field(strict=False, max_length=1000)]
    output: Output
    scope: Literal["listed", "everything"]
    effects: Effects
    tracks: Annotated[tuple[Track, ...], Field(strict=False, max_length=MAX_TRACKS), FailFast()]
    audio: Annotated[tuple[AudioRange, ...], Field(strict=False, max_length=MAX_TRACKS), FailFast()]
    ext: dict[ReverseDns, JsonValue]

    def document(self) -> dict[str, Any]:
        """The manifest as plain JSON values, fields in written order, unset fields omitted."""
        return self.model_dump(mode="json", exclude_unset=True)
