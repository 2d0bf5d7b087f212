"""Still and animated pictures: oriented as displayed, painted, and saved with pixels and no metadata."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import get_sampling

from veridact.errors import BindingError, MediaError, VeridactError
from veridact.media.density import FIELDS as DENSITY_FIELDS
from veridact.media.density import HOLDS_DENSITY, Density, density_of, with_density
from veridact.media.density import save_options as density_options
from veridact.media.pictures import (
    exif_orientation,
    frame_count,
    frames,
    has_exif,
    open_picture,
    pixels_of,
    strips,
)
from veridact.media.probe import picture_pts
from veridact.media.video import MediaFile, open_media
from veridact.render import readback
from veridact.render.pictures import gif, webp
from veridact.render.pictures.warnings import warnings_of
from veridact.render.publish import StagingFolder
from veridact.render.receipt_entries import OutputStreamRecord, RenderResult, StreamOutcome, safe_names
from veridact.render.video.paint import paint
from veridact.render.video.planes import Samples, picture_planes
from veridact.render.video.transparency import BLACKENED, blacken
from veridact.sandbox.heartbeat import beat, patience
from veridact.schema.manifest import Manifest, PictureStream
from veridact.schema.plan.video import Raster, StreamPlan
from veridact.schema.timeline import pts_sha256

PILLOW_FORMAT = {"jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "tiff": "TIFF", "bmp": "BMP", "gif": "GIF"}
CAN_ANIMATE = frozenset({"png", "webp", "gif"})
DEFAULT_QUALITY = 92
KEEPS_ALPHA = frozenset({"png", "webp", "tiff", "gif"})
SIXTEEN_BIT = frozenset({"png", "tiff"})
LOSSLESS = frozenset({"png", "tiff", "bmp"})
PALETTE_COLOURS = 256
ALPHA_THRESHOLD = 128
"""In GIF, which has no partial transparency, alpha below this is transparent."""

Covered = dict[int, tuple[int, int]]
"""For each track, by its index in the manifest: the frames on which it was painted, and the pixels in all."""


@dataclass(frozen=True)
class SavedPicture:
    """A picture painted and saved, before it is read back: `frames` are (rows, columns, bands) arrays."""

    frames: Sequence[Samples]
    options: Mapping[str, Any]
    covered: Covered
    dropped: Sequence[str]
    warnings: Sequence[str]
    density: Density | None


def render_picture(
    media: MediaFile, manifest: Manifest, staging: StagingFolder, jobs: int, report: Any
) -> SavedPicture:
    """Paints every frame of a picture and saves it as the staged output.

    Raises `BindingError` for a picture that the manifest does not describe, `MediaError` for one that cannot be saved
    exactly.
    """
    record = _picture_record(manifest)
    container = manifest.output.container
    with open_picture(media) as image:
        warnings, density = list(warnings_of(image)), kept_density(image, record, container)
        check_picture(image, record)
        options = save_options(image, manifest) | density_options(density, container)
        names = {str(name) for name in image.info} - (DENSITY_FIELDS if density else frozenset())
        dropped = safe_names([*names, *(["exif"] if has_exif(image) else [])])
        decoded, durations_ms = _decode(image)
    blackened = sum(blacken(picture_planes(pixels, _bands(pixels)), (1, 1)) for pixels in decoded)
    warnings += [f"{blackened} {BLACKENED}"] if blackened else []
    covered = _paint(decoded, manifest, record, durations_ms)
    with patience():
        _save(decoded, durations_ms, staging.output, container, options, density)
    return SavedPicture(decoded, options, covered, dropped, warnings, density)


def read_back_picture(
    media: MediaFile, manifest: Manifest, staging: StagingFolder, saved: SavedPicture
) -> RenderResult:
    """Reads the staged output back, compares it with what was painted, and gives the facts for the receipt."""
    container, codec = manifest.output.container, _picture_record(manifest).codec
    digests = _read_back(staging.output, saved.frames, container)
    options = {name: str(value) for name, value in sorted(saved.options.items())}
    if saved.density is not None:
        options["density"] = f"{saved.density.across} {saved.density.down} {saved.density.unit}"
    return RenderResult(
        encoder={"encoder": f"pillow {PILLOW_FORMAT[container]}", **options},
        streams=[StreamOutcome(0, "picture", codec, "re-encoded", "covers are painted", saved.dropped)],
        outputs=[OutputStreamRecord("picture", container, len(saved.frames), readback.content_digest(digests))],
        covered=saved.covered,
        warnings=saved.warnings,
    )


def _picture_record(manifest: Manifest) -> PictureStream:
    """The only stream of a picture's manifest."""
    record = manifest.source.streams[0]
    if not isinstance(record, PictureStream):
        raise BindingError("the manifest lists no picture; run locate again")
    return record


