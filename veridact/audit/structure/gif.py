"""GIF: pictures, their colours and times, and the loop; no comment, no other extension, nothing behind (GIF89a)."""

from veridact.audit.structure.window import Window, require
from veridact.sandbox.heartbeat import beat

LOOP = b"NETSCAPE2.0"
CONTROL, COMMENT, PLAIN_TEXT, APPLICATION = 0xF9, 0xFE, 0x01, 0xFF
MIN_CODE_BITS, MAX_CODE_BITS = 2, 12
NAMES = {COMMENT: "comment", PLAIN_TEXT: "plain text", APPLICATION: "application"}


def check(window: Window) -> None:
    """Raises `StrayError` for a block that is no picture and says nothing of one."""
    require(window.at(0, 6) in {b"GIF87a", b"GIF89a"}, "no GIF", 0)
    at = _behind_table(13, window.at(10, 1)[0])
    while (kind := window.at(at, 1)) != b";":
        if kind == b"!":
            at = _extension(window, at)
        else:
            require(kind == b",", "bytes that are no block", at)
            at = _behind_table(at + 10, window.at(at + 9, 1)[0])
            end, lengths = _sub_blocks(window, at + 1)
            _check_codes(_joined(window, at + 1, lengths), window.at(at, 1)[0], at)
            at = end
    require(at + 1 == window.size, "trailing bytes", at + 1)


def _behind_table(at: int, flags: int) -> int:
    """The offset behind a colour table at an offset, where `flags` announces one."""
    return at + (3 << (flags & 7) + 1 if flags & 0x80 else 0)


def _extension(window: Window, at: int) -> int:
    """The offset behind an extension block."""
    label = window.at(at + 1, 1)[0]
    require(label in {CONTROL, APPLICATION}, f"extension {NAMES.get(label, f'{label:02x}')}", at)
    end, lengths = _sub_blocks(window, at + 2)
    if label == CONTROL:
        require(lengths == [4], "contents of a graphic control", at)
    else:
        known = lengths == [len(LOOP), 3] and window.at(at + 3, len(LOOP)) == LOOP
        require(known, "extension application", at)
    return end


def _sub_blocks(window: Window, at: int) -> tuple[int, list[int]]:
    """The offset behind data sub-blocks, and the length of each."""
    lengths: list[int] = []
    while length := window.at(at, 1)[0]:
        lengths.append(length)
        at += 1 + length
    return at + 1, lengths


def _joined(window: Window, at: int, lengths: list[int]) -> bytes:
    """The contents of data sub-blocks of those lengths."""
    parts = list[bytes]()
    for length in lengths:
        parts.append(window.at(at + 1, length))
        at += 1 + length
    return b"".join(parts)


def _check_codes(data: bytes, minimum: int, at: int) -> None:
    """Raises `StrayError` for bytes behind the end code of LZW data with codes from `minimum` bits on (appendix F)."""
    require(MIN_CODE_BITS <= minimum < MAX_CODE_BITS, "a code size of no picture", at)
    clear = 1 << minimum
    position, width, following, is_first = 0, minimum + 1, clear + 2, True
    while True:
        begins = position >> 3
        code = int.from_bytes(data[begins : begins + 3], "little") >> (position & 7) & (1 << width) - 1
        position += width
        require(position <= 8 * len(data), "a picture without an end", at)
        if code == clear + 1:
            break
        if code == clear:
            beat()
            width, following, is_first = minimum + 1, clear + 2, True
            continue
        if not is_first and following < 1 << MAX_CODE_BITS:
            following += 1
            width = min(MAX_CODE_BITS, following.bit_length())
        is_first = False
    require(-(-position // 8) == len(data), "bytes behind the end code of a picture", at)
