"""AAC-LC: access units without data elements, fill and what follows their end.

An access unit is read element by element (ISO/IEC 14496-3 §4.4.2). Nothing says how long a channel element is, so its
Huffman codewords are counted to its end; their values do not matter. Band replication (HE-AAC), the Main, SSR and LTP
profiles, coupling channels and 960-sample frames are not read.
"""

import re
from collections.abc import Iterator
from functools import cache

from veridact.render.audio.ancillary.aac_codebooks import (
    LONG_BANDS,
    SCALE_FACTORS,
    SHORT_BANDS,
    SPECTRAL,
    WINDOW_BITS,
    Lookup,
    lookup,
)
from veridact.render.audio.ancillary.aac_config import Config, skip_program
from veridact.render.audio.ancillary.bits import BitReader, UnreadableError, changed_bytes, clear

_SCE, _CPE, _CCE, _LFE, _DSE, _PCE, _FIL, _END = range(8)
_NOISE, _INTENSITY = 13, (14, 15)
_EIGHT_SHORT = 2
_FILL_BYTES = frozenset(b"\xa5")
"""The content of fill elements that ISO/IEC 14496-3 §4.5.2.7 prescribes; it says nothing and stays."""

_PRIMED_BY_NAME = re.compile(rb"\0{2}libfaac [0-9]{1,3}\.[0-9]{1,3}(?![0-9])")
"""After 17 bits of zeros, the name of an encoder whose 1024 samples of priming FFmpeg drops because of it."""

_EXT_FILL_DATA, _EXT_SBR = 1, (13, 14)


@cache
def _tables(book: int) -> Lookup:
    """The tables of a spectral codebook, or those of scale factors for 0."""
    return lookup(SPECTRAL[book] if book else SCALE_FACTORS)


