"""What a receipt says of a picture that the output cannot hold as it is."""

from collections.abc import Iterator

from PIL import Image

from veridact.media.colour.picture_modes import SIXTEEN_BIT_GRAY, has_transparent_key
from veridact.media.pictures import is_panorama

REDUCED_DEPTH = "8 of 16 bits of each colour are kept"
KEY_TO_ALPHA = "the transparent colour becomes transparency of each pixel (alpha)"
PANORAMA = "the mark of a panorama or stereo picture (XMP) is dropped; viewers show the output flat"


def warnings_of(image: Image.Image) -> Iterator[str]:
    """The warnings for a picture that is not yet decoded."""
    keyed = has_transparent_key(image)
    if _has_deep_colours(image) or (keyed and image.mode in SIXTEEN_BIT_GRAY):
        yield REDUCED_DEPTH
    if keyed:
        yield KEY_TO_ALPHA
    if is_panorama(image):
        yield PANORAMA


def _has_deep_colours(image: Image.Image) -> bool:
    """Whether a picture, not yet decoded, has 16 bits per colour channel, of which Pillow decodes the upper eight."""
    return image.mode not in SIXTEEN_BIT_GRAY and any(";16" in str(tile) for tile in getattr(image, "tile", ()))
