"""Vorbis: the three headers, without comments and without what follows the modes; and what follows a packet's residue.

A decoder ignores what follows the residue, and nothing marks where that ends: codewords are read to its end (Vorbis I
§4.3). A packet may end before: then nothing follows.
"""

from collections.abc import Iterator

from veridact.render.audio.ancillary.bits import UnreadableError, changed_bytes
from veridact.render.audio.ancillary.vorbis_setup import Floor, LittleReader, Residue, Setup, read_setup

_IDENTIFICATION_BYTES = 30
_CHANNELS_AT, _BLOCK_SIZES_AT = 11, 28
EMPTY_COMMENT = b"\x03vorbis" + bytes(8) + b"\x01"
"""A comment header with an empty vendor and no comments."""


def split(header: bytes | None) -> tuple[bytes, bytes, bytes]:
    """The identification, comment and setup headers of Xiph-laced extradata; raises `UnreadableError` for other."""
    data = header or b""
    if data[:1] != b"\x02":
        raise UnreadableError("its headers are no Vorbis headers")
    at, sizes = 1, []
    for _ in range(2):
        size = 0
        while data[at : at + 1] == b"\xff":
            size, at = size + 255, at + 1
        size += data[at] if at < len(data) else 0
        at += 1
        sizes.append(size)
    first, second = at + sizes[0], at + sum(sizes)
    return data[at:first], data[first:second], data[second:]


def join(*headers: bytes) -> bytes:
    """Xiph lacing of the three headers."""
    sizes = b"".join(b"\xff" * (len(h) // 255) + bytes([len(h) % 255]) for h in headers[:-1])
    return bytes([len(headers) - 1]) + sizes + b"".join(headers)


def _setup(header: bytes | None) -> Setup:
    """The setup of a stream; raises `UnreadableError` where its headers are not as Vorbis I says."""
    identification, _, setup = split(header)
    if len(identification) < _IDENTIFICATION_BYTES or identification[:11] != b"\x01vorbis" + bytes(4):
        raise UnreadableError("its identification header is not that of Vorbis I")
    if setup[:7] != b"\x05vorbis":
        raise UnreadableError("its setup header is not that of Vorbis I")
    return read_setup(setup[7:], identification[_CHANNELS_AT])


def configuration(header: bytes | None) -> bytes:
    """The headers with an empty comment header; raises `UnreadableError` where they are not as Vorbis I says."""
    identification, _, setup = split(header)
    return join(identification[:_IDENTIFICATION_BYTES], EMPTY_COMMENT, setup[: 7 + _setup(header).size_bytes])


def clean(header: bytes | None, packets: Iterator[bytes]) -> Iterator[tuple[bytes, int]]:
    """Every packet with zeros after its residue, and how many bytes that changed."""
    setup, blocks = _setup(header), split(header)[0][_BLOCK_SIZES_AT]
    sizes = (1 << (blocks & 15), 1 << (blocks >> 4))
    for packet in packets:
        end = _end_of_residue(packet, setup, sizes)
        value = int.from_bytes(packet, "little") & ((1 << end) - 1)
        data = value.to_bytes(len(packet), "little")
        yield data, changed_bytes(packet, data)


def _end_of_residue(packet: bytes, setup: Setup, sizes: tuple[int, int]) -> int:
    """How many bits of a packet a decoder reads."""
    bits = LittleReader(packet)
    try:
        if bits.take(1):
            raise UnreadableError("a Vorbis packet is no sound")
        mode = bits.take((len(setup.modes) - 1).bit_length())
        if mode >= len(setup.modes):
            raise UnreadableError("a Vorbis packet has a mode that does not exist")
        long, number = setup.modes[mode]
        bits.take(2 * long)
        mapping = setup.mappings[number]
        used = [_read_floor(bits, setup, setup.floors[mapping.submaps[s][0]]) for s in mapping.submap_of]
        for pair in mapping.couples:
            if any(used[c] for c in pair):
                for channel in pair:
                    used[channel] = True
        for submap, (_, residue) in enumerate(mapping.submaps):
            channels = [u for u, s in zip(used, mapping.submap_of, strict=True) if s == submap]
            _read_residue(bits, setup, setup.residues[residue], channels, sizes[long] // 2)
    except EOFError:
        return 8 * len(packet)
    return bits.position


def _read_floor(bits: LittleReader, setup: Setup, floor: Floor) -> bool:
    """Reads the floor of one channel (§7.2.3); whether the channel has one."""
    if not bits.take(1):
        return False
    bits.take(2 * floor.value_bits)
    for kind in floor.partitions:
        width = floor.subclass_bits[kind]
        value = setup.books[floor.masters[kind]].read(bits) if width else 0
        for _ in range(floor.dimensions[kind]):
            book = floor.books[kind][value & ((1 << width) - 1)]
            value >>= width
            if book >= 0:
                setup.books[book].read(bits)
    return True


def _read_residue(bits: LittleReader, setup: Setup, residue: Residue, channels: list[bool], lines: int) -> None:
    """Reads the residue of the channels of one submap (§8.6.2), of which those with a floor have one."""
    vectors = sum(channels)
    if residue.kind == 2:
        lines, vectors = lines * len(channels), int(any(channels))
    count = (min(residue.end, lines) - min(residue.begin, lines)) // residue.size
    if not vectors or count <= 0:
        return
    classes, book = len(residue.books), setup.books[residue.class_book]
    kinds: list[list[int]] = [[] for _ in range(vectors)]
    for step in range(8):
        for first in range(0, count, book.dimensions):
            for vector in kinds if step == 0 else ():
                word = book.read(bits)
                vector += [word // classes**k % classes for k in range(book.dimensions - 1, -1, -1)]
            for at in range(first, min(first + book.dimensions, count)):
                for vector in kinds:
                    number = residue.books[vector[at]][step]
                    if number >= 0:
                        values = setup.books[number]
                        values.skip(bits, _words(residue, values.dimensions))


def _words(residue: Residue, dimensions: int) -> int:
    """How many codewords of so many dimensions a partition has (§8.6.3, §8.6.4)."""
    whole, rest = divmod(residue.size, max(1, dimensions))
    return whole + (rest > 0 and residue.kind > 0)