def kept_density(image: Image.Image, record: PictureStream, container: str) -> Density | None:
    """The density of the displayed picture, where it has one that the container holds."""
    density = density_of(image) if container in HOLDS_DENSITY else None
    return None if density is None else density.turned(record.orientation)


def check_picture(image: Image.Image, record: PictureStream) -> None:
    """Raises `BindingError` for a picture of another size, orientation or number of frames than the manifest's."""
    stored = (record.coded_width, record.coded_height, record.orientation, record.frames)
    if (*image.size, exif_orientation(image), frame_count(image)) != stored:
        raise BindingError(
            "the picture has another size, orientation or number of frames than the manifest; run locate again"
        )


def save_options(image: Image.Image, manifest: Manifest) -> dict[str, Any]:
    """Pillow's save options: all that decides output bytes besides the pixels, nothing from the source's metadata."""
    quality = manifest.output.quality or DEFAULT_QUALITY
    match manifest.output.container:
        case "jpeg":
            sampling = get_sampling(image) if image.format == "JPEG" else 0
            return {"quality": quality, "subsampling": sampling if sampling in {0, 1, 2} else 0, "optimize": False}
        case "webp":
            return {"quality": quality, "method": 4, "lossless": False}
        case "png":
            return {"compress_level": 6}
        case "tiff":
            return {"compression": "tiff_deflate"}
        case _:
            return {}


def _decode(image: Image.Image) -> tuple[list[Samples], list[int]]:
    """Every frame as displayed, as a (rows, columns, bands) array, and its duration in milliseconds."""
    decoded: list[Samples] = []
    durations_ms: list[int] = []
    for frame, duration_ms in frames(image):
        decoded.append(pixels_of(frame))
        durations_ms.append(duration_ms)
    return decoded, durations_ms


def _paint(
    decoded: Sequence[Samples], manifest: Manifest, record: PictureStream, durations_ms: Sequence[int]
) -> Covered:
    """Paints the covers on every frame in place; raises `BindingError` for other frame times than the manifest's."""
    pts = picture_pts(durations_ms)
    if record.pts_sha256 is not None and record.pts_sha256 != pts_sha256(pts):
        raise BindingError("the picture's frames have other times than in the manifest; run locate again")
    raster = Raster.displayed(record)
    with patience():
        plan = StreamPlan(manifest, record, pts, raster)
    covered: Covered = {}
    for number, pixels in enumerate(decoded):
        beat()
        for track, count in paint(picture_planes(pixels, _bands(pixels)), plan.at(number)).items():
            frames_before, pixels_before = covered.get(track, (0, 0))
            covered[track] = (frames_before + 1, pixels_before + count)
    return covered


def _bands(pixels: Samples) -> str:
    """The bands of a (rows, columns, bands) array, as Pillow names them."""
    return {1: "L", 3: "RGB", 4: "RGBA"}[pixels.shape[2]]


