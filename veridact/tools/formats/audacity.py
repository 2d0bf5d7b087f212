"""Audacity label tracks: `start TAB end TAB text`, in seconds from the first sample of the sound.

Audacity opens the sound alone, so its 0 is the first sample; the 0 of a manifest is the first presentation time of the
file, pictures included. `offset_ms` is how much later the sound begins: added on import, subtracted on export.
"""

import re
from fractions import Fraction
from typing import get_args

from veridact.errors import UsageError
from veridact.schema.manifest import AudioLabel, Manifest
from veridact.tools.formats import common
from veridact.tools.formats.common import Exported, Imported

_RECORD = re.compile(r"(\S+)(?: \(([a-z-]+-[0-9]{4,12}), ([a-z]+)\))?")
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,12})?")
MAX_LINES = 200_000


def _seconds(ms: int) -> str:
    return f"{ms // 1000}.{ms % 1000:03}000"


def write(manifest: Manifest, offset_ms: int) -> Exported:
    """The ranges that are not rejected, in order of time, with label, id and review state as their text."""
    lost = [*common.common_losses(manifest, record=False, sound=True), "scores", "the streams that ranges are on"]
    lines = []
    for item in sorted(manifest.audio, key=lambda r: (r.start_ms, r.end_ms, r.id)):
        if item.review == "rejected":
            continue
        start, end = (max(0, ms - offset_ms) for ms in (item.start_ms, item.end_ms))
        lines.append(f"{_seconds(start)}\t{_seconds(end)}\t{item.label} ({item.id}, {item.review})\n")
    return Exported("".join(lines).encode(), lost)


def read(raw: bytes, offset_ms: int, streams: frozenset[int]) -> Imported:
    """The ranges of a label file, each on every stream of sound, widened to whole milliseconds.

    Raises `UsageError` naming the line.
    """
    imported = Imported(searched=streams)
    lines = raw.decode("utf-8", "replace").splitlines()
    if len(lines) > MAX_LINES:
        raise UsageError(f"more than {MAX_LINES} lines; split the file")
    for number, line in enumerate(lines, 1):
        if line.startswith("\\"):
            imported.lost.append(f"line {number}: a range of frequencies; all frequencies are covered")
            continue
        if not line.strip():
            continue
        parts = line.split("\t")
        if len(parts) < 2 or not all(_SECONDS.fullmatch(p.strip()) for p in parts[:2]):
            raise UsageError(f"line {number}: write start, end and text with tabs between them, times in seconds")
        start, end = (Fraction(p.strip()) * 1000 + offset_ms for p in parts[:2])
        if start == end:
            imported.lost.append(f"line {number}: a point in time has no length and covers nothing")
            continue
        match = _RECORD.fullmatch(parts[2].strip()) if len(parts) > 2 else None
        text = match[1] if match else " ".join(parts[2:])[:40]
        label = common.known_label(text, get_args(AudioLabel), imported.lost)
        record = {"id": match[2], "review": match[3]} if match and match[2] else {}
        times = {"start_ms": max(0, int(start // 1)), "end_ms": -int(-end // 1)}
        imported.ranges.append({**common.item_fields(record, None, label), **times})
    return imported
