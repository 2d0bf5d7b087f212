"""Checking an output against its manifest without the original: what should be covered is, and nothing else is there.

For every cover on every frame the decoded samples are held against what its effect can produce: a solid is black, a
mosaic is flat within its cells, a blur is a straight line between cell centres. What an encoder adds to that is
bounded; detail is not, so a cover that is missing, shifted or drawn too weakly stands out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veridact.audit.audio_content import audible_spans
from veridact.audit.effect_model import modelled
from veridact.audit.picture_encoding import Encode, bounds, encoder
from veridact.audit.structure.walk import stray_structure
from veridact.errors import MediaError, VeridactError
from veridact.media.origin import origin
from veridact.media.pictures import frames as picture_frames
from veridact.media.pictures import open_picture
from veridact.media.probe import codec_name, picture_pts
from veridact.media.video import MediaFile, decode, demux, fraction, has_captions
from veridact.render import readback
from veridact.render.pictures.stream import PILLOW_FORMAT, save_options
from veridact.render.video import paint
from veridact.render.video.encoder import PROFILES
from veridact.render.video.interlace import block_of
from veridact.render.video.planes import Plane, Samples, frame_planes, layout_of, picture_planes
from veridact.sandbox.heartbeat import patience
from veridact.schema.geometry import Edges, clip
from veridact.schema.manifest import Cells, Manifest, PictureStream, Solid, VideoStream
from veridact.schema.plan.audio import sound_plan
from veridact.schema.plan.dispositions import rendered_indexes
from veridact.schema.plan.video import Cover, FramePlan, Raster, StreamPlan
from veridact.schema.timeline import pts_sha256

TOLERANCE = {"h264": 28, "lossless": 0, "jpeg": 40, "webp": 48, "gif": 24, "png": 0, "tiff": 0, "bmp": 0}
"""How far a sample of 8 bits may be from what its effect produces, by profile or picture container."""

STRAY_PERMILLE = 30
"""How many in a thousand samples of a cover may be further off than that: an encoder's ringing along an edge."""

SUBSAMPLED = frozenset({"jpeg", "webp"})
"""Picture containers whose encoder stores colours at half the resolution."""


@dataclass(frozen=True)
class Finding:
    """The outcome of one content check."""

    name: str
    holds: bool
    detail: str


def check_content(media: MediaFile, manifest: Manifest, begins: Fraction = Fraction(0)) -> Iterator[Finding]:
    """Every check that needs the output and the manifest alone.

    `begins` is how many seconds after 0 ms of the manifest the output begins, where its earliest stream was dropped.
    """
    if manifest.source.kind == "picture":
        yield from _check_picture(media, manifest)
        return
    yield _check_structure(media, manifest)
    yield from _check_container(media, manifest)
    for place, index in enumerate(rendered_indexes(manifest)):
        record = manifest.source.streams[index]
        if isinstance(record, VideoStream):
            yield from _check_video(media, manifest, record, place)
        else:
            yield _check_sound(media, manifest, index, place, begins)


def _check_structure(media: MediaFile, manifest: Manifest) -> Finding:
    """Nothing stands in the file outside the structure that is written."""
    stray = stray_structure(media, manifest.output.container)
    return Finding("structure", stray is None, stray or "nothing but what is written")


def _check_container(media: MediaFile, manifest: Manifest) -> Iterator[Finding]:
    """The streams are those that the manifest renders, and nothing is written beside them."""
    wanted = [manifest.source.streams[i].type for i in rendered_indexes(manifest)]
    with demux(media) as container:
        found = [s.type for s in container.streams]
        yield Finding("streams", found == wanted, f"{found}; the manifest renders {wanted}")
        strays = readback.stray_tags(container) + (["chapters"] if container.chapters() else [])
        yield Finding("metadata", not strays, f"stray: {', '.join(strays)}" if strays else "none")
        codec = PROFILES[manifest.output.profile].decoder if manifest.output.profile else None
        codecs = {codec_name(s) for s in container.streams.video}
        yield Finding("codec", codecs <= {codec}, f"{', '.join(sorted(codecs)) or 'no video'}")


