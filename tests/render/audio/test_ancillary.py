"""What is planted in sound without being sound is in no byte of the output, and every decoded sample stays."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from veridact.audit.ancillary import file_leak, stream_leak
from veridact.errors import MediaError
from veridact.media.video import open_media
from veridact.render.audio.aac_constants import Element, access_unit
from veridact.render.audio.ancillary import aac, ac3, codecs, mp3, vorbis
from veridact.render.audio.ancillary.bits import BitReader, UnreadableError, crc16, crc16_prefix
from veridact.schema.plan.audio import Range, SoundPlan

TEXT = b"John Smith 555-0100"
NOTHING = SoundPlan(())
MUTED = SoundPlan((Range(300, 500, "silence", 0),))
Change = Callable[[int, bytes], bytes]


def bits_of(data: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in data)


def bytes_of(bits: str) -> bytes:
    bits = bits.ljust(-(-len(bits) // 8) * 8, "0")
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def remuxed(source: Path, target: Path, container: str, change: Change, header: bytes | None = None) -> Path:
    """A copy of an audio file, its packets changed by `change(number, packet)` and its codec header replaced."""
    with av.open(str(source)) as opened, av.open(str(target), "w", format=container) as output:
        stream = output.add_stream_from_template(opened.streams.audio[0])
        if header is not None:
            stream.codec_context.extradata = header
        for number, packet in enumerate(p for p in opened.demux(opened.streams.audio[0]) if p.size):
            copy = av.Packet(change(number, bytes(packet)))
            copy.pts, copy.dts, copy.duration, copy.time_base = (
                packet.pts,
                packet.dts,
                packet.duration,
                packet.time_base,
            )
            copy.stream = stream
            output.mux(copy)
    return target


def header_of(source: Path) -> bytes:
    with av.open(str(source)) as opened:
        return opened.streams.audio[0].codec_context.extradata or b""


def same(number: int, data: bytes) -> bytes:
    return data


# --- AAC

DATA_ELEMENT = "100" + "0000" + "0" + f"{len(TEXT):08b}" + bits_of(TEXT)
FILL = "110" + "1111" + f"{len(TEXT) + 1 - 14:08b}" + bits_of(b"\x00" + TEXT)
PROGRAM = "101" + "0000" + "01" + "0011" + "0001" + "0000" * 2 + "00" + "000" + "0000" + "000" + "10000"


def end_of(unit: bytes) -> int:
    """The position of the end element, in bits."""
    return aac._Unit(unit, 48000).position - 3


def with_first(element: str) -> Change:
    return lambda _, unit: bytes_of(element + bits_of(unit))


def with_last(element: str) -> Change:
    return lambda _, unit: bytes_of(bits_of(unit)[: end_of(unit)] + element + "111")


def in_adts(number: int, packet: bytes) -> bytes:
    """A data element within an ADTS frame, which says how long it is."""
    unit = with_first(DATA_ELEMENT)(number, packet[7:])
    size = len(unit) + 7
    head = int.from_bytes(packet[:7], "big") & ~(0x1FFF << 13) | size << 13
    return head.to_bytes(7, "big") + unit


def with_program(_: int, unit: bytes) -> bytes:
    at = -len(PROGRAM) % 8
    return bytes_of(PROGRAM + "0" * at + f"{len(TEXT):08b}" + bits_of(TEXT) + bits_of(unit))


def test_elements_between_channels_are_found() -> None:
    single, pair = (bits_of(access_unit((Element(k, 0),), 48000, "beep")) for k in ("sce", "cpe"))
    single, pair = (bits[: bits.rindex("111")] for bits in (single, pair))
    unit = bytes_of(single + DATA_ELEMENT + pair + FILL + "111")
    ((data, changed),) = aac.clean(bytes.fromhex("1198"), iter([unit]))
    zeros = single + DATA_ELEMENT[:16] + "0" * 8 * len(TEXT) + pair + FILL[:15] + "0" * 8 * (len(TEXT) + 1) + "111"
    assert data == bytes_of(zeros)
    assert changed > len(TEXT)


def test_bytes_behind_the_end_are_zeroed() -> None:
    unit = access_unit((Element("sce", 0),), 48000, "silence")
    ((data, _),) = aac.clean(bytes.fromhex("1188"), iter([unit + TEXT]))
    assert data == unit + bytes(len(TEXT))


def test_fill_of_the_prescribed_bytes_stays() -> None:
    unit = access_unit((Element("sce", 0),), 48000, "silence")
    filled = with_first("110" + "0011" + bits_of(b"\x10\xa5\xa5"))(0, unit)
    assert list(aac.clean(bytes.fromhex("1188"), iter([filled]))) == [(filled, 0)]


def test_the_name_that_a_decoder_needs_stays_and_what_follows_it_does_not() -> None:
    unit = access_unit((Element("sce", 0),), 48000, "silence")
    for name, kept in ((b"libfaac 1.28\0", b"libfaac 1.28\0"), (b"libfaac 1.28 " + TEXT, b"libfaac 1.28")):
        size = 3 + len(name)
        fill = "110" + "1111" + f"{size - 14:08b}" + "0" * 17
        filled = bytes_of(fill + (bits_of(name) + "0" * 7) + bits_of(unit))
        expected = bytes_of(fill + (bits_of(kept.ljust(len(name), b"\0")) + "0" * 7) + bits_of(unit))
        assert next(aac.clean(bytes.fromhex("1188"), iter([filled])))[0] == expected


# --- MP3


def in_ancillary_bytes(packets: list[bytes]) -> list[bytes]:
    """The packets with the text in a place that their cleaned form has zeros in, and in none that it reads."""
    cleaned = [bytearray(data) for data, _ in mp3.clean(None, iter(packets))]
    marked = [bytearray(data) for data, _ in mp3.clean(None, iter([p[:40] + b"\xff" * (len(p) - 40) for p in packets]))]
    planted = 0
    for data, ones in zip(cleaned, marked, strict=True):
        at = bytes(ones).find(bytes(len(TEXT)), 40)
        if at >= 0:
            data[at : at + len(TEXT)] = TEXT
            planted += 1
    assert planted
    return [bytes(data) for data in cleaned]


def info_frame(first: bytes) -> bytes:
    """A frame without sound whose data area names its encoder."""
    frame = bytearray(first[:4] + bytes(len(first) - 4))
    frame[36:40], frame[156 : 156 + len(TEXT)] = b"Info", TEXT
    return bytes(frame)


# --- AC-3


def with_checksums(frame: bytearray) -> bytes:
    middle = ((len(frame) >> 2) + (len(frame) >> 4)) * 2
    frame[2:4] = crc16_prefix(frame[4:middle]).to_bytes(2, "big")
    frame[-2:] = crc16(frame[middle:-2]).to_bytes(2, "big")
    return bytes(frame)


def with_room(packet: bytes) -> bytes:
    """The same AC-3 frame with zeros behind its audio blocks, in the next but one size."""
    frame = bytearray(packet)
    frame[4] += 4
    return bytes(frame) + bytes(ac3._frame_bytes(frame, 0) - len(frame))


def with_auxiliary_data(_: int, packet: bytes) -> bytes:
    """The text as auxiliary data at the end of a frame that has room there."""
    tail = bits_of(TEXT) + f"{8 * len(TEXT):014b}" + "1" + "0" + "0" * 16
    return with_checksums(bytearray(bytes_of(bits_of(with_room(packet))[: -len(tail)] + tail)))


def with_unmarked_bits(_: int, packet: bytes) -> bytes:
    """The text behind the audio blocks of a frame, where no length tells of it."""
    roomy = with_room(packet)
    return with_checksums(bytearray(roomy[:-24] + TEXT + roomy[len(TEXT) - 24 :]))


def with_skip_field(_: int, packet: bytes) -> bytes:
    """The text in the skip field of the first block: the bit before its codewords, which says that there is none."""
    reader = BitReader(packet)
    list(ac3._ranges(reader))
    at, rates = reader.position, (packet[4] >> 6, packet[6] >> 5, ac3._low(packet))
    bits = bits_of(with_room(packet))
    field = "1" + f"{len(TEXT):09b}" + bits_of(TEXT)
    for place in range(at, at + 1500):
        if bits[place] == "0":
            frame = bytes_of((bits[:place] + field + bits[place + 1 :])[: len(bits)])
            try:
                blocks = ac3.Blocks(frame, at, *rates)
            except UnreadableError:
                continue
            if blocks.skipped == [(place + 10, place + 10 + 8 * len(TEXT))]:
                return with_checksums(bytearray(frame))
    raise AssertionError("no place")


def with_additional_information(_: int, packet: bytes) -> bytes:
    """The text as addbsi, with the rest of the frame moved back into the room behind it."""
    reader = BitReader(packet)
    list(ac3._ranges(reader))
    roomy, at = with_room(packet), reader.position
    bits = bits_of(roomy)
    bits = bits[: at - 1] + "1" + f"{len(TEXT) - 1:06b}" + bits_of(TEXT) + bits[at:]
    return with_checksums(bytearray(bytes_of(bits[: 8 * len(roomy)])))


def with_bytes_behind(_: int, packet: bytes) -> bytes:
    return packet + TEXT


def with_padding(_: int, packet: bytes) -> bytes:
    """An Opus packet of one frame as one of code 3 with padding."""
    if packet[0] & 3:
        return packet
    return bytes([packet[0] | 3, 0x41, len(TEXT)]) + packet[1:] + TEXT


def with_comments(header: bytes) -> bytes:
    identification, _, setup = vorbis.split(header)
    comment = b"\x03vorbis" + len(TEXT).to_bytes(4, "little") + TEXT + bytes(4) + b"\x01"
    return vorbis.join(identification, comment, setup + TEXT)


@dataclass(frozen=True)
class Case:
    """Where the text is planted: an encoder and its file, how packets and header change, and what becomes of it."""

    codec: str
    made: str
    planted: str
    container: str
    change: Change = same
    header: Callable[[bytes], bytes] | None = None
    disposition: str = "copied"


def behind(header: bytes) -> bytes:
    return header + TEXT


AAC = ("aac", "mp4", "mp4")
CASES = {
    "AAC, data element first": Case(*AAC, "mp4", with_first(DATA_ELEMENT)),
    "AAC, data element last": Case(*AAC, "mov", with_last(DATA_ELEMENT)),
    "AAC, fill element": Case(*AAC, "mkv", with_last(FILL)),
    "AAC, program config comment": Case(*AAC, "m4a", with_program),
    "AAC, behind the configuration": Case(*AAC, "mp4", header=lambda h: h[:2] + bytes(3) + TEXT),
    "AAC, comment of the configuration": Case(
        *AAC,
        "mp4",
        header=lambda h: (
            bytes_of("00010" + "0011" + "0000" + "000" + PROGRAM[3:] + "0" * 4) + bytes([len(TEXT)]) + TEXT
        ),
    ),
    "AAC in ADTS": Case("aac", "adts", "adts", "mkv", in_adts),
    "MP3, header in Matroska": Case("libmp3lame", "mp3", "matroska", "mkv", header=lambda _: TEXT),
    "AC-3, header in Matroska": Case("ac3", "mp4", "matroska", "mkv", header=lambda _: TEXT),
    "AC-3, auxiliary data": Case("ac3", "mp4", "mp4", "mp4", with_auxiliary_data),
    "AC-3, additional information": Case("ac3", "mp4", "matroska", "mkv", with_additional_information),
    "AC-3, unmarked bits": Case("ac3", "mp4", "mp4", "mp4", with_unmarked_bits),
    "AC-3, skip field": Case("ac3", "mp4", "mp4", "mov", with_skip_field),
    "Opus, padding": Case("libopus", "ogg", "matroska", "ogg", with_padding),
    "Opus, behind the header": Case("libopus", "ogg", "matroska", "mkv", header=behind),
    "Vorbis, comments and behind the setup": Case("vorbis", "ogg", "matroska", "mkv", header=with_comments),
    "Vorbis, behind a packet": Case("vorbis", "ogg", "matroska", "ogg", with_bytes_behind),
    "FLAC, behind a frame": Case("flac", "flac", "matroska", "mkv", with_bytes_behind, disposition="re-encoded"),
    "ALAC, behind the configuration": Case("alac", "ipod", "matroska", "mkv", header=behind),
    "ALAC, behind a packet": Case("alac", "ipod", "mov", "m4a", with_bytes_behind, disposition="re-encoded"),
}


def made(case: Case, audio_file: Any, tmp_path: Path) -> Path:
    """The file with the text planted in it."""
    parameters: dict[str, Any] = {}
    if case.codec in {"libopus", "libmp3lame", "flac", "alac"}:
        parameters["sample_format"] = {"libopus": "s16", "flac": "s16"}.get(case.codec, "s16p")
    if case.codec == "vorbis":
        parameters["options"] = {"strict": "-2"}
    source = audio_file(case.codec, case.made, **parameters)
    header = case.header(header_of(source)) if case.header else None
    return remuxed(source, tmp_path / "planted", case.planted, case.change, header)


@pytest.mark.parametrize("name", CASES)
def test_planted_text_is_not_in_the_output(
    name: str, audio_file: Any, rendered: Any, decoded_audio: Any, tmp_path: Path
) -> None:
    case = CASES[name]
    source = made(case, audio_file, tmp_path)
    out, target = rendered(source, NOTHING, case.container)
    assert out.disposition == case.disposition
    planted_in_packets = case.change is not same or case.codec == "libmp3lame"  # which plants its own name
    assert (out.counts.ancillary_bytes_zeroed > 0) == (planted_in_packets and case.disposition == "copied")
    data = target.read_bytes()
    assert not any(TEXT[4:] in bytes_of("0" * shift + bits_of(data)) for shift in range(8))
    before, after = decoded_audio(source), decoded_audio(target)
    length = min(before.samples.shape[1], after.samples.shape[1])
    assert length >= before.samples.shape[1] - 1024
    assert np.array_equal(before.samples[:, :length], after.samples[:, :length])
    with open_media(target) as media:
        assert stream_leak(media, 0) is None
    with open_media(source) as media:
        assert leak_of(media) is not None


def leak_of(media: Any) -> str | None:
    """What verification says about a stream: a leak, or that it cannot be told."""
    try:
        return stream_leak(media, 0)
    except MediaError as e:
        return str(e)


def test_text_between_the_frames_of_mp3(audio_file: Any, rendered: Any, decoded_audio: Any, tmp_path: Path) -> None:
    source = audio_file("libmp3lame", "mp3", sample_format="s16p")
    with av.open(str(source)) as opened:
        packets = [bytes(p) for p in opened.demux() if p.size]
    planted = in_ancillary_bytes(packets)
    for number, frame in ((0, info_frame(packets[0])), (len(planted), b"")):
        units = [*planted[:number], frame, *planted[number:]] if frame else planted
        path = remuxed(source, tmp_path / "planted", "matroska", lambda n, _, units=units: units[n])
        assert TEXT in path.read_bytes()
        for container in ("mp3", "mkv", "mp4"):
            out, target = rendered(path, NOTHING, container)
            assert out.disposition == "copied"
            assert TEXT not in target.read_bytes()
            before, after = decoded_audio(path).samples, decoded_audio(target).samples
            length = min(before.shape[1], after.shape[1])
            assert np.array_equal(before[:, :length], after[:, :length])
            with open_media(target) as media:
                assert (stream_leak(media, 0), file_leak(media, container)) == (None, None)
        with open_media(path) as media:
            assert stream_leak(media, 0) is not None


def test_checksums_are_made_anew() -> None:
    body = bytes(range(200))
    assert crc16(crc16_prefix(body).to_bytes(2, "big") + body) == 0
    assert crc16(body + crc16(body).to_bytes(2, "big")) == 0


def test_kept_packets_of_a_spliced_stream_are_cleaned_too(audio_file: Any, rendered: Any, tmp_path: Path) -> None:
    source = audio_file("aac", "mp4")
    path = remuxed(source, tmp_path / "planted", "mp4", with_first(DATA_ELEMENT))
    out, target = rendered(path, MUTED, "mp4")
    assert out.disposition == "replaced"
    kept = out.counts.packets - out.counts.packets_replaced
    assert out.counts.ancillary_bytes_zeroed == kept * len(TEXT)
    assert TEXT not in target.read_bytes()


HEADS = {
    "the name of the encoder": ("libmp3lame", "mp3", b"Lavf", TEXT[:4]),
    "padding of FLAC": ("flac", "flac", b"\x81\x00 \x00" + bytes(len(TEXT)), b"\x81\x00 \x00" + TEXT),
    "the vendor of FLAC": ("flac", "flac", b"ffmpeg", TEXT[:6]),
}


@pytest.mark.parametrize("name", HEADS)
def test_text_in_the_header_of_a_file_is_found(name: str, audio_file: Any, rendered: Any, tmp_path: Path) -> None:
    codec, container, before, after = HEADS[name]
    _, target = rendered(
        audio_file(codec, container, sample_format="s16p" if container == "mp3" else "s16"), NOTHING, container
    )
    data = target.read_bytes()
    for planted in (data.replace(before, after, 1), data + TEXT):
        path = tmp_path / f"planted.{container}"
        path.write_bytes(planted)
        with open_media(path) as media:
            assert file_leak(media, container) or leak_of(media)  # a demuxer may take what follows for a packet


def test_blocks_of_a_flac_header_stay_behind(audio_file: Any, rendered: Any, tmp_path: Path) -> None:
    data = audio_file("flac", "flac", sample_format="s16").read_bytes()
    block = b"\x02" + (4 + len(TEXT)).to_bytes(3, "big") + b"test" + TEXT
    path = tmp_path / "planted.flac"
    path.write_bytes(data[:42] + block + data[42:])
    for container in ("flac", "mkv", "ogg", "mp4"):
        out, target = rendered(path, NOTHING, container)
        assert out.disposition == "copied"
        assert TEXT not in target.read_bytes()
        with open_media(target) as media:
            assert (stream_leak(media, 0), file_leak(media, container)) == (None, None)


REFUSED = {
    "HE-AAC": ("aac", "1188", bytes_of("110" + "0010" + "1101" + "0" * 12 + "111")),
    "AAC Main": ("aac", "0988", b""),
    "a coupling channel": ("aac", "1188", bytes_of("010" + "0" * 40)),
    "an access unit without an end": ("aac", "1188", b"\x00\x10"),
    "ambisonics": ("opus", "4f707573486561640104380180bb0000000003" + "00" * 40, b""),
    "a Vorbis setup cut short": ("vorbis", (vorbis.join(b"\x01vorbis" + bytes(23), b"", b"\x05vorbisBCV")).hex(), b""),
    "no frame": ("mp3", "", bytes(100)),
    "E-AC-3": ("eac3", "", b""),
    "WMA": ("wmav2", "", b""),
    "an AMR frame of no known type": ("amr_nb", "", b"\x50" + bytes(9)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_read_is_not_copied(name: str) -> None:
    codec, header, packet = REFUSED[name]
    with pytest.raises(UnreadableError):
        list(codecs.clean(codec, codecs.configuration(codec, bytes.fromhex(header)), iter([packet])))


DAMAGED = {
    "aac": ("aac", "mp4", {}),
    "ac3": ("ac3", "mp4", {"layout": "5.1"}),
    "mp3": ("libmp3lame", "mp3", {"sample_format": "s16p"}),
    "opus": ("libopus", "ogg", {"sample_format": "s16"}),
    "vorbis": ("vorbis", "ogg", {"options": {"strict": "-2"}}),
    "flac": ("flac", "flac", {"sample_format": "s16"}),
}


@pytest.mark.parametrize("codec", DAMAGED)
def test_damaged_packets_and_headers_are_read_or_refused(codec: str, audio_file: Any) -> None:
    name, container, parameters = DAMAGED[codec]
    source = audio_file(name, container, samples=9000, **parameters)
    random, header = np.random.default_rng(5), header_of(source) or None
    with av.open(str(source)) as opened:
        packets = [bytes(p) for p in opened.demux() if p.size]
    for _ in range(30):
        damaged = [bytearray(p) for p in packets]
        for data in damaged:
            for _ in range(int(random.integers(0, 3))):
                data[int(random.integers(0, len(data)))] = int(random.integers(0, 256))
        head = bytearray(header or b"")
        if head and random.integers(0, 2):
            head[int(random.integers(0, len(head)))] = int(random.integers(0, 256))
        try:
            found = list(codecs.clean(codec, bytes(head) or None, (bytes(d) for d in damaged)))
        except UnreadableError:
            continue
        assert [len(data) for data, _ in found] == [len(d) for d in damaged]
