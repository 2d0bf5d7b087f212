"""What other tools find in a file beside picture and sound: tags, places, thumbnails, captions, further streams.

`traces(path)` names everything that they find, with the value where it is free text; `leaks` keeps those that do more
than describe pixels and samples. The harmless names are listed one by one, so an unknown tag counts as a leak until
somebody has reviewed it.
"""

import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import av
from PIL import Image

TOOLS = ("exiftool", "mediainfo", "ffprobe")
SECONDS = 600
TEXTS = {"HandlerDescription", "HandlerVendorID", "CompressorName", "MediaLanguageCode", "Encoder", "Language", "Title",
         "Encoded_Library_Name", "Encoded_Application", "VendorID", "MuxingApp", "WritingApp", "Vendor"}  # fmt: skip
"""Tags that are harmless with certain values only, so their values are compared too."""

X264_SEI = bytes.fromhex("dc45e9bde6d948b7962cd820d923eeef")
"""The identifier of the SEI message in which x264 names its version and settings."""

UNREGISTERED = "H.26[45] User Data Unregistered SEI message"


def _json_of(*command: object) -> Any:
    ended = subprocess.run([*map(str, command)], capture_output=True, check=False, timeout=SECONDS)
    return json.loads(ended.stdout or b"null")


def _named(tool: str, name: str, value: object) -> str:
    return f"{tool} {name}={str(value)[:60]}" if name in TEXTS else f"{tool} {name}"


def _exiftool(path: Path) -> Iterator[str]:
    """Names of tags, those of embedded streams too; dates of zero are left out."""
    for tags in _json_of("exiftool", "-j", "-a", "-G1", "-ee", "-api", "largefilesupport=1", path) or []:
        for name, value in tags.items():
            if name != "SourceFile" and not str(value).startswith("0000:00:00"):
                yield _named("exiftool", name.split(":")[-1], value)


def _mediainfo(path: Path) -> Iterator[str]:
    """Kinds of tracks other than picture and sound, and the fields of the file and its tracks."""
    tracks = ((_json_of("mediainfo", "--Output=JSON", path) or {}).get("media") or {}).get("track", [])
    for track in tracks:
        kind = track.get("@type")
        if kind not in {"General", "Video", "Audio", "Image"}:
            yield f"mediainfo track {kind}"
        fields = track | track.pop("extra", {})
        yield from (_named("mediainfo", name, value) for name, value in fields.items() if not name.startswith("@"))


def _ffprobe(path: Path) -> Iterator[str]:
    """Chapters, streams that are neither picture nor sound, cover art, captions, tags, and the side data of frames."""
    found = _json_of("ffprobe", "-v", "quiet", "-of", "json", "-show_chapters", "-show_streams", "-show_format", path)
    found = found or {}
    yield from ("ffprobe chapter" for _ in found.get("chapters", []))
    yield from _tags(found.get("format", {}))
    for stream in found.get("streams", []):
        if stream.get("codec_type") not in {"video", "audio"}:
            yield f"ffprobe {stream.get('codec_type')} stream"
        if stream.get("disposition", {}).get("attached_pic"):
            yield "ffprobe cover art"
        if stream.get("closed_captions"):
            yield "ffprobe closed captions"
        yield from _tags(stream)
    side_data = _json_of("ffprobe", "-v", "quiet", "-of", "json", "-select_streams", "v",
                 "-show_entries", "frame_side_data=side_data_type", path)  # fmt: skip
    kinds = [d.get("side_data_type") for f in (side_data or {}).get("frames", []) for d in f.get("side_data_list", [])]
    yield from (f"ffprobe side data {kind}" for kind in kinds if kind != UNREGISTERED)
    if kinds.count(UNREGISTERED) > path.read_bytes().count(X264_SEI):
        yield f"ffprobe side data {UNREGISTERED}"


def _tags(part: dict[str, Any]) -> Iterator[str]:
    for name, value in part.get("tags", {}).items():
        yield f"ffprobe tag {name.lower()}" + ("" if name.lower().startswith("duration") else f"={value[:60]}")


def _is_picture(*formats: str) -> Callable[[bytes], bool]:
    def check(data: bytes) -> bool:
        try:
            with Image.open(io.BytesIO(data), formats=list(formats)) as image:
                image.load()
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, MemoryError):
            return False
        return True

    return check


