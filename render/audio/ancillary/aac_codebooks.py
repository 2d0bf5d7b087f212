"""AAC: the Huffman codebooks and scale factor bands of ISO/IEC 14496-3 §4.A, as far as the length of a codeword needs.

Every codebook is canonical: codewords of one length are consecutive numbers, and so are determined by how many there
are of each length. What a spectral codeword stands for decides only how many sign bits and escapes follow it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veridact.render.audio.aac_constants import RATES_HZ

WINDOW_BITS = 16


@dataclass(frozen=True)
class Codebook:
    """A canonical Huffman code.

    `dimension` is the number of spectral lines of a codeword (0 for scale factors), `counts` the number of codewords of
    1, 2, … bits, `following` one character a codeword in the order of codes: how many sign bits follow it, or e, f, g
    for one sign and an escape, two and an escape, two and two escapes; empty where none follow.
    """

    dimension: int
    counts: tuple[int, ...]
    following: str = ""


SPECTRAL = {
    1: Codebook(4, (1, 0, 0, 0, 8, 0, 24, 0, 24, 8, 16)),
    2: Codebook(4, (0, 0, 1, 1, 7, 24, 15, 19, 14)),
    3: Codebook(
        4,
        (1, 0, 0, 4, 2, 6, 3, 5, 15, 15, 8, 9, 3, 3, 5, 2),
        "011112222232343311223232331221224334323244332333223243344233333344442233434443233",
    ),
    4: Codebook(
        4,
        (0, 0, 0, 10, 6, 0, 9, 21, 8, 14, 11, 2),
        "433331202222121144443333333333332222222222221111444444333333333433344422222243333",
    ),
    5: Codebook(2, (1, 0, 0, 4, 4, 0, 4, 12, 12, 12, 18, 10, 4)),
    6: Codebook(2, (0, 0, 0, 9, 0, 16, 13, 8, 23, 8, 4)),
    7: Codebook(
        2,
        (1, 0, 2, 1, 0, 4, 5, 10, 14, 15, 8, 4),
        "0112221122211222222221122212122222222211222222222222112222222222",
    ),
    8: Codebook(
        2,
        (0, 0, 1, 5, 7, 10, 14, 15, 8, 4),
        "2212120112222222221122222222221212222222121222222222221212222112",
    ),
    9: Codebook(
        2,
        (1, 0, 2, 1, 0, 4, 3, 8, 11, 20, 31, 38, 32, 14, 4),
        "0112221122211222222221122222221212222222212222222212221222212222112222222222222122212222222222222222"
        "222212212222222122222222222222212212222122222222222222222222222222222",
    ),
    10: Codebook(
        2,
        (0, 0, 0, 3, 8, 14, 17, 25, 31, 41, 22, 8),
        "2222112222211222202211222222222222121222222222222121222222222222222222122222122222222222222222121222"
        "222212222221222222222222222221212122222222222222212122212221222222122",
    ),
    11: Codebook(
        2,
        (0, 0, 0, 2, 6, 7, 16, 59, 55, 95, 43, 6),
        "02g11222222121222222211222222222222222fffff2f121f2ffff22222ff22fff22f2fff2f22ff2221ff222212ff22f2f22"
        "22222f221222222122222222222222122222222222e222222e21222222222222222222222222222222122222222222222222"
        "21222222222222222222222222222112222222222222222222222222212212122212222211222212212112112",
    ),
}
"""The spectral codebooks (tables 4.A.2 to 4.A.12)."""

SCALE_FACTORS = Codebook(0, (1, 0, 1, 3, 2, 4, 3, 5, 4, 6, 6, 6, 5, 8, 4, 7, 3, 7, 46))
"""The scale factor codebook (table 4.A.1)."""

_SIGNS = {"0": (0, 0), "1": (1, 0), "2": (2, 0), "3": (3, 0), "4": (4, 0), "e": (1, 1), "f": (2, 1), "g": (2, 2)}


@dataclass(frozen=True)
class Lookup:
    """A codebook as tables over the next `WINDOW_BITS` bits.

    `words` codewords with their sign bits lie whole in them and take `bits`; the first of them takes `single`, 0 where
    it is longer or has an escape. `codes` maps (length, code) to the number of sign bits and of escapes.
    """

    words: bytes
    bits: bytes
    single: bytes
    codes: dict[tuple[int, int], tuple[int, int]]


def lookup(book: Codebook) -> Lookup:
    """The tables of a codebook."""
    codes: dict[tuple[int, int], tuple[int, int]] = {}
    single: NDArray[Any] = np.zeros(1 << WINDOW_BITS, np.int64)
    code = 0
    for length, count in enumerate(book.counts, 1):
        code <<= 1
        for _ in range(count):
            signs, escapes = _SIGNS[book.following[len(codes)]] if book.following else (0, 0)
            codes[length, code] = signs, escapes
            if length + signs <= WINDOW_BITS and not escapes:
                shift = WINDOW_BITS - length
                single[code << shift : (code + 1) << shift] = length + signs
            code += 1
    window = np.arange(1 << WINDOW_BITS)
    words, bits = np.zeros_like(window), np.zeros_like(window)
    while True:
        more = single[(window << bits) & ((1 << WINDOW_BITS) - 1)]
        whole = (more > 0) & (bits + more <= WINDOW_BITS)
        if not whole.any():
            break
        words, bits = words + whole, np.where(whole, bits + more, bits)
    tables = (table.astype(np.uint8).tobytes() for table in (words, bits, single))
    return Lookup(next(tables), next(tables), next(tables), codes)


def _widths(text: str) -> tuple[int, ...]:
    """Band widths from a text of `number×width`."""
    pairs = (item.split("×") for item in text.split())
    return tuple(int(width) for number, width in pairs for _ in range(int(number)))


_LONG = {
    96: _widths("14×4 5×8 5×12 2×16 1×24 1×28 1×36 1×44 11×64"),
    64: _widths("14×4 4×8 3×12 3×16 1×20 2×24 1×28 1×36 18×40"),
    48: _widths("10×4 7×8 4×12 2×16 2×20 2×24 2×28 19×32 1×96"),
    32: _widths("10×4 7×8 4×12 2×16 2×20 2×24 2×28 22×32"),
    24: _widths("11×4 10×8 4×12 3×16 2×20 2×24 2×28 1×32 1×36 1×40 1×44 1×48 2×52 5×64"),
    16: _widths("11×8 9×12 4×16 3×20 2×24 2×28 1×32 1×36 2×40 1×44 1×48 1×52 1×56 1×60 3×64"),
    8: _widths("13×12 7×16 4×20 3×24 2×28 1×32 2×36 1×40 1×44 1×48 1×52 1×56 1×60 1×64 1×80"),
}
_SHORT = {
    96: _widths("6×4 3×8 1×16 1×28 1×36"),
    48: _widths("5×4 3×8 3×12 3×16"),
    24: _widths("7×4 3×8 2×12 2×16 1×20"),
    16: _widths("8×4 2×8 2×12 1×16 2×20"),
    8: _widths("7×4 4×8 1×12 1×16 2×20"),
}
_LONG_OF = (96, 96, 64, 48, 48, 32, 24, 24, 16, 16, 16, 8, 8)
_SHORT_OF = (96, 96, 96, 48, 48, 48, 24, 24, 16, 16, 16, 8, 8)
LONG_BANDS = {rate_hz: _LONG[table] for rate_hz, table in zip(RATES_HZ, _LONG_OF, strict=True)}
"""The widths in lines of the scale factor bands of a long window, by sample rate (tables 4.129 to 4.147)."""

SHORT_BANDS = {rate_hz: _SHORT[table] for rate_hz, table in zip(RATES_HZ, _SHORT_OF, strict=True)}
"""The same for each of eight short windows."""
