"""TIFF: one directory with the tags that store pixels, its strips, and nothing between or behind them (TIFF 6.0)."""

from veridact.audit.structure.window import Window, check_covered, check_deflated, require
from veridact.errors import MediaError
from veridact.media.guards.tiff import Directory, directories
from veridact.render.readback import TIFF_STRUCTURE

DENSITY = frozenset({282, 283, 296})
WIDTH, LENGTH, BITS, COMPRESSION, OFFSETS, SAMPLES, ROWS, COUNTS = 256, 257, 258, 259, 273, 277, 278, 279
DEFLATE = frozenset({8, 32946})
MAX_VALUES = 16
HEADER_BYTES = 8


def check(window: Window) -> None:
    """Raises `StrayError` for a second directory, a tag with other contents, or bytes that no strip refers to."""
    try:
        found = list(directories(window.file))
    except MediaError as e:
        require(False, str(e), 0)
    require(len(found) == 1, "a second directory", found[-1].begins)
    page = found[0]
    for tag, field in page.fields.items():
        require(tag in TIFF_STRUCTURE | DENSITY, f"tag {tag}", field.begins)
        require(field.count <= MAX_VALUES or tag in {OFFSETS, COUNTS}, f"a long value of tag {tag}", field.begins)
    strips = list(zip(page.numbers.get(OFFSETS, ()), page.numbers.get(COUNTS, ()), strict=True))
    require(bool(strips), "a picture without strips", page.begins)
    values = [(f.begins, f.bytes) for f in page.fields.values()]
    parts = [(0, HEADER_BYTES), (page.begins, page.bytes), *values, *strips]
    check_covered(window, parts, padding=1, begins=0, end=window.size)
    if page.number(COMPRESSION) in DEFLATE:
        _check_strips(window, page, strips)


def _check_strips(window: Window, page: Directory, strips: list[tuple[int, int]]) -> None:
    """Raises `StrayError` for a strip that holds more than its rows."""
    bits = page.number(SAMPLES, 1) * page.number(BITS, 1)
    row_bytes = -(-page.number(WIDTH) * bits // 8)
    height = page.number(LENGTH)
    rows = min(page.number(ROWS, height), height)
    for number, (offset, length) in enumerate(strips):
        left = max(0, min(rows, height - number * rows))
        check_deflated(window.chunks(offset, length), left * row_bytes, offset)
