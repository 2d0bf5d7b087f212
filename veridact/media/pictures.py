"""Pictures, opened with Pillow: listed formats only, sizes limited, orientation applied, colours converted to sRGB."""

import ctypes
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import BufferedReader, RawIOBase
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError, _imaging

from veridact.errors import MediaError, MissingModelError
from veridact.media.colour import png_chunks
from veridact.media.colour.colours import described_colours, icc_profile_of, shown_as_srgb, to_srgb
from veridact.media.colour.heif_colour import colour_codes
from veridact.media.colour.picture_modes import in_painted_mode, mask_of_deep_key
from veridact.media.guards.gif import has_more_frames
from veridact.media.guards.jpeg import CHUNK_BYTES, check_scans
from veridact.media.guards.jpeg_data import check_whole
from veridact.media.guards.tiff import check_one_picture
from veridact.media.reader import Reader
from veridact.media.video import MAX_PIXELS, MediaFile
from veridact.sandbox.heartbeat import beat

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

FORMATS = ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "AVIF", "HEIF")
MAX_PICTURE_FRAMES = 10_000
MAX_ANIMATED_PIXELS = 4096 * 4096
"""Of one frame of an animated picture; Pillow keeps about five of them while it composes one."""

MAX_ANIMATION_PIXELS = 1 << 27
"""Of all frames of a picture together, which are kept in memory: 512 MiB at four bytes a pixel."""

STRIP_ROWS = 64

ANIMATED = frozenset({"GIF", "WEBP", "PNG", "AVIF"})
CONTAINER_OF = {
    "JPEG": "jpeg",
    "PNG": "png",
    "WEBP": "webp",
    "TIFF": "tiff",
    "BMP": "bmp",
    "GIF": "gif",
    "AVIF": "png",
    "HEIF": "png",
}
"""The container that `locate` chooses for each format that is read; AVIF and HEIF become PNG (SPEC §5)."""

TRANSPOSITION = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transposition that turns the stored picture into the displayed one, by EXIF orientation."""


class _File(RawIOBase):
    """A `Reader` as the raw file object that Pillow needs."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def readable(self) -> bool:
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Reads up to the length of `buffer` into it; returns the number of bytes."""
        view = memoryview(buffer).cast("B")
        data = self._reader.read(len(view))
        view[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Sets the position; returns it."""
        return self._reader.seek(offset, whence)

    def tell(self) -> int:
        """The position."""
        return self._reader.tell()


def _register_heif() -> None:
    """Registers the HEIF decoder with Pillow; raises `MissingModelError` when its extra is not installed."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise MissingModelError("HEIC pictures need the extra: pip install 'veridact[heic]'") from None
    register_heif_opener(thumbnails=False)


def _quiet_libtiff() -> None:
    """Removes libtiff's error and warning handlers, which would write to stderr beside our one line."""
    library = ctypes.CDLL(_imaging.__file__)
    for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
        if hasattr(library, name):
            getattr(library, name)(None)


@contextmanager
def open_picture(media: MediaFile) -> Iterator[Image.Image]:
    """The picture in `media`, not yet decoded; raises `MediaError` when it cannot be read or is too large."""
    name = media.format.name
    if name == "HEIF":
        _register_heif()
    if name == "TIFF":
        _quiet_libtiff()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            file = BufferedReader(_File(media.reader()))
            if name == "GIF" and has_more_frames(file, MAX_PICTURE_FRAMES):
                raise MediaError(f"more than {MAX_PICTURE_FRAMES} frames; cut it first")
            if name == "JPEG":
                check_scans(iter(partial(media.reader().read, CHUNK_BYTES), b""))
            if name == "TIFF":
                check_one_picture(file)
            file.seek(0)
            with Image.open(file, formats=[name]) as image:
                _check_size(image)
                if name == "JPEG":
                    check_whole(media.reader().read())
                if name == "PNG":
                    _describe_png(image, media)
                if name in {"AVIF", "HEIF"} and (codes := colour_codes(media.reader())) is not None:
                    image.info["cicp"] = codes
                yield image
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise MediaError("the picture declares more pixels than is safe to decode") from None
        except UnidentifiedImageError:
            raise MediaError(f"not a readable {name} picture") from None
        except (
            OSError,
            SyntaxError,
            ValueError,
            EOFError,
            IndexError,
            KeyError,
            TypeError,
            RuntimeError,
            MemoryError,
            struct.error,
        ) as e:
            raise MediaError(f"the {name} picture does not decode: {str(e)[:100] or type(e).__name__}") from None


def _describe_png(image: Image.Image, media: MediaFile) -> None:
    """Sets what the chunks of a PNG say about its samples, before it is decoded."""
    deep = any("RGB;16" in str(tile) for tile in getattr(image, "tile", ()))
    png_chunks.describe(image.info, png_chunks.read_chunks(media.reader()))
    if deep and isinstance(key := image.info.get("transparency"), tuple):
        if frame_count(image) > 1:
            raise MediaError("an animation of 16 bits with a transparent colour; convert it to 8 bits a channel first")
        image.info["transparency"] = mask_of_deep_key(BufferedReader(_File(media.reader())), key)