def _is_film(name: str) -> Callable[[bytes], bool]:
    def check(data: bytes) -> bool:
        try:
            with av.open(io.BytesIO(data), format=name) as container:
                return len(container.streams) > 0
        except (av.FFmpegError, ValueError):
            return False

    return check


SIGNATURES: dict[str, tuple[bytes, int, Callable[[bytes], bool]]] = {
    "JPEG": (rb"\xff\xd8\xff[\xc0-\xfe]", 0, _is_picture("JPEG")),
    "PNG": (rb"\x89PNG\r\n\x1a\n", 0, _is_picture("PNG")),
    "GIF": (rb"GIF8[79]a", 0, _is_picture("GIF")),
    "TIFF": (rb"II\*\0|MM\0\*", 0, _is_picture("TIFF")),
    "WebP": (rb"RIFF....WEBP", 0, _is_picture("WEBP")),
    "MP4": (rb"ftyp[ -~]{4}", 4, _is_film("mov")),
    "Matroska": (rb"\x1aE\xdf\xa3", 0, _is_film("matroska")),
    "AVI": (rb"RIFF....AVI ", 0, _is_film("avi")),
    "Exif": (rb"Exif\0\0(?:II|MM)", 0, lambda data: True),
    "XMP": (rb"<x:xmpmeta|<\?xpacket", 0, lambda data: True),
    "Photoshop": (rb"Photoshop 3\.0\0", 0, lambda data: True),
    "ICC profile": (rb"acsp(?:APPL|MSFT|SGI |SUNW|\0\0\0\0)", 0, lambda data: True),
}
"""First bytes, how far they lie behind the start, and whether what begins there is really one of these.

Three given bytes come about by chance in every few megabytes of sound, so a hit counts only when it decodes.
"""


def embedded(path: Path) -> Iterator[str]:
    """Pictures, films and blocks of metadata that begin anywhere but at the start of the file."""
    data = path.read_bytes()
    for name, (pattern, back, real) in SIGNATURES.items():
        for hit in re.finditer(pattern, data, re.DOTALL):
            start = hit.start() - back
            if start > 0 and real(data[start:]):
                yield f"{name} inside"


SEARCHES: dict[str, Callable[[Path], Iterable[str]]] = {
    "exiftool": _exiftool, "mediainfo": _mediainfo, "ffprobe": _ffprobe, "": embedded,
}  # fmt: skip


def traces(path: Path) -> list[str]:
    """Everything that the installed tools find, each name once."""
    found: set[str] = set()
    for tool, search in SEARCHES.items():
        if not tool or shutil.which(tool):
            found.update(search(path))
    return sorted(found)


def leaks(found: Iterable[str]) -> list[str]:
    """The traces that do more than describe pixels and samples."""
    return [name for name in found if name not in INNOCENT and not INNOCENT_TEXTS.fullmatch(name)]


