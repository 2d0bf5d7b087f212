"""ICC profiles made from chromaticities and a transfer curve, in rationals, so that they are the same everywhere.

A matrix/TRC display profile (ICC.1:2010, 8.3.3): big-endian, colorants adapted to D50 by the Bradford method (annex E).
"""

import struct
from dataclasses import dataclass
from fractions import Fraction

Chromaticities = tuple[int, int, int, int, int, int, int, int]
"""x and y of white, red, green and blue, in 100,000ths."""

Matrix = tuple[tuple[Fraction, ...], ...]

_D50 = (Fraction(0xF6D6, 1 << 16), Fraction(1), Fraction(0xD32D, 1 << 16))
_BRADFORD: Matrix = tuple(
    tuple(Fraction(n, 10_000) for n in row)
    for row in ((8951, 2664, -1614), (-7502, 17135, 367), (389, -685, 10296))
)  # fmt: skip
_SRGB_CURVE = (Fraction(12, 5), Fraction(1000, 1055), Fraction(55, 1055), Fraction(100, 1292), Fraction(4045, 100_000))
"""Parameters g, a, b, c, d of IEC 61966-2-1: (a·x + b)^g from d on, below it c·x."""


@dataclass(frozen=True)
class Colours:
    """How the samples of a picture are to be shown; `gamma` is None for the transfer curve of sRGB."""

    primaries: Chromaticities
    gamma: Fraction | None


def icc_profile(colours: Colours) -> bytes:
    """The profile; raises `ZeroDivisionError` or `struct.error` for chromaticities that are none of a display."""
    columns = _colorants(colours.primaries)
    curve = _curve(colours.gamma)
    tags = [
        (b"desc", _text("described colours")),
        (b"cprt", _text("none")),
        (b"wtpt", _xyz(_D50)),
        *((name, _xyz(column)) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)),
        *((name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")),
    ]
    at = 128 + 4 + 12 * len(tags)
    table, bodies = struct.pack(">I", len(tags)), b""
    for name, body in tags:
        table += name + struct.pack(">II", at + len(bodies), len(body))
        bodies += body + bytes(-len(body) % 4)
    return _header(at + len(bodies)) + table + bodies


def _header(size: int) -> bytes:
    """The 128 bytes of the header (ICC.1:2010, 7.2)."""
    date = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    head = struct.pack(">I4sI4s4s4s12s4s", size, b"", 0x04300000, b"mntr", b"RGB ", b"XYZ ", date, b"acsp")
    return (head + bytes(28) + b"".join(_fixed(v) for v in _D50)).ljust(128, b"\0")


def _colorants(c: Chromaticities) -> list[tuple[Fraction, ...]]:
    """XYZ of full red, green and blue, scaled so that they add up to white, and adapted to D50."""
    white, *corners = [
        (Fraction(x, y), Fraction(1), Fraction(100_000 - x - y, y)) for x, y in zip(c[::2], c[1::2], strict=True)
    ]
    scales = _solve(tuple(zip(*corners, strict=True)), white)
    response = [_times(_BRADFORD, w) for w in (white, _D50)]
    gains = [new / old for old, new in zip(*response, strict=True)]
    adapted: list[tuple[Fraction, ...]] = []
    for corner, scale in zip(corners, scales, strict=True):
        cone = [gain * v for gain, v in zip(gains, _times(_BRADFORD, tuple(scale * v for v in corner)), strict=True)]
        adapted.append(_solve(_BRADFORD, tuple(cone)))
    return adapted


def _times(matrix: Matrix, vector: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
    return tuple(sum((a * b for a, b in zip(row, vector, strict=True)), Fraction(0)) for row in matrix)


def _determinant(m: Matrix) -> Fraction:
    (a, b, c), (d, e, f), (g, h, i) = m
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def _solve(matrix: Matrix, vector: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
    """The x with matrix·x = vector, by Cramer's rule."""
    whole = _determinant(matrix)
    return tuple(
        _determinant(tuple((*row[:n], v, *row[n + 1 :]) for row, v in zip(matrix, vector, strict=True))) / whole
        for n in range(3)
    )


def _fixed(value: Fraction) -> bytes:
    """An s15Fixed16Number, rounded to nearest."""
    return struct.pack(">i", round(value * (1 << 16)))


def _xyz(values: tuple[Fraction, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(_fixed(v) for v in values)


def _curve(gamma: Fraction | None) -> bytes:
    """A parametricCurveType: of sRGB, or a power."""
    kind, values = (3, _SRGB_CURVE) if gamma is None else (0, (gamma,))
    return struct.pack(">4sIHH", b"para", 0, kind, 0) + b"".join(_fixed(v) for v in values)


def _text(words: str) -> bytes:
    """A multiLocalizedUnicodeType with one English record."""
    encoded = words.encode("utf-16-be")
    return struct.pack(">4sIII4sII", b"mluc", 0, 1, 12, b"enUS", len(encoded), 28) + encoded