class _Unit(BitReader):
    """An access unit: `ancillary` lists the bits [start, end) that hold no sound."""

    def __init__(self, data: bytes, rate_hz: int) -> None:
        super().__init__(data)
        self._padded = int.from_bytes(data, "big") << WINDOW_BITS
        self._rate_hz = rate_hz
        self.ancillary: list[tuple[int, int]] = []
        while (kind := self.take(3)) != _END:
            self._element(kind)
        if self.position < self.size:
            self.ancillary.append((self.position, self.size))

    def _element(self, kind: int) -> None:
        match kind:
            case 0 | 3:
                self.take(4)
                self._channel(None)
            case 1:
                self._pair()
            case 4:
                self._data()
            case 5:
                skip_program(self)
                self._comment()
            case 6:
                self._fill()
            case _:
                raise UnreadableError("AAC with coupling channels is not read as far as its ancillary data")

    def _pair(self) -> None:
        self.take(4)
        window = None
        if self.take(1):
            window = self._window()
            if self.take(2) == 1:
                self.take(len(window[0]) * window[1])
        self._channel(window)
        self._channel(window)

    def _data(self) -> None:
        """A data_stream_element (§4.4.2.6)."""
        self.take(4)
        aligned, size = self.take(1), self.take(8)
        if size == 255:
            size += self.take(8)
        start = self.position
        if aligned:
            self.align()
        self.take(8 * size)
        self.ancillary.append((start, self.position))

    def _comment(self) -> None:
        """The comment that ends a program_config_element."""
        self.align()
        size = 8 * self.take(8)
        self.ancillary.append((self.position, self.position + size))
        self.take(size)

    def _fill(self) -> None:
        """A fill_element (§4.4.2.7); one of the prescribed bytes stays, and the name by which FFmpeg knows libfaac."""
        size = self.take(4)
        if size == 15:
            size += self.take(8) - 1
        start = self.position
        kind = self.take(4) if size else 0
        if kind in _EXT_SBR:
            raise UnreadableError("band replication (HE-AAC) is not read as far as its ancillary data")
        self.position = start
        payload = self.take(8 * size).to_bytes(size, "big")
        if kind == _EXT_FILL_DATA and payload[0] & 15 == 0 and frozenset(payload[1:]) <= _FILL_BYTES:
            return
        text = (int.from_bytes(payload, "big") << 1 & ((1 << 8 * size) - 1)).to_bytes(size, "big")
        name = _PRIMED_BY_NAME.match(text)
        self.ancillary.append((start + 8 * name.end() - 1 if name else start, self.position))

    def _window(self) -> tuple[tuple[int, ...], int, bool]:
        """ics_info: the number of windows in each group, the number of bands, and whether there are short windows."""
        self.take(1)
        short = self.take(2) == _EIGHT_SHORT
        self.take(1)
        if not short:
            bands = self.take(6)
            if self.take(1):
                raise UnreadableError("AAC with prediction is not read as far as its ancillary data")
            return (1,), bands, False
        bands = self.take(4)
        groups = [1]
        for bit in format(self.take(7), "07b"):
            if bit == "1":
                groups[-1] += 1
            else:
                groups.append(1)
        return tuple(groups), bands, True

    def _channel(self, window: tuple[tuple[int, ...], int, bool] | None) -> None:
        """An individual_channel_stream (§4.4.2.3), in `window` where it shares one."""
        self.take(8)
        groups, bands, short = window or self._window()
        widths = (SHORT_BANDS if short else LONG_BANDS)[self._rate_hz]
        if bands > len(widths):
            raise UnreadableError("an AAC packet has more bands than its sample rate")
        runs, factors, noises = self._sections(groups, bands, widths, 3 if short else 5)
        if noises:
            self._noise_and_factors(factors)
        else:
            self._skip(_tables(0), len(factors))
        if self.take(1):
            self.take(9 * ((self.take(8) >> 6) + 1))
        if self.take(1):
            self._noise_shaping(8 if short else 1)
        if self.take(1):
            raise UnreadableError("AAC with gain control is not read as far as its ancillary data")
        for book, lines in runs:
            self._skip(_tables(book), lines // SPECTRAL[book].dimension)
        if self.position > self.size:
            raise UnreadableError("an AAC packet ends within its spectrum")

    def _sections(
        self, groups: tuple[int, ...], bands: int, widths: tuple[int, ...], width: int
    ) -> tuple[list[tuple[int, int]], list[int], bool]:
        """section_data: (codebook, lines) of each coded section, the codebook of each scale factor, any noise."""
        runs: list[tuple[int, int]] = []
        factors: list[int] = []
        escape = (1 << width) - 1
        for windows in groups:
            band = 0
            while band < bands:
                book, end = self.take(4), band
                while (more := self.take(width)) == escape:
                    end += more
                end += more
                if end > bands or book == 12:
                    raise UnreadableError("an AAC packet has a section that does not fit")
                if book:
                    factors += [book] * (end - band)
                if 0 < book < _NOISE:
                    runs.append((book, windows * sum(widths[band:end])))
                band = end
        return runs, factors, _NOISE in factors

    def _noise_and_factors(self, factors: list[int]) -> None:
        """scale_factor_data in which the first noise energy has nine bits."""
        first = factors.index(_NOISE)
        self._skip(_tables(0), first)
        self.take(9)
        self._skip(_tables(0), len(factors) - first - 1)

    def _noise_shaping(self, windows: int) -> None:
        """tns_data (§4.4.2.4)."""
        short = windows > 1
        for _ in range(windows):
            filters = self.take(1 if short else 2)
            resolution = self.take(1) + 3 if filters else 0
            for _ in range(filters):
                self.take(4 if short else 6)
                order = self.take(3 if short else 5)
                if order:
                    self.take(1)
                    self.take(order * (resolution - self.take(1)))

    def _skip(self, tables: Lookup, count: int) -> None:
        """Skips `count` codewords."""
        words, bits, single = tables.words, tables.bits, tables.single
        value, size, position = self._padded, self.size, self.position
        while count > 0:
            if position > size:
                raise UnreadableError("an AAC packet ends within its spectrum")
            window = value >> (size - position) & 0xFFFF
            step = words[window]
            if 0 < step <= count:
                count -= step
                position += bits[window]
            elif single[window]:
                count -= 1
                position += single[window]
            else:
                self.position = position
                self._long_word(tables)
                position = self.position
                count -= 1
        self.position = position

    def _long_word(self, tables: Lookup) -> None:
        """Skips one codeword that is longer than the window or has escapes (§4.6.3.3)."""
        code = length = 0
        while (length, code) not in tables.codes:
            code, length = code << 1 | self.take(1), length + 1
            if length > 19:
                raise UnreadableError("an AAC packet has a codeword that does not exist")
        signs, escapes = tables.codes[length, code]
        self.take(signs)
        for _ in range(escapes):
            ones = 0
            while self.take(1):
                ones += 1
            self.take(ones + 4)


def clean(header: bytes | None, packets: Iterator[bytes]) -> Iterator[tuple[bytes, int]]:
    """Every access unit with zeros for what is no sound, and how many bytes that changed."""
    config = Config(header or b"")
    if config.rate_hz not in LONG_BANDS:
        raise UnreadableError("AAC of an unusual sample rate is not read as far as its ancillary data")
    for packet in packets:
        unit = _Unit(packet, config.rate_hz)
        data = bytearray(packet)
        for start, end in unit.ancillary:
            clear(data, start, end)
        yield bytes(data), changed_bytes(packet, data)
