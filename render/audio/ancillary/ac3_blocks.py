"""AC-3: where the audio blocks of a frame end and what they skip, found by its bit allocation (ETSI TS 102 366 §6, §7).

How many bits a mantissa has follows from exponents by integer arithmetic that encoder and decoder share; the mantissas
themselves do not matter.
"""

from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate

from veridact.render.audio.ancillary.bits import BitReader, UnreadableError

_BLOCKS = 6
_COUPLING, _LOW = -1, -2  # the keys of the coupling and low-frequency channels beside those from 0
_CHANNELS = (2, 1, 2, 3, 3, 4, 4, 5)
_SLOW_DECAY, _FAST_DECAY = (0x0F, 0x11, 0x13, 0x15), (0x3F, 0x53, 0x67, 0x7B)
_SLOW_GAIN, _KNEE = (0x540, 0x4D8, 0x478, 0x410), (0x000, 0x700, 0x900, 0xB00)
_FLOOR = (0x2F0, 0x2B0, 0x270, 0x230, 0x1F0, 0x170, 0x0F0, -0x800)
_FAST_GAIN = (0x080, 0x100, 0x180, 0x200, 0x280, 0x300, 0x380, 0x400)
_BAND_SIZES = (1,) * 28 + (3,) * 7 + (6,) * 6 + (12,) * 4 + (24,) * 5
_BAND_ENDS = tuple(accumulate(_BAND_SIZES))
_BAND_OF = tuple(band for band, size in enumerate(_BAND_SIZES) for _ in range(size))
_POINTERS = tuple(
    bap
    for bap, count in zip(range(16), (1, 5, 2, 3, 2, 2, 4, 4, 4, 4, 4, 4, 4, 4, 8, 9), strict=True)
    for _ in range(count)
)
"""The bit allocation pointer of each masked level (table 7.16)."""

_WIDTHS = (0, 0, 0, 3, 0, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16)
"""The bits of a mantissa by its pointer; those of pointers 1, 2 and 4 share codewords."""

_GROUPED = ((1, 3, 5), (2, 3, 7), (4, 2, 7))
"""(pointer, mantissas of a codeword, its bits)."""

# fmt: off
_LOG_ADD_COUNTS = (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 2, 1, 1, 2, 1, 1, 2, 1, 1, 2, 1, 2, 2, 1, 2,
    2, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 3, 3, 3, 3, 3, 3, 4, 4, 4, 5, 5, 6, 6, 8, 8, 11, 14, 19, 32, 46)
# fmt: on
_LOG_ADD = tuple(64 - step for step, count in enumerate(_LOG_ADD_COUNTS) for _ in range(count))
"""What the louder of two levels gains from the other, by half their distance (table 7.14)."""

_HEARING = (
    (
        1232, 1232, 1088, 1024, 992, 960, 944, 944, 928, 928, 928, 928, 928, 912, 912, 912, 896, 896, 880, 880, 864,
        864, 848, 848, 832, 832, 816, 800, 784, 768, 752, 752, 752, 752, 768, 784, 832, 912, 992, 1056, 1120, 1168,
        1184, 1120, 1088, 1088, 1312, 2048, 2112, 2112,
    ),
    (
        1264, 1264, 1120, 1040, 992, 976, 960, 944, 944, 928, 928, 928, 928, 928, 912, 912, 912, 896, 896, 896, 880,
        880, 864, 864, 848, 848, 832, 832, 800, 784, 768, 752, 752, 752, 752, 768, 800, 848, 912, 992, 1056, 1104,
        1184, 1168, 1120, 1088, 1152, 1584, 2112, 2112,
    ),
    (
        1408, 1408, 1200, 1104, 1056, 1008, 992, 976, 960, 944, 944, 944, 928, 928, 928, 928, 928, 928, 928, 928,
        912, 912, 912, 912, 896, 896, 896, 880, 864, 848, 832, 816, 800, 784, 768, 752, 752, 752, 768, 784, 816,
        848, 960, 1040, 1136, 1184, 1120, 1088, 1104, 1248,
    ),
)  # fmt: skip
"""The threshold of hearing at 48, 44.1 and 32 kHz of each band (table 7.15)."""


@dataclass
class _Channel:
    """The state of a channel that a later block may reuse: mantissas [start, end), exponents, allocation parameters."""

    start: int = 0
    end: int = 0
    exponents: list[int] = field(default_factory=list)
    fine_snr: int = 0
    gain: int = 0
    delta: list[tuple[int, int, int]] = field(default_factory=list)
    counts: Counter[int] | None = None