def _check_size(image: Image.Image) -> None:
    """Raises `MediaError` for a picture that declares more pixels or frames than allowed, before decoding it."""
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        raise MediaError(f"more than {MAX_PIXELS} pixels; scale it down first")
    count = frame_count(image)
    if count > MAX_PICTURE_FRAMES:
        raise MediaError(f"more than {MAX_PICTURE_FRAMES} frames; cut it first")
    if count > 1 and (pixels > MAX_ANIMATED_PIXELS or pixels * count > MAX_ANIMATION_PIXELS):
        raise MediaError("the animated picture is too large to hold; turn it into a video or scale it down first")


_UNREADABLE = (ValueError, SyntaxError, OSError, KeyError, IndexError, TypeError)


def has_exif(image: Image.Image) -> bool:
    """Whether the picture has EXIF metadata, readable or not."""
    image.load()
    try:
        return bool(image.getexif())
    except _UNREADABLE:
        return True


def exif_orientation(image: Image.Image) -> int:
    """The EXIF orientation of the picture; 1 where there is none, or none from 1 to 8.

    Unreadable EXIF counts as orientation 1: the output has no EXIF, so it is displayed as it was covered. The picture
    is loaded first, because reading EXIF decodes a PNG, and a decoding error, which Pillow raises only once, must not
    be taken for unreadable EXIF.
    """
    image.load()
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except _UNREADABLE:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


PANORAMA_NAMESPACES = (b"ns.google.com/photos/1.0/panorama", b"ns.google.com/photos/1.0/image")
"""Of the XMP that marks 360° panoramas and stereo pictures (Google's GPano and GImage)."""


def is_panorama(image: Image.Image) -> bool:
    """Whether XMP tells viewers to show the picture as a panorama or in stereo; of a picture not yet decoded."""
    packets = [image.info.get("xmp"), image.info.get("XML:com.adobe.xmp"), getattr(image, "tag_v2", {}).get(700)]
    packed = [p.encode() if isinstance(p, str) else p for p in packets]
    return any(name in p for p in packed if isinstance(p, bytes) for name in PANORAMA_NAMESPACES)


def displayed(image: Image.Image, orientation: int) -> Image.Image:
    """The picture as displayed: the stored one, transposed by its EXIF orientation."""
    return image.transpose(TRANSPOSITION[orientation]) if orientation in TRANSPOSITION else image


def frame_count(image: Image.Image) -> int:
    """The number of frames; further pictures in a JPEG (MPO), TIFF or HEIC are not frames and are dropped."""
    return getattr(image, "n_frames", 1) - _first_frame(image) if image.format in ANIMATED else 1


def _first_frame(image: Image.Image) -> int:
    """Where Pillow's frames begin: 1 where an APNG's default image, shown by viewers without animation, comes first."""
    return 1 if getattr(image, "default_image", False) else 0


def frames(image: Image.Image) -> Iterator[tuple[Image.Image, int]]:
    """Every frame as displayed, in sRGB and one of the modes `PAINTED`, with its stored duration in milliseconds."""
    orientation = exif_orientation(image)
    for number in range(frame_count(image)):
        if image.format in ANIMATED:  # elsewhere the picture that counts is the one at which the file was opened
            image.seek(_first_frame(image) + number)
        beat()
        frame = displayed(_paintable(image), orientation)
        yield frame, max(0, round(image.info.get("duration", 0)))  # in WebP and AVIF known once the frame is decoded


def strips(image: Image.Image) -> Iterator[NDArray[Any]]:
    """The picture from top to bottom as arrays of shape (rows, columns) or (rows, columns, bands), up to 64 rows each.

    Small arrays stay in the processor's cache: four times as fast as converting the whole picture at once.
    """
    for top in range(0, image.height, STRIP_ROWS):
        yield np.asarray(image.crop((0, top, image.width, min(top + STRIP_ROWS, image.height))))


def pixels_of(image: Image.Image) -> NDArray[Any]:
    """The picture as a writable array of shape (rows, columns, bands)."""
    parts = strips(image)
    first = next(parts)
    bands = first.shape[2] if first.ndim == 3 else 1
    pixels = np.empty((image.height, image.width, bands), first.dtype)
    for number, strip in enumerate(chain([first], parts)):
        top = number * STRIP_ROWS
        pixels[top : top + strip.shape[0]] = strip.reshape(*strip.shape[:2], bands)
    return pixels


def _paintable(image: Image.Image) -> Image.Image:
    """The current frame in sRGB and a mode of `PAINTED`; raises `MediaError` for modes that convert inexactly."""
    image.load()
    colours = described_colours(image)
    profile = icc_profile_of(image) if colours is None else None
    if profile is not None and image.mode == "CMYK":
        return to_srgb(image, profile)
    plain = in_painted_mode(image)
    if profile is not None:
        return to_srgb(plain, profile)
    if colours is not None:
        return shown_as_srgb(plain, colours)
    return image.copy() if plain is image and frame_count(image) > 1 else plain  # decoding the next overwrites it
