"""The setup header of Vorbis I (§4.2.4): codebooks, floors, residues, mappings and modes, as packets need them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

from veridact.render.audio.ancillary.bits import UnreadableError

_BOOK_SYNC = 0x564342
_DIRECT_BITS = 10
_DIRECT = (1 << _DIRECT_BITS) - 1
_MAX_ENTRIES = 1 << 16


class LittleReader:
    """Reads bits, least significant first; raises `EOFError` past the end."""

    def __init__(self, data: bytes) -> None:
        self.value, self.size, self.position = int.from_bytes(data, "little"), 8 * len(data), 0

    def take(self, width: int) -> int:
        """The next `width` bits as an unsigned integer."""
        start, self.position = self.position, self.position + width
        if self.position > self.size:
            raise EOFError
        return self.value >> start & ((1 << width) - 1)


@dataclass(frozen=True)
class Codebook:
    """A Huffman code: `codes` maps (length, code) to an entry.

    `entries` and `lengths` are those of the codeword in the next ten bits; the length is 0 where it is longer.
    """

    dimensions: int
    entries: list[int]
    lengths: bytes
    codes: dict[tuple[int, int], int]

    def read(self, bits: LittleReader) -> int:
        """The entry of the next codeword; raises `UnreadableError` for one that does not exist."""
        window = bits.value >> bits.position & _DIRECT
        if self.lengths[window]:
            bits.take(self.lengths[window])
            return self.entries[window]
        code = 0
        for length in range(1, 33):
            code |= bits.take(1) << (length - 1)
            entry = self.codes.get((length, code))
            if entry is not None:
                return entry
        raise UnreadableError("a Vorbis packet has a codeword that does not exist")

    def skip(self, bits: LittleReader, count: int) -> None:
        """Skips `count` codewords."""
        value, position, lengths = bits.value, bits.position, self.lengths
        for _ in range(count):
            length = lengths[value >> position & _DIRECT]
            if not length:
                bits.position = position
                self.read(bits)
                length = bits.position - position
            position += length
        bits.position = position
        if position > bits.size:
            raise EOFError


@dataclass(frozen=True)
class Floor:
    """A floor of type 1: the class of each partition, and of each class its dimensions, sub-class bits and books."""

    partitions: tuple[int, ...]
    dimensions: tuple[int, ...]
    subclass_bits: tuple[int, ...]
    masters: tuple[int, ...]
    books: tuple[tuple[int, ...], ...]
    value_bits: int


@dataclass(frozen=True)
class Residue:
    """A residue: [begin, end) in partitions of `size`, and for each class the book of each of eight passes or -1."""

    kind: int
    begin: int
    end: int
    size: int
    class_book: int
    books: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Mapping:
    """Pairs of coupled channels, and the floor and residue of the submap of each channel."""

    couples: tuple[tuple[int, int], ...]
    submap_of: tuple[int, ...]
    submaps: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Setup:
    """A setup header; `modes` are (long block, mapping), `size_bytes` counts from after its signature."""

    books: tuple[Codebook, ...]
    floors: tuple[Floor, ...]
    residues: tuple[Residue, ...]
    mappings: tuple[Mapping, ...]
    modes: tuple[tuple[int, int], ...]
    size_bytes: int


def read_setup(data: bytes, channels: int) -> Setup:
    """The setup header without its signature; raises `UnreadableError` where it is not as Vorbis I says."""
    bits = LittleReader(data)
    try:
        books = tuple(_codebook(bits) for _ in range(bits.take(8) + 1))
        if any(bits.take(16) for _ in range(bits.take(6) + 1)):
            raise UnreadableError("the Vorbis setup has a time transform")
        floors = tuple(_floor(bits) for _ in range(bits.take(6) + 1))
        residues = tuple(_residue(bits) for _ in range(bits.take(6) + 1))
        mappings = tuple(_mapping(bits, channels) for _ in range(bits.take(6) + 1))
        modes = tuple(_mode(bits) for _ in range(bits.take(6) + 1))
        framed = bits.take(1)
    except EOFError:
        raise UnreadableError("the Vorbis setup is cut short") from None
    setup = Setup(books, floors, residues, mappings, modes, -(-bits.position // 8))
    if not framed or not _consistent(setup):
        raise UnreadableError("the Vorbis setup names what it does not have")
    return setup


def _consistent(setup: Setup) -> bool:
    """Whether every index within a setup header is one of what it has."""
    books = [b for f in setup.floors for b in (*f.masters, *(b for c in f.books for b in c))]
    books += [b for r in setup.residues for b in (r.class_book, *(b for c in r.books for b in c))]
    submaps = [s for m in setup.mappings for s in m.submaps]
    return (
        max(books, default=0) < len(setup.books)
        and all(f < len(setup.floors) and r < len(setup.residues) for f, r in submaps)
        and all(s < len(m.submaps) for m in setup.mappings for s in m.submap_of)
        and all(0 <= c < len(m.submap_of) for m in setup.mappings for pair in m.couples for c in pair)
        and all(mapping < len(setup.mappings) for _, mapping in setup.modes)
        and all(r.kind <= 2 and setup.books[r.class_book].dimensions for r in setup.residues)
    )


def _codebook(bits: LittleReader) -> Codebook:
    """A codebook (§3.2.1); its values are skipped."""
    if bits.take(24) != _BOOK_SYNC:
        raise UnreadableError("the Vorbis setup has no codebook where one must be")
    dimensions, entries = bits.take(16), bits.take(24)
    if entries > _MAX_ENTRIES:
        raise UnreadableError("the Vorbis setup has a codebook of too many entries")
    lengths: list[int] = []
    if bits.take(1):
        length = bits.take(5) + 1
        while len(lengths) < entries:
            lengths += [length] * bits.take((entries - len(lengths)).bit_length())
            length += 1
            if length > 64:
                raise UnreadableError("the Vorbis setup has a codebook that never ends")
    else:
        sparse = bits.take(1)
        lengths = [bits.take(5) + 1 if not sparse or bits.take(1) else 0 for _ in range(entries)]
    kind = bits.take(4)
    if kind > 2 or len(lengths) != entries:
        raise UnreadableError("the Vorbis setup has a codebook of an unknown kind")
    if kind:
        bits.take(64)
        width = bits.take(4) + 1
        bits.take(1)
        bits.take(width * (_root(entries, dimensions) if kind == 1 else entries * dimensions))
    return _coded(dimensions, lengths)


def _coded(dimensions: int, lengths: Sequence[int]) -> Codebook:
    """Gives every entry the lowest free codeword of its length (§3.2.1), stored in the order in which it is read."""
    codes: dict[tuple[int, int], int] = {}
    free = [0] * 33
    for entry, length in enumerate(lengths):
        if not length:
            continue
        word = free[length]
        if length > 32 or word >> length:
            raise UnreadableError("the Vorbis setup has a codebook with too many codewords")
        codes[length, int(format(word, f"0{length}b")[::-1], 2)] = entry
        for j in range(length, 0, -1):
            if free[j] & 1:
                free[j] = free[1] + 1 if j == 1 else free[j - 1] << 1
                break
            free[j] += 1
        for j in range(length + 1, 33):
            if free[j] >> 1 != word:
                break
            word, free[j] = free[j], free[j - 1] << 1
    entries, known = [0] * (1 << _DIRECT_BITS), bytearray(1 << _DIRECT_BITS)
    for (length, code), entry in codes.items():
        if length <= _DIRECT_BITS:
            for index in range(code, 1 << _DIRECT_BITS, 1 << length):
                entries[index], known[index] = entry, length
    return Codebook(dimensions, entries, bytes(known), codes)


def _floor(bits: LittleReader) -> Floor:
    """A floor of type 1 (§7.2.2); type 0, which no encoder has written since 2000, is not read."""
    if bits.take(16) != 1:
        raise UnreadableError("the Vorbis setup has a floor of type 0")
    partitions = tuple(bits.take(4) for _ in range(bits.take(5)))
    dimensions, subclass_bits, masters, books = [], [], [], []
    for _ in range(max(partitions, default=-1) + 1):
        dimensions.append(bits.take(3) + 1)
        subclass_bits.append(bits.take(2))
        masters.append(bits.take(8) if subclass_bits[-1] else -1)
        books.append(tuple(bits.take(8) - 1 for _ in range(1 << subclass_bits[-1])))
    value_bits = (8, 7, 7, 6)[bits.take(2)]
    bits.take(bits.take(4) * sum(dimensions[c] for c in partitions))
    return Floor(partitions, tuple(dimensions), tuple(subclass_bits), tuple(masters), tuple(books), value_bits)


def _residue(bits: LittleReader) -> Residue:
    """A residue (§8.6.1)."""
    kind, begin, end, size = bits.take(16), bits.take(24), bits.take(24), bits.take(24) + 1
    classes, class_book = bits.take(6) + 1, bits.take(8)
    cascades = [bits.take(3) | (bits.take(5) << 3 if bits.take(1) else 0) for _ in range(classes)]
    books = tuple(tuple(bits.take(8) if c >> k & 1 else -1 for k in range(8)) for c in cascades)
    return Residue(kind, begin, end, size, class_book, books)


def _mapping(bits: LittleReader, channels: int) -> Mapping:
    """A mapping of type 0 (§4.2.4)."""
    if bits.take(16):
        raise UnreadableError("the Vorbis setup has a mapping of an unknown kind")
    submaps = bits.take(4) + 1 if bits.take(1) else 1
    width = (channels - 1).bit_length()
    couples = tuple((bits.take(width), bits.take(width)) for _ in range(bits.take(8) + 1 if bits.take(1) else 0))
    bits.take(2)
    submap_of = tuple(bits.take(4) if submaps > 1 else 0 for _ in range(channels))
    numbers = [(bits.take(8), bits.take(8), bits.take(8)) for _ in range(submaps)]
    return Mapping(couples, submap_of, tuple((floor, residue) for _, floor, residue in numbers))


def _mode(bits: LittleReader) -> tuple[int, int]:
    """A mode: whether its blocks are long, and its mapping."""
    long, _, mapping = bits.take(1), bits.take(32), bits.take(8)
    return long, mapping


def _root(entries: int, dimensions: int) -> int:
    """The greatest integer whose power `dimensions` is at most `entries` (§9.2.3)."""
    root = 1 if dimensions != 2 else isqrt(entries)
    while dimensions and (root + 1) ** dimensions <= entries:
        root += 1
    return root
