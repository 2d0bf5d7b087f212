"""How often a JPEG goes over its picture: a scan of thirty bytes makes a decoder visit every block of it again."""

import re
from collections.abc import Iterator

from veridact.errors import MediaError

MAX_JPEG_SCANS = 200
"""Progressive files have about ten scans, the most carefully packed ones seventy."""

CHUNK_BYTES = 1 << 20
_SCAN = re.compile(rb"\xff\xda\x00(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")
"""The head of a scan: marker, length, number of components (ITU-T T.81, B.2.3). Five bytes look like it by chance once
in 274 thousand million places, so that there is no need to find one's way through all segments."""

_HEAD_BYTES = 5


def check_scans(chunks: Iterator[bytes]) -> None:
    """Refuses a JPEG, given piece by piece, that has more scans than any honest one."""
    count, end = 0, b""
    for chunk in chunks:
        count += len(_SCAN.findall(end + chunk))
        end = (end + chunk)[1 - _HEAD_BYTES :]
        if count > MAX_JPEG_SCANS:
            raise MediaError(f"the JPEG has more than {MAX_JPEG_SCANS} scans; save the picture anew first")
