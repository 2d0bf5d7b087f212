"""Still and animated pictures: turned upright, painted, and written anew with pixels and nothing else."""

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import get_sampling

from veridact.errors import BindingError, MediaError, VeridactError
from veridact.media.pictures import exif_orientation, frame_count, frames, has_exif, open_picture, pixels_of, strips
from veridact.media.probe import picture_pts
from veridact.media.video import MediaFile, open_media
from veridact.render import readback
from veridact.render.pictures import gif, webp
from veridact.render.publish import Place
from veridact.render.receipt_entries import OutputStreamRecord, Rendered, StreamOutcome, safe_names
from veridact.render.video.paint import paint
from veridact.render.video.planes import Samples, picture_planes
from veridact.sandbox.heartbeat import beat, patience
from veridact.schema.manifest import Manifest, PictureStream
from veridact.schema.plan.video import Raster, StreamPlan
from veridact.schema.timeline import pts_sha256

PILLOW_FORMAT = {"jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "tiff": "TIFF", "bmp": "BMP", "gif": "GIF"}
CAN_ANIMATE = frozenset({"png", "webp", "gif"})
DEFAULT_QUALITY = 92
KEEPS_ALPHA = frozenset({"png", "webp", "tiff", "gif"})
DEEP = frozenset({"png", "tiff"})
LOSSLESS = frozenset({"png", "tiff", "bmp"})
PALETTE_COLOURS = 256
HALF = 128
"""Less opaque than this is transparent where there is nothing between."""

LESS_DEEP = "8 of 16 bits of each colour are kept"

Covered = dict[int, tuple[int, int]]


def render_picture(media: MediaFile, manifest: Manifest, place: Place, jobs: int, report: Any) -> Rendered:
    """Renders a picture to `place.new_output` and checks what was written."""
    record = manifest.source.streams[0]
    if not isinstance(record, PictureStream):
        raise BindingError("the manifest lists no picture")
    container = manifest.output.container
    with open_picture(media) as image:
        warnings = [LESS_DEEP] if _has_deep_colours(image) else []
        check_picture(image, record)
        options = save_options(image, manifest)
        dropped = safe_names([*map(str, image.info), *(["exif"] if has_exif(image) else [])])
        shown, durations_ms = _decode(image)
    covered = _paint(shown, manifest, record, durations_ms)
    with patience():
        _save(shown, durations_ms, place.new_output, container, options)
    digests = _read_back(place.new_output, shown, container)
    return Rendered(
        encoder={"encoder": f"pillow {PILLOW_FORMAT[container]}", **{k: str(v) for k, v in sorted(options.items())}},
        streams=[StreamOutcome(0, "picture", record.codec, "re-encoded", "covers are painted", dropped)],
        outputs=[OutputStreamRecord("picture", container, len(shown), readback.content_digest(digests))],
        covered=covered,
        warnings=warnings,
    )


def _has_deep_colours(image: Image.Image) -> bool:
    """Whether a picture that is not yet decoded has 16 bits a colour, of which Pillow gives the upper eight."""
    return image.mode not in {"I;16", "I;16B", "I;16L"} and any(
        ";16" in str(tile) for tile in getattr(image, "tile", ())
    )


def check_picture(image: Image.Image, record: PictureStream) -> None:
    """Refuses a picture that is not what the manifest says."""
    stored = (record.coded_width, record.coded_height, record.orientation, record.frames)
    if (*image.size, exif_orientation(image), frame_count(image)) != stored:
        raise BindingError("the picture has another size, orientation or number of frames than the manifest")


def save_options(image: Image.Image, manifest: Manifest) -> dict[str, Any]:
    """What Pillow is told besides the pixels: everything that decides bytes, nothing copied from the source's tags."""
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
    """Every frame as displayed, as an array (rows, columns, bands), and how long each is shown."""
    shown: list[Samples] = []
    durations_ms: list[int] = []
    for frame, duration_ms in frames(image):
        shown.append(pixels_of(frame))
        durations_ms.append(duration_ms)
    return shown, durations_ms


def _paint(shown: Sequence[Samples], manifest: Manifest, record: PictureStream, durations_ms: Sequence[int]) -> Covered:
    pts = picture_pts(durations_ms)
    if record.pts_sha256 is not None and record.pts_sha256 != pts_sha256(pts):
        raise BindingError("the picture's frames are shown at other times than the manifest says")
    raster = Raster.displayed(record)
    with patience():
        plan = StreamPlan(manifest, record, pts, raster)
    covered: Covered = {}
    for number, pixels in enumerate(shown):
        bands = {1: "L", 3: "RGB", 4: "RGBA"}[pixels.shape[2]]
        beat()
        for track, count in paint(picture_planes(pixels, bands), plan.at(number)).items():
            before = covered.get(track, (0, 0))
            covered[track] = (before[0] + 1, before[1] + count)
    return covered


def _save(
    shown: Sequence[Samples], durations_ms: Sequence[int], path: Path, container: str, options: dict[str, Any]
) -> None:
    if len(shown) > 1 and container not in CAN_ANIMATE:
        raise MediaError(f"{container} cannot hold {len(shown)} frames; use container png, webp or gif")
    images = [Image.fromarray(pixels if pixels.shape[2] > 1 else pixels[:, :, 0]) for pixels in shown]
    if container not in DEEP and images[0].mode == "I;16":
        raise MediaError(f"{container} cannot hold 16 bits; use container png or tiff")
    if container not in KEEPS_ALPHA and images[0].mode == "RGBA":
        raise MediaError(f"{container} cannot hold transparency; use container png")
    animated: dict[str, Any] = (
        {
            "save_all": True,
            "append_images": images[1:],
            "duration": list(durations_ms),
            "disposal": _unmerged(shown),
            "loop": 0,
        }
        if len(images) > 1
        else {}
    )
    if container == "gif":
        holes = any(pixels.shape[2] == 4 and bool((pixels[:, :, 3] < HALF).any()) for pixels in shown)
        images[:] = [indexed(pixels, PALETTE_COLOURS - holes) for pixels in shown]
    match container, len(images) > 1:
        case "gif", True:
            path.write_bytes(gif.animation(images, durations_ms, holes))
        case "webp", True:
            path.write_bytes(webp.animation(images, durations_ms, options))
        case _:
            images[0].save(path, format=PILLOW_FORMAT[container], **options, **animated)


def _unmerged(shown: Sequence[Samples]) -> list[int]:
    """How each frame of a PNG goes: kept or cleared. Pillow makes one frame of equal ones unless that differs."""
    goes = [0]
    for before, frame in pairwise(shown):
        goes.append(1 - goes[-1] if np.array_equal(before, frame) else 0)
    return goes


def indexed(pixels: Samples, most: int = PALETTE_COLOURS) -> Image.Image:
    """A frame of a GIF: its very colours where there are no more than `most`, else the nearest, dithered."""
    seen = pixels.shape[2] == 4
    rgba = np.full((*pixels.shape[:2], 4), 255, np.uint8)
    rgba[:, :, : 4 if seen else 3] = pixels
    if seen:
        rgba[rgba[:, :, 3] < HALF] = 0
        rgba[rgba[:, :, 3] >= HALF, 3] = 255
    colours, places = np.unique(rgba.view("<u4")[:, :, 0], return_inverse=True)
    if len(colours) <= most:
        image = Image.fromarray(places.reshape(pixels.shape[:2]).astype(np.uint8))
        image.putpalette(colours.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes())
        if colours[0] == 0:
            image.info["transparency"] = 0
        return image
    flat = Image.fromarray(np.ascontiguousarray(rgba[:, :, :3]))
    if colours[0] == 0:
        return Image.fromarray(rgba)  # Pillow finds the palette for what is partly transparent
    return flat.quantize(most, palette=flat.quantize(most), dither=Image.Dither.FLOYDSTEINBERG)


def _read_back(path: Path, shown: Sequence[Samples], container: str) -> list[str]:
    """The digest of each frame of the written picture; raises when it holds other pixels or anything but pixels."""
    with open_media(path) as media, open_picture(media) as image:
        if frame_count(image) != len(shown):
            raise VeridactError(f"the written picture has {frame_count(image)} frames, not {len(shown)}")
        if readback.beside_pixels(image):
            raise VeridactError("the written picture holds more than pixels")
        digests: list[str] = []
        for (frame, _), pixels in zip(frames(image), shown, strict=True):
            digest, top = hashlib.sha256(), 0
            for strip in strips(frame):
                painted = pixels[top : top + strip.shape[0]]
                if container in LOSSLESS and not np.array_equal(strip.reshape(painted.shape), painted):
                    raise VeridactError("the written picture does not hold the painted pixels")
                digest.update(np.ascontiguousarray(strip).data)
                top += strip.shape[0]
            digests.append(digest.hexdigest())
    return digests
