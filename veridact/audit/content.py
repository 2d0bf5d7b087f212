"""Checking an output against its manifest without the original: what should be covered is, and nothing else is there.

For every cover on every frame the decoded samples are compared with what its effect can produce: a solid is black, a
mosaic is flat within its cells, a blur is a straight line between cell centres. What an encoder adds to that is
bounded; detail is not, so a cover that is missing, shifted or too weak is found. Which pixels have to show which cover
is asked of the plan (`plan.visibility.owned`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from veridact.audit import alpha_content
from veridact.audit.ancillary import file_leak, stream_leak
from veridact.audit.audio_content import audible_spans
from veridact.audit.checks import Finding
from veridact.audit.cover_content import SUBSAMPLED, Painted, check_covers
from veridact.audit.picture_encoding import encoder
from veridact.audit.structure.walk import stray_structure
from veridact.errors import MediaError, VeridactError
from veridact.media.frames.side_data import has_captions
from veridact.media.origin import origin
from veridact.media.pictures import frames as picture_frames
from veridact.media.pictures import open_picture
from veridact.media.probe import codec_name, picture_pts
from veridact.media.video import MediaFile, decode, demux, fraction
from veridact.render import readback
from veridact.render.pictures.stream import PILLOW_FORMAT, save_options
from veridact.render.video.encoder import PROFILES
from veridact.render.video.interlace import block_of
from veridact.render.video.planes import Plane, Samples, frame_planes, layout_of, picture_planes
from veridact.sandbox.heartbeat import patience
from veridact.schema.manifest import Manifest, PictureStream, VideoStream
from veridact.schema.plan.audio import sound_plan
from veridact.schema.plan.dispositions import rendered_indexes
from veridact.schema.plan.video import Raster
from veridact.schema.timeline import constant_rate, constant_rate_near, pts_sha256


def check_content(media: MediaFile, manifest: Manifest, begins: Fraction = Fraction(0)) -> Iterator[Finding]:
    """Every check that needs the output and the manifest alone.

    `begins` is how many seconds after 0 ms of the manifest the output begins, where its earliest stream was dropped.
    """
    if manifest.source.kind == "picture":
        yield from _check_picture(media, manifest)
        return
    yield _check_structure(media, manifest)
    yield from _check_container(media, manifest)
    for position, index in enumerate(rendered_indexes(manifest)):
        record = manifest.source.streams[index]
        if isinstance(record, VideoStream):
            yield from _check_video(media, manifest, record, position)
        else:
            yield _check_sound(media, manifest, index, position, begins)
            yield _check_ancillary(media, index, position)


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
        leak = file_leak(media, manifest.output.container)
        if leak is not None:
            yield Finding("file header", False, leak)
        codec = PROFILES[manifest.output.profile].decoder if manifest.output.profile else None
        codecs = {codec_name(s) for s in container.streams.video}
        yield Finding("codec", codecs <= {codec}, f"{', '.join(sorted(codecs)) or 'no video'}")


def _check_video(media: MediaFile, manifest: Manifest, record: VideoStream, position: int) -> Iterator[Finding]:
    """The frames and times of one stream are the source's, and every cover lies where the manifest says."""
    try:
        times, captions, size, block = _times(media, position)
    except MediaError as e:
        yield Finding(f"stream {record.index} decodes", False, str(e))
        return
    yield Finding(f"stream {record.index} captions", not captions, "there are captions" if captions else "none")
    wanted = (record.coded_width, record.coded_height)
    yield Finding(
        f"stream {record.index} size",
        size in (wanted, tuple(-(-side // step) * step for side, step in zip(wanted, block, strict=True))),
        f"{size[0]}x{size[1]}",
    )
    yield Finding(f"stream {record.index} frames", len(times) == record.frames, f"{len(times)} of {record.frames}")
    with patience():
        finding, pts = check_times(times, record, manifest.output.container)
    yield finding
    if len(times) != record.frames:
        return
    yield check_covers(_video_planes(media, manifest, record, position), manifest, record, pts)
    if (colours := alpha_content.footage(_video_planes(media, manifest, record, position))) is not None:
        yield Finding(f"stream {record.index} colours under alpha 0", *colours)


def check_times(times: Sequence[Fraction], record: VideoStream, container: str) -> tuple[Finding, Sequence[int]]:
    """Whether frames at these seconds are shown at the source's times, and the timestamps that place its covers.

    Matroska rounds to 1 ms. The source's timestamps are then reconstructed where its rate is constant, frames left out
    or not, which `pts_sha256` proves; elsewhere the nearest ticks place the covers, and any times pass.
    """
    name, base = f"stream {record.index} times", Fraction(*record.time_base)
    nearest = [round(t / base) for t in times]
    exact = all(ticks * base == t for ticks, t in zip(nearest, times, strict=True))
    if exact and pts_sha256(nearest) == record.pts_sha256:
        return Finding(name, True, "the source's"), nearest
    if container != "mkv" or base == readback.MATROSKA_TICK_SECONDS:
        return Finding(name, False, "not the source's"), nearest
    digest = record.pts_sha256
    source = constant_rate(base, record.frames, digest) or constant_rate_near(times, base, digest)
    if source is None:
        return Finding(name, True, "rounded to 1 ms by the container"), nearest
    same = list(times) == [readback.round_to_tick(readback.MATROSKA_TICK_SECONDS, ticks * base) for ticks in source]
    return Finding(name, same, "rounded to 1 ms by the container" if same else "not the source's"), source


def _check_sound(media: MediaFile, manifest: Manifest, index: int, position: int, begins: Fraction) -> Finding:
    """Every range of one audio stream is silent or the beep, on every channel."""
    plan = sound_plan(manifest, index)
    zero = origin(media) - begins
    try:
        heard = next(audible_spans(media, position, plan, zero), None)
    except MediaError as e:
        return Finding(f"stream {index} sound", False, str(e))
    if heard is not None:
        return Finding(f"stream {index} sound", False, f"samples {heard.start} to {heard.end} can be heard")
    return Finding(f"stream {index} sound", True, "no range can be heard" if plan.ranges else "no range")


def _check_ancillary(media: MediaFile, index: int, position: int) -> Finding:
    """One audio stream holds nothing but sound, in its codec header and in its packets."""
    try:
        leak = stream_leak(media, position)
    except MediaError as e:
        leak = str(e)
    return Finding(f"stream {index} ancillary data", leak is None, leak or "none")


def _times(media: MediaFile, position: int) -> tuple[list[Fraction], bool, tuple[int, int], tuple[int, int]]:
    """When each frame of a video stream is shown, in seconds, whether captions travel with any, size and chroma block.

    The block is that of interlaced frames where any is interlaced.
    """
    times, captions, interlaced = [], False, False
    with demux(media) as container:
        stream = next(s for s in container.streams.video if s.index == position)
        base = fraction(stream.time_base)
        for frame in decode(container, stream):
            times.append((frame.pts or 0) * base)
            captions |= has_captions(frame)
            interlaced |= bool(frame.interlaced_frame)
    return times, captions, (frame.width, frame.height), block_of(layout_of(frame.format.name), interlaced)


def _video_planes(media: MediaFile, manifest: Manifest, record: VideoStream, position: int) -> Painted:
    """The planes of every frame, cut to the source's size (an odd side was widened)."""
    with demux(media) as container:
        stream = next(s for s in container.streams.video if s.index == position)
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
    if (colours := alpha_content.picture((p for p, _ in found), manifest.output.container)) is not None:
        yield Finding("colours under alpha 0", *colours)
    good = len(found) == record.frames and sizes == {(record.height, record.width)}
    yield Finding("frames", good, f"{len(found)} of {record.frames}")
    if good:
        raster = Raster.displayed(record)
        pts = picture_pts([duration for _, duration in found])
        planes = ((n, _planes_of(pixels), raster) for n, (pixels, _) in enumerate(found))
        yield check_covers(planes, manifest, record, pts, encode)


def _planes_of(pixels: Samples) -> list[Plane]:
    """The planes of a picture as (rows, columns) or (rows, columns, bands)."""
    cube: Any = pixels if pixels.ndim == 3 else pixels[:, :, None]
    return picture_planes(cube, {1: "L", 3: "RGB", 4: "RGBA"}[cube.shape[2]])
