"""The pixel formats that each profile encodes, so that `locate` never proposes what `render` would refuse."""

from veridact.errors import MediaError

H264_FORMATS = {
    "yuv420p": "yuv420p", "yuvj420p": "yuv420p", "yuv422p": "yuv422p", "yuvj422p": "yuv422p",
    "yuv444p": "yuv444p", "yuvj444p": "yuv444p", "yuv420p10le": "yuv420p10le", "yuv422p10le": "yuv422p10le",
    "yuv444p10le": "yuv444p10le", "gray": "gray", "gray10le": "gray10le",
}  # fmt: skip
"""Decoded pixel formats that profile `h264` keeps sample by sample, with the pixel format that it encodes."""

_FFV1 = """
    yuv420p yuv422p yuv444p yuv411p yuv410p yuv440p yuva420p yuva422p yuva444p gray ya8 bgr0 bgra
    yuv420p9le yuv422p9le yuv444p9le yuv420p10le yuv422p10le yuv444p10le yuv440p10le
    yuv420p12le yuv422p12le yuv444p12le yuv440p12le yuv420p14le yuv422p14le yuv444p14le
    yuv420p16le yuv422p16le yuv444p16le yuva420p9le yuva422p9le yuva444p9le yuva420p10le yuva422p10le yuva444p10le
    yuva422p12le yuva444p12le yuva420p16le yuva422p16le yuva444p16le
    gray9le gray10le gray12le gray14le gray16le
    gbrp9le gbrp10le gbrp12le gbrp14le gbrp16le gbrap10le gbrap12le gbrap14le gbrap16le rgb48le rgba64le
    """.split()
LOSSLESS_FORMATS = {name: name for name in _FFV1} | {
    "yuvj420p": "yuv420p", "yuvj422p": "yuv422p", "yuvj444p": "yuv444p", "yuvj440p": "yuv440p", "yuvj411p": "yuv411p",
    "gbrp": "bgr0", "rgb24": "bgr0", "bgr24": "bgr0", "rgb0": "bgr0",
    "gbrap": "bgra", "rgba": "bgra", "argb": "bgra", "abgr": "bgra",
}  # fmt: skip
"""The same for profile `lossless`."""

FORMATS = {"h264": H264_FORMATS, "lossless": LOSSLESS_FORMATS}


def encoded_format(profile: str, pixel_format: str) -> str:
    """The pixel format in which a profile encodes a decoded one without changing a sample.

    Raises `MediaError` where the profile has none, naming a profile that has one.
    """
    if pixel_format in FORMATS[profile]:
        return FORMATS[profile][pixel_format]
    if profile != "lossless" and pixel_format in LOSSLESS_FORMATS:
        raise MediaError(
            f"profile {profile} cannot hold {pixel_format} pixels exactly; use profile lossless in container mkv"
        )
    raise MediaError(f"{pixel_format} pixels cannot be painted exactly; convert the footage to yuv420p first")
