"""BMP: a header, a palette of grays where there is one, and rows, with zeros up to a multiple of four bytes."""

from veridact.audit.structure.window import Window, check_zeros, require

FILE_HEADER_BYTES, INFO_HEADER_BYTES = 14, 40
PALETTE_BYTES = {8: 1024, 24: 0}
"""By bits a pixel: of gray, and of colour."""


def check(window: Window) -> None:
    """Raises `StrayError` for another header, for padding with contents and for bytes behind the last row."""
    require(window.at(0, 2) == b"BM" and window.little(6, 4) == 0, "contents of the file header", 0)
    require(window.little(14, 4) == INFO_HEADER_BYTES, "an information header of another form", 14)
    width, height, bits = window.little(18, 4), window.little(22, 4), window.little(28, 2)
    require(bits in PALETTE_BYTES and window.little(30, 4) == 0, "a picture of a form that is never written", 28)
    begins = FILE_HEADER_BYTES + INFO_HEADER_BYTES + PALETTE_BYTES[bits]
    require(window.little(10, 4) == begins, "bytes between header and picture", FILE_HEADER_BYTES + INFO_HEADER_BYTES)
    for colour in range(PALETTE_BYTES[bits] // 4):
        at = FILE_HEADER_BYTES + INFO_HEADER_BYTES + 4 * colour
        require(window.at(at, 4) == bytes([colour, colour, colour, 0]), "a palette of other than grays", at)
    row = width * bits // 8
    stride = -(-row // 4) * 4
    end = begins + stride * height
    require(end == window.size, "trailing bytes", min(end, window.size))
    for number in range(height if stride > row else 0):
        check_zeros(window, begins + number * stride + row, stride - row, "padding with contents")