def _check_video(media: MediaFile, manifest: Manifest, record: VideoStream, place: int) -> Iterator[Finding]:
    """The frames and times of one stream are the source's, and every cover lies where the manifest says."""
    try:
        times, captions = _times(media, place)
    except MediaError as e:
        yield Finding(f"stream {record.index} decodes", False, str(e))
        return
    yield Finding(f"stream {record.index} captions", not captions, "there are captions" if captions else "none")
    yield Finding(f"stream {record.index} frames", len(times) == record.frames, f"{len(times)} of {record.frames}")
    pts = _source_pts(times, record)
    exact = pts is not None and pts_sha256(pts) == record.pts_sha256
    rounded = manifest.output.container == "mkv" and record.time_base != (1, 1000)
    yield Finding(
        f"stream {record.index} times",
        exact or rounded,
        "rounded to 1 ms by the container"
        if rounded and not exact
        else "the source's"
        if exact
        else "not the source's",
    )
    if len(times) != record.frames:
        return
    base = Fraction(*record.time_base)
    plan_pts = pts if pts is not None else [round(t / base) for t in times]
    yield _check_covers(_video_planes(media, manifest, record, place), manifest, record, plan_pts)


def _check_sound(media: MediaFile, manifest: Manifest, index: int, place: int, begins: Fraction) -> Finding:
    """Every range of one audio stream is silent or the beep, on every channel."""
    plan = sound_plan(manifest, index)
    zero = origin(media) - begins
    try:
        heard = next(audible_spans(media, place, plan, zero), None)
    except MediaError as e:
        return Finding(f"stream {index} sound", False, str(e))
    if heard is not None:
        return Finding(f"stream {index} sound", False, f"samples {heard.start} to {heard.end} can be heard")
    return Finding(f"stream {index} sound", True, "no range can be heard" if plan.ranges else "no range")


def _times(media: MediaFile, place: int) -> tuple[list[Fraction], bool]:
    """When each frame of a video stream is shown, in seconds, and whether captions travel with any."""
    with demux(media) as container:
        stream = next(s for s in container.streams.video if s.index == place)
        base = fraction(stream.time_base)
        told = [(frame.pts * base, has_captions(frame)) for frame in decode(container, stream) if frame.pts is not None]
        return [time for time, _ in told], any(captions for _, captions in told)


def _source_pts(times: Sequence[Fraction], record: VideoStream) -> list[int] | None:
    """The times as ticks of the source's time base, or None when they are no whole ticks."""
    ticks = [t / Fraction(*record.time_base) for t in times]
    return [int(t) for t in ticks] if all(t.denominator == 1 for t in ticks) else None


Painted = Iterator[tuple[int, list[Plane], Raster]]


