"""Whatever is planted in an output is found by name; what is written has nothing to find."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from veridact.audit.structure.walk import stray_structure
from veridact.media.video import open_media

NAME = b"John Smith"
BOX = (10, 8, 20, 12)
Plant = Callable[[bytes], bytes]


def hidden_jpeg() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (16, 16), "red").save(file, "JPEG")
    return file.getvalue()


def stray_in(data: bytes, container: str, folder: Path) -> str | None:
    path = folder / f"planted.{container}"
    path.write_bytes(data)
    with open_media(path) as media:
        return stray_structure(media, container)


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_body(data: bytes) -> tuple[bytes, bytes]:
    """The contents of all IDAT chunks, and what comes before the first."""
    at, body, head = 8, b"", b""
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"IDAT":
            head = head or data[:at]
            body += data[at + 8 : at + 8 + length]
        at += 12 + length
    return body, head


def png_again(data: bytes, body: bytes) -> bytes:
    return png_body(data)[1] + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", 2 + len(body)) + body


def before_scan(data: bytes, more: bytes) -> bytes:
    at = data.index(b"\xff\xda")
    return data[:at] + more + data[at:]


def tiff_tag(data: bytes, tag: int) -> bytes:
    """The TIFF with its directory written anew at the end, a text tag more."""
    at = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, at)[0]
    entries = [struct.unpack_from("<HHII", data, at + 2 + 12 * n) for n in range(count)]
    added = sorted([*entries, (tag, 2, len(NAME), len(data))])
    moved = len(data) + len(NAME)
    table = struct.pack("<H", count + 1) + b"".join(struct.pack("<HHII", *e) for e in added) + bytes(4)
    return data[:4] + struct.pack("<I", moved) + data[8:] + NAME + table


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + name + body


def into(data: bytes, path: str, more: bytes) -> bytes:
    """An MP4 with bytes put at the end of the box that a path of names leads to; `moov` stands behind `mdat`."""
    made, begins, end = bytearray(data), 0, len(data)
    for name in path.split("/"):
        at = begins
        while made[at + 4 : at + 8] != name.encode():
            at += struct.unpack_from(">I", made, at)[0]
        begins, end = at + 8, at + struct.unpack_from(">I", made, at)[0]
        struct.pack_into(">I", made, at, end - at + len(more))
    made[end:end] = more
    return bytes(made)


def swapped(before: bytes, after: bytes) -> Plant:
    """Puts other bytes of the same number in the place of the last occurrence."""
    assert len(before) == len(after)

    def swap(data: bytes) -> bytes:
        at = data.rindex(before)
        return data[:at] + after + data[at + len(before) :]

    return swap


def element(identifier: str, body: bytes) -> bytes:
    return bytes.fromhex(identifier) + struct.pack(">Q", 1 << 56 | len(body)) + body


def ebml(data: bytes) -> list[tuple[str, bytes]]:
    """The elements of an EBML body: IDs in hex, bodies."""
    found, at = list[tuple[str, bytes]](), 0
    while at < len(data):
        width = 9 - data[at].bit_length()
        name, at = data[at : at + width].hex(), at + width
        width = 9 - data[at].bit_length()
        size = int.from_bytes(data[at : at + width], "big") & (1 << 7 * width) - 1
        found.append((name, data[at + width : at + width + size]))
        at += width + size
    return found


def within(data: bytes, path: str, more: bytes) -> bytes:
    """A Matroska file with bytes put at the end of the first element that a path of IDs leads to."""
    name, _, rest = path.partition("/")
    if not name:
        return data + more
    made, done = b"", False
    for identifier, body in ebml(data):
        inside = identifier == name and not done
        made += element(identifier, within(body, rest, more) if inside else body)
        done = done or inside
    assert done
    return made


def in_first_sample(data: bytes, unit: bytes) -> bytes:
    """An MP4 of one track with a NAL unit put before the first sample, its size and the offsets moved."""
    more = struct.pack(">I", len(unit)) + unit
    at = data.index(b"mdat") + 4
    made = bytearray(data[:at] + more + data[at:])
    struct.pack_into(">I", made, at - 8, struct.unpack_from(">I", made, at - 8)[0] + len(more))
    sizes, offsets = made.index(b"stsz") + 16, made.index(b"stco") + 12
    struct.pack_into(">I", made, sizes, struct.unpack_from(">I", made, sizes)[0] + len(more))
    for number in range(1, struct.unpack_from(">I", made, offsets - 4)[0]):
        place = offsets + 4 * number
        struct.pack_into(">I", made, place, struct.unpack_from(">I", made, place)[0] + len(more))
    return bytes(made)


def riff(data: bytes, name: bytes, body: bytes) -> bytes:
    """A WAV or WebP with a chunk behind the last."""
    made = data[8:] + name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
    return data[:4] + struct.pack("<I", len(made)) + made


def comments(*values: bytes, vendor: bytes = b"Lavf") -> bytes:
    listed = b"".join(struct.pack("<I", len(v)) + v for v in values)
    return struct.pack("<I", len(vendor)) + vendor + struct.pack("<I", len(values)) + listed


def flac_block(data: bytes, kind: int, body: bytes) -> bytes:
    """A FLAC file with a metadata block behind STREAMINFO."""
    return data[:42] + bytes([kind]) + struct.pack(">I", len(body))[1:] + body + data[42:]


SEGMENT, TRACK = "18538067", "18538067/1654ae6b/ae"
TAG = element("7373", element("63c0", b"") + element("67c8", element("45a3", b"TITLE") + element("4487", NAME)))
ISO_PLANTS: dict[str, tuple[Plant, str]] = {
    "bytes behind": (lambda d: d + NAME, "bytes that are no box"),
    "a few bytes behind": (lambda d: d + b"abc", "trailing bytes"),
    "free with a picture": (lambda d: d + box(b"free", hidden_jpeg()), "contents of box free"),
    "skip": (lambda d: d + box(b"skip", NAME), "box skip in the file"),
    "uuid": (lambda d: d + box(b"uuid", bytes(16) + NAME), "box uuid in the file"),
    "meta": (lambda d: d + box(b"meta", NAME), "box meta in the file"),
    "C2PA": (lambda d: d + box(b"jumb", NAME), "box jumb in the file"),
    "a second mdat": (lambda d: d + box(b"mdat", NAME), "bytes of mdat that no sample refers to"),
    "uuid in moov": (lambda d: into(d, "moov", box(b"uuid", bytes(16) + NAME)), "box uuid in moov"),
    "free in moov": (lambda d: into(d, "moov", box(b"free", NAME)), "box free in moov"),
    "udta of a track": (lambda d: into(d, "moov/trak", box(b"udta", box(b"name", NAME))), "box udta in trak"),
    "a track's reference": (lambda d: into(d, "moov/trak", box(b"tref", NAME)), "box tref in trak"),
    "text behind a table": (lambda d: into(d, "moov/trak/mdia/minf/stbl/stts", NAME), "contents of box stts"),
    "padding of samples": (lambda d: into(d, "moov/trak/mdia/minf/stbl", box(b"padb", NAME)), "box padb in stbl"),
    "a handler's name": (swapped(b"VideoHandler", b"John Smith__"), "contents of box hdlr"),
    "a brand": (swapped(b"isomiso2", b"JohnSmit"), "contents of box ftyp"),
    "a compressor's name": (
        lambda d: d[: d.index(b"avc1\0\0\0\0") + 50] + NAME + d[d.index(b"avc1\0\0\0\0") + 60 :],
        "a compressor's name",
    ),
}
PLANTS: dict[str, dict[str, tuple[Plant, str]]] = {
    "png": {
        "bytes behind": (lambda d: d + NAME, "trailing bytes"),
        "a picture behind": (lambda d: d + hidden_jpeg(), "trailing bytes"),
        "tEXt": (lambda d: d[:33] + png_chunk(b"tEXt", b"Comment\0" + NAME) + d[33:], "chunk tEXt"),
        "iTXt with a picture": (lambda d: d[:33] + png_chunk(b"iTXt", hidden_jpeg()) + d[33:], "chunk iTXt"),
        "eXIf": (lambda d: d[:33] + png_chunk(b"eXIf", NAME) + d[33:], "chunk eXIf"),
        "iCCP": (lambda d: d[:33] + png_chunk(b"iCCP", NAME) + d[33:], "chunk iCCP"),
        "C2PA": (lambda d: d[:33] + png_chunk(b"caBX", NAME) + d[33:], "chunk caBX"),
        "an unknown chunk": (lambda d: d[:33] + png_chunk(b"prVt", NAME) + d[33:], "chunk prVt"),
        "text in pHYs": (lambda d: d[:33] + png_chunk(b"pHYs", NAME) + d[33:], "chunk pHYs"),
        "text as a checksum": (lambda d: d[:-4] + NAME[:4], "checksum of chunk IEND"),
        "behind the zlib stream": (lambda d: png_again(d, png_body(d)[0] + NAME), "bytes behind the compressed"),
        "rows below the picture": (
            lambda d: png_again(d, zlib.compress(zlib.decompress(png_body(d)[0]) + NAME)),
            "rows behind the last",
        ),
    },
    "jpeg": {
        "bytes behind": (lambda d: d + NAME, "trailing bytes"),
        "a picture behind": (lambda d: d + hidden_jpeg(), "trailing bytes"),
        "COM": (lambda d: before_scan(d, segment(0xFE, NAME)), "segment COM"),
        "APP1 with a picture": (lambda d: before_scan(d, segment(0xE1, b"Exif\0\0" + hidden_jpeg())), "segment APP1"),
        "APP2": (lambda d: before_scan(d, segment(0xE2, b"ICC_PROFILE\0" + NAME)), "segment APP2"),
        "APP11": (lambda d: before_scan(d, segment(0xEB, b"JP" + NAME)), "segment APP11"),
        "a second APP0": (lambda d: before_scan(d, segment(0xE0, b"JFXX\0\x10" + NAME)), "segment APP0"),
        "a table for nothing": (lambda d: before_scan(d, segment(0xDB, b"\3" + (NAME * 7)[:64])), "a table that no"),
        "behind a table": (lambda d: before_scan(d, segment(0xDB, b"\1" + (NAME * 8)[:70])), "DQT segment of another"),
        "in the scan": (lambda d: d[:-2] + NAME + d[-2:], "bytes behind the last block"),
        "between segments": (lambda d: before_scan(d, NAME), "bytes between segments"),
    },
    "tiff": {
        "bytes behind": (lambda d: d + NAME, "trailing bytes"),
        "a tag": (lambda d: tiff_tag(d, 270), "tag 270"),
        "XMP": (lambda d: tiff_tag(d, 700), "tag 700"),
        "a private tag": (lambda d: tiff_tag(d, 65000), "tag 65000"),
    },
    "mp4": {
        **ISO_PLANTS,
        "udta": (lambda d: into(d, "moov/udta", box(b"\xa9nam", NAME)), "box a96e616d in udta"),
        "meta with text": (lambda d: into(d, "moov/udta/meta", box(b"xml ", NAME)), "contents of box meta"),
        "text in the picture": (
            lambda d: in_first_sample(d, b"\x06\x05\x1a" + bytes(16) + NAME),
            "information of type 5",
        ),
        "filler in the picture": (lambda d: in_first_sample(d, b"\x0c" + NAME), "NAL unit of type 12"),
    },
    "mkv": {
        "bytes behind": (lambda d: d + NAME, "trailing bytes"),
        "an element behind": (lambda d: d + element("ec", hidden_jpeg()), "contents of Void"),
        "Void with a picture": (lambda d: within(d, SEGMENT, element("ec", hidden_jpeg())), "contents of Void"),
        "Void of a track with text": (lambda d: within(d, TRACK, element("ec", NAME)), "contents of Void"),
        "Tags": (lambda d: within(d, SEGMENT, element("1254c367", TAG)), "contents of element 45A3"),
        "Attachments": (lambda d: within(d, SEGMENT, element("1941a469", NAME)), "element Attachments"),
        "Chapters": (lambda d: within(d, SEGMENT, element("1043a770", NAME)), "element Chapters"),
        "a title": (lambda d: within(d, f"{SEGMENT}/1549a966", element("7ba9", NAME)), "element Title"),
        "a date": (lambda d: within(d, f"{SEGMENT}/1549a966", element("4461", bytes(8))), "element DateUTC"),
        "a track's name": (lambda d: within(d, TRACK, element("536e", NAME)), "element Name"),
        "a codec's name": (lambda d: within(d, TRACK, element("258688", NAME)), "element CodecName"),
        "text as a number": (lambda d: within(d, TRACK, element("23e383", NAME)), "contents of element 23E383"),
        "a block of no track": (
            lambda d: within(d, f"{SEGMENT}/1f43b675", element("a3", b"\x87\0\0\0" + NAME)),
            "a block of no track",
        ),
        "block additions": (
            lambda d: within(d, f"{SEGMENT}/1f43b675", element("a0", element("75a1", NAME))),
            "element BlockAdditions",
        ),
        "text behind the parameter sets": (lambda d: within(d, f"{TRACK}/63a2", NAME), "behind the parameter sets"),
    },
    "mov": {k: v for k, v in ISO_PLANTS.items() if k not in {"a brand", "a compressor's name", "free with a picture"}},
    "webp": {
        "bytes behind": (lambda d: d + NAME, "behind the file's declared end"),
        "EXIF": (lambda d: riff(d, b"EXIF", NAME), "chunk EXIF"),
        "XMP": (lambda d: riff(d, b"XMP ", NAME), "chunk XMP"),
        "ICC": (lambda d: riff(d, b"ICCP", NAME), "chunk ICCP"),
        "C2PA": (lambda d: riff(d, b"C2PA", NAME), "chunk C2PA"),
    },
    "bmp": {
        "bytes behind": (lambda d: d + NAME, "trailing bytes"),
        "between header and picture": (
            lambda d: d[:10] + b"\x40" + d[11:54] + NAME + d[54:],
            "between header and picture",
        ),
        "padding of a row": (lambda d: d[:-1] + b"J", "padding with contents"),
    },
    "gif": {
        "bytes behind": (lambda d: d + NAME, "trailing bytes"),
        "a comment": (lambda d: d[:-1] + b"!\xfe\x0a" + NAME + b"\0;", "extension comment"),
        "plain text": (lambda d: d[:-1] + b"!\x01\x0a" + NAME + b"\0;", "extension plain text"),
        "XMP": (lambda d: d[:-1] + b"!\xff\x0bXMP DataXMP\x0a" + NAME + b"\0;", "extension application"),
        "behind the end code": (lambda d: d[:-2] + b"\x0a" + NAME + b"\0;", "bytes behind the end code"),
        "text in a loop": (lambda d: d[:-1] + b"!\xff\x0bNETSCAPE2.0\x0a" + NAME + b"\0;", "extension application"),
    },
    "wav": {
        "bytes behind": (lambda d: d + NAME, "behind the file's declared end"),
        "LIST": (lambda d: riff(d, b"LIST", b"INFOIART" + struct.pack("<I", 10) + NAME), "chunk LIST"),
        "bext": (lambda d: riff(d, b"bext", NAME), "chunk bext"),
        "iXML": (lambda d: riff(d, b"iXML", NAME), "chunk iXML"),
        "id3": (lambda d: riff(d, b"id3 ", NAME), "chunk id3"),
        "JUNK": (lambda d: riff(d, b"JUNK", (NAME * 3)[:28]), "contents of chunk JUNK"),
    },
    "flac": {
        "bytes behind": (lambda d: d + NAME, "bytes behind the last frame"),
        "a comment": (lambda d: flac_block(d, 4, comments(b"ARTIST=" + NAME)), "a comment"),
        "a vendor": (lambda d: flac_block(d, 4, comments(vendor=NAME)), "a vendor"),
        "behind the comments": (lambda d: flac_block(d, 4, comments() + NAME), "bytes behind the comments"),
        "a picture": (lambda d: flac_block(d, 6, hidden_jpeg()), "FLAC metadata of type 6"),
        "an application": (lambda d: flac_block(d, 2, NAME), "FLAC metadata of type 2"),
        "padding": (lambda d: flac_block(d, 1, NAME), "FLAC metadata of type 1"),
    },
    "ogg": {
        "bytes behind": (lambda d: d + NAME, "bytes that are no page"),
        "a picture behind": (lambda d: d + hidden_jpeg(), "bytes that are no page"),
        "a vendor": (swapped(b"\x06\0\0\0ffmpeg", b"\x06\0\0\0J.Smit"), "a vendor"),
        "a stream more": (
            lambda d: d + b"OggS\0\2" + bytes(8) + NAME + bytes(2) + b"\1\x0a" + NAME,
            "pages out of order",
        ),
        "a page more": (lambda d: d + b"OggS\0\0" + bytes(8) + NAME + bytes(2) + b"\1\x0a" + NAME, "a page of no"),
    },
    "mp3": {
        "bytes behind": (lambda d: d + NAME, "bytes that are no frame"),
        "ID3v1": (lambda d: d + b"TAG" + NAME + bytes(115), "an ID3 tag"),
        "ID3v2": (lambda d: b"ID3\4\0\0\0\0\0\x0a" + NAME + d, "an ID3 tag"),
        "APE": (lambda d: d + b"APETAGEX" + NAME, "an APE tag"),
        "Lyrics3": (lambda d: d + b"LYRICSBEGIN" + NAME, "bytes that are no frame"),
        "between frames": (lambda d: d[:384] + NAME + d[384:], "bytes that are no frame"),
    },
}
CASES = [(container, plant) for container, plants in PLANTS.items() for plant in plants]
SUFFIX = {"jpeg": "jpg", "tiff": "tif"}


SOUND = {"wav": ("wav", "pcm_s16le"), "flac": ("flac", "flac"), "ogg": ("flac", "flac"), "mp3": ("mp3", "libmp3lame")}


def tone_file(path: Path, codec: str) -> Path:
    """Half a second of sound with a title."""
    with av.open(str(path), "w") as made:
        made.metadata["title"] = NAME.decode()
        stream = made.add_stream(codec, rate=48000)
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.layout = "mono"
        samples = (np.sin(np.arange(24000) / 20) * 9000).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
        frame.sample_rate = 48000
        resampler = av.AudioResampler(
            stream.codec_context.format, "mono", 48000, stream.codec_context.frame_size or None
        )
        for part in [*resampler.resample(frame), *resampler.resample(None), None]:
            made.mux(stream.encode(part))
    return path


@pytest.fixture
def rendered(
    picture: Any, clip: Any, make_manifest: Any, make_track: Any, saved: Any, command: Any, tmp_path: Path
) -> Callable[[str], tuple[Path, Path, Path]]:
    """A source, its manifest and its output in a container."""

    def make(container: str) -> tuple[Path, Path, Path]:
        suffix = SUFFIX.get(container, container)
        tracks: tuple[Any, ...] = (make_track(1, BOX, 1),)
        if container in SOUND:
            source, tracks = tone_file(tmp_path / f"in.{SOUND[container][0]}", SOUND[container][1]), ()
        elif container in {"mp4", "mov", "mkv"}:
            source = clip(f"in.{suffix}", frames=5)
        else:
            source = picture(f"in.{suffix}")
        out = tmp_path / f"out.{suffix}"
        manifest = saved(make_manifest(source, tracks, container=container))
        code, _, said = command("render", source, manifest, out, "--allow-uncovered")
        assert code == 0, said
        return source, manifest, out

    return make


@pytest.mark.parametrize("container", PLANTS)
def test_what_is_written_has_nothing_to_find(container: str, rendered: Any, tmp_path: Path) -> None:
    assert stray_in(rendered(container)[2].read_bytes(), container, tmp_path) is None


@pytest.mark.parametrize(("container", "plant"), CASES)
def test_what_is_planted_is_found_by_name(container: str, plant: str, rendered: Any, tmp_path: Path) -> None:
    put, expected = PLANTS[container][plant]
    found = stray_in(put(rendered(container)[2].read_bytes()), container, tmp_path)
    assert found is not None
    assert expected in found


def test_the_content_check_reports_it(rendered: Any, command: Any) -> None:
    source, manifest, out = rendered("png")
    genuine = ("--input", source, "--manifest", manifest, "--output", out, "--content")
    assert command("verify", f"{out}.audit.jsonl", *genuine)[0] == 0
    out.write_bytes(PLANTS["png"]["iTXt with a picture"][0](out.read_bytes()))
    code, told, _ = command("verify", f"{out}.audit.jsonl", *genuine)
    assert (code, "chunk iTXt" in told) == (1, True), told


@pytest.mark.parametrize("quality", [60, 92, 100])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_jpegs_of_every_size_have_nothing_to_find(subsampling: int, quality: int, tmp_path: Path) -> None:
    """Small, flat and gray ones too: their last blocks are a few bits, some of them outside the picture."""
    generator = np.random.default_rng(3)
    for width, height in [(1, 1), (8, 8), (16, 16), (17, 9), (9, 17), (33, 40), (64, 48)]:
        noise = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
        rows = np.broadcast_to(noise[:, :1], noise.shape)
        for pixels in (noise, rows, np.full_like(noise, 90), np.zeros_like(noise), noise[:, :, 0], rows[:, :, 0]):
            file = io.BytesIO()
            Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=quality, subsampling=subsampling)
            assert stray_in(file.getvalue(), "jpeg", tmp_path) is None, (width, height)


@pytest.mark.parametrize("colours", [2, 3, 4, 16, 200, 256])
def test_gifs_of_every_palette_have_nothing_to_find(colours: int, tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    for width, height in [(1, 1), (7, 5), (90, 120), (300, 200)]:
        noise = generator.integers(0, colours, (height, width), dtype=np.uint8)
        for pixels in (noise, np.zeros_like(noise), np.sort(noise, axis=1)):
            image = Image.fromarray(np.ascontiguousarray(pixels))
            image.putpalette(generator.integers(0, 256, 3 * colours, dtype=np.uint8).tobytes())
            file = io.BytesIO()
            image.save(file, "GIF")
            assert stray_in(file.getvalue(), "gif", tmp_path) is None, (width, height)


def test_a_picture_signature_in_pixels_is_no_picture(tmp_path: Path) -> None:
    """Noise contains the first bytes of a JPEG by chance, in half of all PNGs of 10 MB."""
    file = io.BytesIO()
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    pixels[10, 10] = 0xFF, 0xD8, 0xFF
    Image.fromarray(pixels).save(file, "PNG", compress_level=0)
    assert b"\xff\xd8\xff" in file.getvalue()
    assert stray_in(file.getvalue(), "png", tmp_path) is None