INNOCENT_NAMES = {
    "exiftool": """
    AlphaChannels AnimationFrames AnimationIterations AnimationLoopCount AnimationPlays AudioBitrate
    AudioBitsPerSample AudioChannels AudioFormat AudioLayer AudioSampleRate AverageBitrate AvgBitrate
    AvgBytesPerSec BackgroundColor Balance BitDepth BitsPerPixel BitsPerSample BlockSizeMax BlockSizeMin
    BufferSize ChannelMode Channels CodecID ColorComponents ColorPrimaries ColorProfiles ColorResolutionDepth
    ColorSpace ColorType CompatibleBrands Compression CompressorID CopyrightFlag CurrentTime DefaultDuration
    Directory DisplayHeight DisplayWidth DisplayUnit DocType DocTypeReadVersion DocTypeVersion Duration EBMLReadVersion
    EBMLVersion Emphasis Encoding EncodingProcess ExifByteOrder ExifToolVersion FileAccessDate
    FileInodeChangeDate FileModifyDate FileName FilePermissions FileSize FileType FileTypeExtension Filter
    FrameCount FrameRate FrameSizeMax FrameSizeMin GIFVersion GraphicsMode HandlerClass HandlerType HasColorMap
    HorizontalScale ImageAspectRatio ImageHeight ImageSize ImageWidth IntensityStereo Interlace JFIFVersion
    MD5Signature MIMEType MPEGAudioVersion MSStereo MajorBrand MatrixCoefficients MatrixStructure MaxBitrate
    MediaDataOffset MediaDataSize MediaDuration MediaHeaderVersion MediaTimeScale Megapixels MinorVersion
    MovieHeaderVersion NextTrackID NominalBitrate NumChannels NumberOfSamples OpColor OpusVersion OriginalMedia
    OutputGain PhotometricInterpretation PixelAspectRatio PlanarConfiguration PosterTime PreferredRate
    PreferredVolume PreviewDuration PreviewTime ResolutionUnit Rotation RowsPerStrip SampleRate SamplesPerPixel
    SelectionDuration SelectionTime SourceImageHeight SourceImageWidth StripByteCounts StripOffsets TagTrackUID
    TimeScale TimecodeScale TotalSamples TrackDefault TrackDuration TrackHeaderVersion TrackID TrackLanguage
    TrackLayer TrackNumber TrackType TrackUID TrackVolume TransferCharacteristics TransparentColor VP8Version
    VerticalScale VideoCodecID VideoFrameRate VorbisVersion WebP_Flags XResolution YCbCrSubSampling YResolution
    """,
    "mediainfo": """
    AlternateGroup AudioCount BitDepth BitRate BitRate_Maximum BitRate_Mode BitRate_Nominal ChannelLayout
    ChannelPositions Channels ChromaSubsampling CodecConfigurationBox CodecID CodecID_Compatible CodecID_Version
    ColorSpace Compression_Mode DataSize Default Delay Delay_Source DisplayAspectRatio Duration Duration_FirstFrame
    Duration_LastFrame Encoded_Library Encoded_Library_Settings Encoded_Library_Version ErrorDetectionType
    FileExtension FileSize File_Modified_Date File_Modified_Date_Local FooterSize Forced Format
    Format_AdditionalFeatures Format_Commercial_IfAny Format_Compression Format_Level Format_Profile
    Format_Settings Format_Settings_CABAC Format_Settings_Endianness Format_Settings_Floor Format_Settings_GOP
    Format_Settings_Mode Format_Settings_ModeExtension Format_Settings_RefFrames Format_Settings_SBR
    Format_Settings_Sign Format_Version FrameCount FrameRate FrameRate_Den FrameRate_Maximum FrameRate_Minimum
    FrameRate_Mode FrameRate_Mode_Original FrameRate_Num HeaderSize Height ID ImageCount IsStreamable
    MD5_Unencoded OverallBitRate OverallBitRate_Mode PixelAspectRatio Rotation Sampled_Height Sampled_Width
    SamplesPerFrame SamplingCount SamplingRate ScanType ServiceKind Source_Delay Source_Delay_Source
    Source_Duration Source_Duration_LastFrame Source_FrameCount Source_StreamSize Stored_Height Stored_Width
    StreamOrder StreamSize UniqueID VideoCount Width acmod bsid colour_description_present
    colour_description_present_Source colour_primaries colour_primaries_Source colour_range colour_range_Source
    compr compr_Average compr_Count compr_Maximum compr_Minimum dialnorm dialnorm_Average dialnorm_Minimum lfeon
    matrix_coefficients matrix_coefficients_Source mdhd_Duration transfer_characteristics
    transfer_characteristics_Source
    """,
}
"""Names of tags that describe the file on this disk, its container, or its pixels and samples."""

INNOCENT = frozenset(f"{tool} {name}" for tool, names in INNOCENT_NAMES.items() for name in names.split())

INNOCENT_TEXTS = re.compile(
    r"(exiftool|mediainfo|ffprobe tag) "
    r"(HandlerDescription|handler_name|HandlerVendorID|vendor_id|VendorID|MuxingApp|WritingApp|Vendor|Encoded_Application"
    r"|Encoded_Library_Name|encoder|MediaLanguageCode|Language|language|major_brand|minor_version|compatible_brands"
    r"|duration)"
    r"(=((Video|Sound|Data)Handler|Apple|FFMP|FFmpeg|Unknown \(32767\)|(\[0\]){4}|Lavf|Lavc|ffmpeg|x264|[a-z]{2,3}|\d+"
    r"|(M4A |qt  |[a-z0-9]{4})+))?"
)
"""Free text that is a muxer's own word or a language."""
