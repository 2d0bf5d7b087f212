"""GIF: pictures, their colours and times, and the loop; no comment, no other extension, nothing behind (GIF89a)."""

from veridact.audit.structure.window import Window, require

LOOP = b"NETSCAPE2.0"
CONTROL, COMMENT, PLAIN_TEXT, APPLICATION = 0xF9, 0xFE, 0x01, 0xFF
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
            at = _sub_blocks(window, at + 1)[0]
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
