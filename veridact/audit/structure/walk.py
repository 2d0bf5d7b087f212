"""The table from container to walker, and the one question asked of them: what in this file does not belong?"""

from collections.abc import Callable

from veridact.audit.structure import bmp, gif, iso_media, jpeg, matroska, png, riff, sound, tiff
from veridact.audit.structure.window import StrayError, Window
from veridact.media.video import MediaFile

WALKERS: dict[str, Callable[[Window], None]] = {
    "png": png.check,
    "jpeg": jpeg.check,
    "tiff": tiff.check,
    "mp4": iso_media.check,
    "mov": iso_media.check,
    "m4a": iso_media.check,
    "mkv": matroska.check,
    "wav": riff.check_wav,
    "webp": riff.check_webp,
    "gif": gif.check,
    "bmp": bmp.check,
    "flac": sound.check_flac,
    "ogg": sound.check_ogg,
    "mp3": sound.check_mp3,
}


def stray_structure(media: MediaFile, container: str) -> str | None:
    """What in a file belongs to nothing that is written into such a container, and where; None where all belongs."""
    if container not in WALKERS:
        return None
    try:
        WALKERS[container](Window(media.reader(), media.size))
    except StrayError as e:
        return str(e)
    return None