def _video_planes(media: MediaFile, manifest: Manifest, record: VideoStream, place: int) -> Painted:
    """The planes of every frame, cut to the source's size (an odd side was widened)."""
    with demux(media) as container:
        stream = next(s for s in container.streams.video if s.index == place)
        for number, frame in enumerate(decode(container, stream)):
            layout = layout_of(frame.format.name)
            block = block_of(layout, frame.interlaced_frame)
            raster = Raster(record.coded_width, record.coded_height, record.orientation, *block)
            full = frame.format.name.startswith("yuvj") or int(frame.color_range) == 2
            planes = [
                replace(
                    p,
                    samples=p.samples[: -(-record.coded_height // p.step_y), : -(-record.coded_width // p.step_x)],
                )
                for p in frame_planes(frame, full)
            ]
            yield number, planes, raster


def _check_covers(
    painted: Painted,
    manifest: Manifest,
    record: VideoStream | PictureStream,
    pts: Sequence[int],
    encode: Encode | None = None,
) -> Finding:
    """Holds every cover of every frame against what its effect can produce."""
    kind = manifest.output.profile or manifest.output.container
    plan: StreamPlan | None = None
    checked = 0
    for number, planes, raster in painted:
        with patience():
            plan = plan or StreamPlan(manifest, record, pts, raster)
        for cover, owned in _owners(plan.at(number), raster):
            checked += 1
            with patience():
                stray = _stray_permille(cover, owned, planes, raster, TOLERANCE[kind])
                if stray > STRAY_PERMILLE and encode is not None:
                    stray = _stray_beyond_encoding(cover, owned, planes, TOLERANCE[kind], encode)
            if stray > STRAY_PERMILLE:
                name = manifest.tracks[cover.track].id if cover.track >= 0 else "everything but what is kept"
                return Finding(
                    f"stream {record.index} covers",
                    False,
                    f"{name} is not covered on frame {number} ({stray} in 1000 samples)",
                )
    return Finding(f"stream {record.index} covers", True, f"{checked} covers on the frames they are listed for")


def _owners(frame: FramePlan, raster: Raster) -> Iterator[tuple[Cover, NDArray[np.bool_]]]:
    """Each cover with the pixels on which it is the strongest: there its effect must be seen."""
    owner = np.full((raster.height, raster.width), -1, np.int64)
    covers = list(frame.covers)
    if frame.everything is not None:
        width, height = (
            -(-raster.width // raster.step_x) * raster.step_x,
            -(-raster.height // raster.step_y) * raster.step_y,
        )
        cells = frame.everything.cells if isinstance(frame.everything, Cells) else 1
        whole = Cover(-1, frame.everything, (0, 0, width, height), Edges(0, 0, width, height), (cells, cells))
        covers = [whole, *covers]
        owner[:] = 0
        for _, kept in frame.keeps:
            owner[kept.top : kept.bottom, kept.left : kept.right] = -1
    for place, cover in enumerate(covers):
        if cover.track < 0 or (patch := paint.patch_of(cover, raster)) is None:
            continue
        seen = clip(patch.visible, raster.width, raster.height)
        region = owner[seen.top : seen.bottom, seen.left : seen.right]
        region[paint.pixel_mask(patch, raster)] = place
    for place, cover in enumerate(covers):
        if (owned := owner == place).any():
            yield cover, owned


def _stray_permille(
    cover: Cover, owned: NDArray[np.bool_], planes: Sequence[Plane], raster: Raster, tolerance: int
) -> int:
    """The worst plane's share of samples that are further from the effect than the tolerance."""
    worst = 0
    for plane in planes:
        if plane.opaque:
            continue
        here = owned[:: plane.step_y, :: plane.step_x]
        rows, columns = np.nonzero(here)
        samples = plane.samples[rows, columns].astype(np.float64)
        allowed = tolerance * plane.quantum // 8
        off = np.abs(samples - modelled(cover, plane, rows, columns, samples)) - (not isinstance(cover.effect, Solid))
        worst = max(worst, int(1000 * np.count_nonzero(off > allowed) // max(1, off.size)))
    return worst


def _stray_beyond_encoding(
    cover: Cover, owned: NDArray[np.bool_], planes: Sequence[Plane], tolerance: int, encode: Encode
) -> int:
    """`_stray_permille` for a picture whose encoder lets colours bleed over a cover's edge, which is allowed as far."""
    pixels = np.stack([plane.samples for plane in planes], axis=2)
    model = pixels.copy()
    rows, columns = np.nonzero(owned)
    for band, plane in enumerate(planes):
        if not plane.opaque:
            samples = plane.samples[rows, columns].astype(np.float64)
            model[rows, columns, band] = modelled(cover, plane, rows, columns, samples).round().clip(0, 255)
    least, greatest = bounds(pixels, owned, model, encode)
    off = np.maximum(pixels.astype(np.int64) - greatest, least.astype(np.int64) - pixels)[owned]
    shown = [not plane.opaque for plane in planes]
    return int((1000 * np.count_nonzero(off > tolerance, axis=0) // max(1, len(rows)))[shown].max())


def _check_picture(media: MediaFile, manifest: Manifest) -> Iterator[Finding]:
    """A picture holds pixels alone, in the frames and times of the source, covered where the manifest says."""
    record = manifest.source.streams[0]
    if not isinstance(record, PictureStream):
        raise VeridactError("the manifest lists no picture")
    yield _check_structure(media, manifest)
    with open_picture(media) as image:
        beside = sorted(readback.picture_metadata(image))
        yield Finding("metadata", not beside, f"stray: {', '.join(beside)}" if beside else "none")
        found = [(np.asarray(f), duration) for f, duration in picture_frames(image)]
        container = manifest.output.container
        encode = encoder(PILLOW_FORMAT[container], save_options(image, manifest)) if container in SUBSAMPLED else None
    sizes = {pixels.shape[:2] for pixels, _ in found}
    good = len(found) == record.frames and sizes == {(record.height, record.width)}
    yield Finding("frames", good, f"{len(found)} of {record.frames}")
    if good:
        raster = Raster(record.width, record.height, 1, 1, 1)
        pts = picture_pts([duration for _, duration in found])
        planes = ((n, _planes_of(pixels), raster) for n, (pixels, _) in enumerate(found))
        yield _check_covers(planes, manifest, record, pts, encode)


def _planes_of(pixels: Samples) -> list[Plane]:
    cube: Any = pixels if pixels.ndim == 3 else pixels[:, :, None]
    return picture_planes(cube, {1: "L", 3: "RGB", 4: "RGBA"}[cube.shape[2]])