class Blocks:
    """Reads the audio blocks of one AC-3 frame from bit `position` on.

    `skipped` lists the skip fields as bits [start, end); `end` is where the auxiliary data begins.
    """

    def __init__(self, frame: bytes, position: int, rate: int, mode: int, low: int) -> None:
        self._bits, self._rate, self._mode = BitReader(frame, position), rate, mode
        self._full = range(_CHANNELS[mode])
        self._channels = {n: _Channel() for n in (*self._full, _COUPLING, *([_LOW] if low else []))}
        self._low, self._coupled, self._in_coupling = low, False, [False] * len(self._full)
        self._phases = self._coupling_bands = self._coupling_begin = 0
        self._slow = self._fast = self._slow_gain = self._knee = self._floor = self._coarse = 0
        self._leaks = (0, 0)
        self.skipped: list[tuple[int, int]] = []
        for number in range(_BLOCKS):
            self._block(number)
        self.end = self._bits.position

    def _used(self) -> list[int]:
        """The keys of the channels that have mantissas, in the order in which allocation parameters come."""
        return [*([_COUPLING] if self._coupled else []), *self._full, *([_LOW] if self._low else [])]

    def _block(self, number: int) -> None:
        """One audio block (§4.4.3)."""
        bits = self._bits
        bits.take(2 * len(self._full))
        for _ in range(2 if self._mode == 0 else 1):
            bits.optional(8)
        if bits.take(1):
            self._coupling_strategy()
        elif number == 0:
            raise UnreadableError("an AC-3 frame begins without a coupling strategy")
        self._coupling_coordinates()
        if self._mode == 2 and bits.take(1):
            narrow = self._coupled and self._coupling_begin <= 2
            bits.take((3 if self._coupling_begin else 2) if narrow else 4)
        self._exponents()
        self._parameters()
        if bits.take(1):
            size = 8 * bits.take(9)
            self.skipped.append((bits.position, bits.position + size))
            bits.take(size)
        total: Counter[int] = Counter()
        for key in self._used():
            total += self._pointers(key)
        bits.take(sum(_WIDTHS[p] * n for p, n in total.items()))
        bits.take(sum(-(-total[pointer] // shared) * width for pointer, shared, width in _GROUPED))

    def _coupling_strategy(self) -> None:
        """cplinu to cplbndstrc."""
        bits = self._bits
        self._coupled = bool(bits.take(1))
        self._in_coupling = [bool(self._coupled and bits.take(1)) for _ in self._full]
        if not self._coupled:
            return
        self._phases = bits.take(1) if self._mode == 2 else 0
        begin, end = bits.take(4), bits.take(4)
        if end + 3 <= begin:
            raise UnreadableError("an AC-3 frame has coupling of no band")
        self._coupling_begin = begin
        self._coupling_bands = 3 + end - begin - sum(bits.take(1) for _ in range(2 + end - begin))
        coupling = self._channels[_COUPLING]
        coupling.start, coupling.end, coupling.counts = 37 + 12 * begin, 37 + 12 * (end + 3), None

    def _coupling_coordinates(self) -> None:
        """cplcoe to phsflg."""
        bits, any_new = self._bits, False
        for coupled in self._in_coupling:
            if coupled and bits.take(1):
                bits.take(2 + 8 * self._coupling_bands)
                any_new = True
        if any_new and self._mode == 2 and self._phases:
            bits.take(self._coupling_bands)

    def _exponents(self) -> None:
        """Exponent strategies, bandwidths and exponents (§6.1)."""
        bits = self._bits
        strategies = {key: bits.take(1 if key == _LOW else 2) for key in self._used()}
        for key in self._full:
            if strategies[key]:
                channel = self._channels[key]
                coupled = self._in_coupling[key]
                channel.end = 37 + 12 * self._coupling_begin if coupled else 73 + 3 * bits.take(6)
                if channel.end > _BAND_ENDS[-1]:
                    raise UnreadableError("an AC-3 frame has a channel of too many bands")
        for key, strategy in strategies.items():
            if not strategy:
                continue
            channel = self._channels[key]
            if key == _LOW:
                channel.end = 7
            run = 1 << (strategy - 1)
            first = bits.take(4)
            span = channel.end - channel.start if key == _COUPLING else channel.end - 1 + 3 * (run - 1)
            values = self._grouped(first << 1 if key == _COUPLING else first, span // (3 * run), run)
            channel.exponents = (values if key == _COUPLING else [first, *values])[: channel.end - channel.start]
            channel.counts = None
            if key in self._full:
                bits.take(2)

    def _grouped(self, value: int, groups: int, run: int) -> list[int]:
        """The exponents after an absolute one: three differences in seven bits, each for `run` mantissas."""
        found: list[int] = []
        for _ in range(groups):
            code = self._bits.take(7)
            for difference in (code // 25, code // 5 % 5, code % 5):
                value += difference - 2
                found += [value] * run
        if _out_of_range(found):
            raise UnreadableError("an AC-3 frame has an exponent out of range")
        return found

    def _parameters(self) -> None:
        """Bit allocation parameters, signal-to-noise offsets, leaks and deltas (§6.2)."""
        bits, changed = self._bits, False
        if bits.take(1):
            self._slow, self._fast = _SLOW_DECAY[bits.take(2)], _FAST_DECAY[bits.take(2)]
            self._slow_gain, self._knee, self._floor = (
                _SLOW_GAIN[bits.take(2)],
                _KNEE[bits.take(2)],
                _FLOOR[bits.take(3)],
            )
            changed = True
        if bits.take(1):
            self._coarse, changed = bits.take(6), True
            for key in self._used():
                self._channels[key].fine_snr = bits.take(4)
                self._channels[key].gain = _FAST_GAIN[bits.take(3)]
        if self._coupled and bits.take(1):
            self._leaks, changed = (bits.take(3), bits.take(3)), True
        if bits.take(1):
            changed = True
            keys = [key for key in self._used() if key != _LOW]
            actions = {key: bits.take(2) for key in keys}
            for key, action in actions.items():
                if action == 1:
                    segments = bits.take(3) + 1
                    self._channels[key].delta = [(bits.take(5), bits.take(4), bits.take(3)) for _ in range(segments)]
                elif action == 2:
                    self._channels[key].delta = []
        if changed:
            for channel in self._channels.values():
                channel.counts = None

    def _pointers(self, key: int) -> Counter[int]:
        """How many mantissas of a channel have each pointer (§6.2.2)."""
        channel = self._channels[key]
        if channel.counts is not None:
            return channel.counts
        if not channel.exponents or len(channel.exponents) != channel.end - channel.start:
            raise UnreadableError("an AC-3 frame reuses exponents that it does not have")
        if not self._coarse and not any(self._channels[k].fine_snr for k in self._used()):
            channel.counts = Counter()
            return channel.counts
        levels = [3072 - 128 * e for e in channel.exponents]
        bands = self._band_levels(channel, levels)
        mask = self._mask(key, channel, bands)
        offset = (self._coarse - 15 << 4) + channel.fine_snr << 2
        found: Counter[int] = Counter()
        for at, level in enumerate(levels, channel.start):
            masked = (max(mask[_BAND_OF[at]] - offset - self._floor, 0) & 0x1FE0) + self._floor
            found[_POINTERS[min(max(level - masked >> 5, 0), 63)]] += 1
        channel.counts = found
        return found

    def _band_levels(self, channel: _Channel, levels: list[int]) -> dict[int, int]:
        """The level of each band: the sum of its mantissas' on a logarithmic scale."""
        bands: dict[int, int] = {}
        for at, level in enumerate(levels, channel.start):
            band = _BAND_OF[at]
            if band not in bands:
                bands[band] = level
            else:
                distance = bands[band] - level
                bands[band] = max(bands[band], level) + _LOG_ADD[min(abs(distance) >> 1, 255)]
        return bands

    def _mask(self, key: int, channel: _Channel, bands: dict[int, int]) -> dict[int, int]:
        """The masking curve: excitation, threshold of hearing, deltas."""
        mask = {}
        for band, excitation in self._excitation(key, channel, bands).items():
            quiet = max(0, self._knee - bands[band]) >> 2
            mask[band] = max(excitation + quiet, _HEARING[self._rate][band])
        band = _BAND_OF[channel.start]
        for offset, length, change in channel.delta:
            band += offset
            for _ in range(length):
                if band in mask:
                    mask[band] += (change - 3 if change >= 4 else change - 4) << 7
                band += 1
        return mask

    def _excitation(self, key: int, channel: _Channel, bands: dict[int, int]) -> dict[int, int]:
        """The excitation of each band: levels that decay upwards, fast and slowly."""
        found: dict[int, int] = {}
        if key == _COUPLING:
            fast, slow = ((leak << 8) + 768 for leak in self._leaks)
            begin = _BAND_OF[channel.start]
        else:
            begin, fast, slow, low = self._low_bands(key, channel, bands, found)
        for band in range(begin, _BAND_OF[channel.end - 1] + 1):
            fast = max(fast - self._fast, bands[band] - channel.gain)
            slow = max(slow - self._slow, bands[band] - self._slow_gain)
            compensation = 0
            if key != _COUPLING and band < 22:
                if not (key == _LOW and band == 6):
                    low = _compensation(low, bands[band], bands.get(band + 1, 0), band)
                compensation = low
            found[band] = max(fast - compensation, slow)
        return found

    def _low_bands(
        self, key: int, channel: _Channel, bands: dict[int, int], found: dict[int, int]
    ) -> tuple[int, int, int, int]:
        """The first bands, up to where the level stops falling: the next band, both leaks, and the compensation."""
        low = fast = slow = 0
        for band in range(7):
            last = key == _LOW and band == 6
            if not last:
                low = _compensation(low, bands[band], bands[band + 1], band)
            fast, slow = bands[band] - channel.gain, bands[band] - self._slow_gain
            found[band] = fast - low
            if band >= 2 and not last and bands[band] <= bands[band + 1]:
                return band + 1, fast, slow, low
        return 7, fast, slow, low


def _out_of_range(exponents: list[int]) -> bool:
    """Whether an exponent is out of range."""
    return any(e < 0 or e > 24 for e in exponents)


def _compensation(value: int, level: int, following: int, band: int) -> int:
    """The low-frequency compensation after one more band (§6.2.2.4)."""
    if band < 20:
        if level + 256 == following:
            return 384 if band < 7 else 320
        return max(0, value - 64) if level > following else value
    return max(0, value - 128)
