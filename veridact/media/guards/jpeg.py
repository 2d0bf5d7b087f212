"""Limits the scans of a JPEG: one of thirty bytes makes a decoder process every block of the picture again."""

import re
from collections.abc import Iterator

from veridact.errors import MediaError

MAX_JPEG_SCANS = 200
"""Progressive files usually have about ten scans, the most optimised ones seventy."""

CHUNK_BYTES = 1 << 20
_SCAN = re.compile(rb"\xff\xda\x00(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")
"""The header of a scan: marker, length, number of components (ITU-T T.81, B.2.3). It occurs by chance at one in 274
thousand million positions, so the segments need not be parsed."""

_HEAD_BYTES = 5


def check_scans(chunks: Iterator[bytes]) -> None:
    """Raises `MediaError` for a JPEG, given in consecutive chunks, with more than `MAX_JPEG_SCANS` scans."""
    count, tail = 0, b""
    for chunk in chunks:
        count += len(_SCAN.findall(tail + chunk))
        tail = (tail + chunk)[1 - _HEAD_BYTES :]
        if count > MAX_JPEG_SCANS:
            raise MediaError(f"the JPEG has more than {MAX_JPEG_SCANS} scans; save the picture anew first")