def _save(
    painted: Sequence[Samples],
    durations_ms: Sequence[int],
    path: Path,
    container: str,
    options: dict[str, Any],
    density: Density | None,
) -> None:
    """Saves the painted frames; raises `MediaError` for what the container has no exact form of."""
    if len(painted) > 1 and container not in CAN_ANIMATE:
        raise MediaError(f"{container} cannot hold {len(painted)} frames; use container png, webp or gif")
    images = [Image.fromarray(pixels if pixels.shape[2] > 1 else pixels[:, :, 0]) for pixels in painted]
    if container not in SIXTEEN_BIT and images[0].mode == "I;16":
        raise MediaError(f"{container} cannot hold 16 bits; use container png or tiff")
    if container not in KEEPS_ALPHA and images[0].mode == "RGBA":
        raise MediaError(f"{container} cannot hold transparency; use container png")
    animated: dict[str, Any] = (
        {
            "save_all": True,
            "append_images": images[1:],
            "duration": list(durations_ms),
            "disposal": _disposals(painted),
            "loop": 0,
        }
        if len(images) > 1
        else {}
    )
    if container == "gif":
        transparent = any(
            pixels.shape[2] == 4 and bool((pixels[:, :, 3] < ALPHA_THRESHOLD).any()) for pixels in painted
        )
        images[:] = [to_palette(pixels, PALETTE_COLOURS - transparent) for pixels in painted]
    match container, len(images) > 1:
        case "gif", True:
            path.write_bytes(gif.animation(images, durations_ms, transparent))
        case "webp", True:
            path.write_bytes(webp.animation(images, durations_ms, options))
        case _:
            file = io.BytesIO()
            images[0].save(file, format=PILLOW_FORMAT[container], **options, **animated)
            path.write_bytes(with_density(file.getvalue(), density, container))


def _disposals(painted: Sequence[Samples]) -> list[int]:
    """The APNG disposal of each frame: 0 keeps it, 1 clears it.

    Pillow merges consecutive equal frames into one unless their disposals differ.
    """
    disposals = [0]
    for previous, frame in pairwise(painted):
        disposals.append(1 - disposals[-1] if np.array_equal(previous, frame) else 0)
    return disposals


def to_palette(pixels: Samples, max_colours: int = PALETTE_COLOURS) -> Image.Image:
    """A frame as a GIF image: its exact colours where there are at most `max_colours`, else quantised and dithered."""
    has_alpha = pixels.shape[2] == 4
    rgba = np.full((*pixels.shape[:2], 4), 255, np.uint8)
    rgba[:, :, : 4 if has_alpha else 3] = pixels
    if has_alpha:
        rgba[rgba[:, :, 3] < ALPHA_THRESHOLD] = 0
        rgba[rgba[:, :, 3] >= ALPHA_THRESHOLD, 3] = 255
    colours, indexes = np.unique(rgba.view("<u4")[:, :, 0], return_inverse=True)
    if len(colours) <= max_colours:
        image = Image.fromarray(indexes.reshape(pixels.shape[:2]).astype(np.uint8))
        image.putpalette(colours.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes())
        if colours[0] == 0:
            image.info["transparency"] = 0
        return image
    if colours[0] == 0:
        return Image.fromarray(rgba)  # Pillow makes the palette of an image with transparent pixels itself
    flat = Image.fromarray(np.ascontiguousarray(rgba[:, :, :3]))
    return flat.quantize(max_colours, palette=flat.quantize(max_colours), dither=Image.Dither.FLOYDSTEINBERG)


def _read_back(path: Path, painted: Sequence[Samples], container: str) -> list[str]:
    """The digest of each frame of the saved picture; raises `VeridactError` for other pixels or for metadata."""
    with open_media(path) as media, open_picture(media) as image:
        if frame_count(image) != len(painted):
            raise VeridactError(f"the written picture has {frame_count(image)} frames, not {len(painted)}")
        if readback.picture_metadata(image):
            raise VeridactError("the written picture holds more than pixels")
        digests: list[str] = []
        for (frame, _), pixels in zip(frames(image), painted, strict=True):
            digest, top = hashlib.sha256(), 0
            for strip in strips(frame):
                expected = pixels[top : top + strip.shape[0]]
                if container in LOSSLESS and not np.array_equal(strip.reshape(expected.shape), expected):
                    raise VeridactError("the written picture does not hold the painted pixels")
                digest.update(np.ascontiguousarray(strip).data)
                top += strip.shape[0]
            digests.append(digest.hexdigest())
    return digests
