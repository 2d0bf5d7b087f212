"""Detects MP3 that was cut out of a longer file, so that it begins in the middle of a frame."""

_KBPS = {
    3: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    0: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates of layer III by the two bits of the version: MPEG 1, 2 and 2.5 (ISO 11172-3 and 13818-3, 2.4.2.3)."""

_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
MAX_FRAME_BYTES = 1441
FRAMES = 6
"""Consecutive frame headers required: more than occur by chance."""


def _frame_bytes(head: bytes, at: int) -> int | None:
    """The length in bytes of the layer III frame whose header is at offset `at`, or None where there is none."""
    if len(head) < at + 3 or head[at] != 0xFF or head[at + 1] & 0xE6 != 0xE2:
        return None
    version, rate, clock, padding = (
        head[at + 1] >> 3 & 3,
        head[at + 2] >> 4,
        head[at + 2] >> 2 & 3,
        head[at + 2] >> 1 & 1,
    )
    if version not in _KBPS or rate in {0, 15} or clock == 3:
        return None
    return (144 if version == 3 else 72) * 1000 * _KBPS[version][rate - 1] // _RATES_HZ[version][clock] + padding


def starts_mid_frame(head: bytes) -> bool:
    """Whether a file that begins with `head` is MP3 whose first frame is incomplete."""
    starts = range(min(MAX_FRAME_BYTES, len(head)))
    return any(_follow(head, start) for start in starts if head[start] == 0xFF)


def _follow(head: bytes, at: int) -> bool:
    """Whether `FRAMES` frames follow one another from offset `at`."""
    for _ in range(FRAMES):
        length = _frame_bytes(head, at)
        if length is None:
            return False
        at += length
    return True
