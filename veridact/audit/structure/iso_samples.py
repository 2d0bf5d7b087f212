"""The samples of an MP4 or MOV file by its tables: every byte of `mdat` must belong to one (ISO/IEC 14496-12, 8.7)."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from veridact.audit.structure.codec_headers import check_h264_sample
from veridact.audit.structure.window import Window, require

Bounds = tuple[int, int]
"""Where the body of a box begins and ends."""

Integers = NDArray[np.int64]


def check(window: Window, tracks: Sequence[Mapping[str, Bounds]], bodies: Sequence[Bounds]) -> None:
    """Raises `StrayError` for bytes of an `mdat` that no sample of any track refers to, and for stray NAL units.

    `tracks` has the boxes of each track by name, `bodies` the bodies of all `mdat`.
    """
    begins, ends = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for track in tracks:
        offsets, sizes = _samples(window, track)
        begins.append(offsets)
        ends.append(offsets + sizes)
        if "avc1" in track:
            for offset, size in zip(offsets.tolist(), sizes.tolist(), strict=True):
                check_h264_sample(window, offset, size)
    starts, stops = np.concatenate(begins), np.concatenate(ends)
    order = np.argsort(starts, kind="stable")
    starts, stops = starts[order], np.maximum.accumulate(stops[order]) if len(order) else stops
    for first, end in bodies:
        low, high = np.searchsorted(starts, first), np.searchsorted(starts, end)
        inside, covered = starts[low:high], np.concatenate([[first], stops[low:high]])
        gaps = np.flatnonzero(np.append(inside, end) > covered)
        if len(gaps):
            require(False, "bytes of mdat that no sample refers to", int(covered[gaps[0]]))


def _samples(window: Window, track: Mapping[str, Bounds]) -> tuple[Integers, Integers]:
    """The offset and size of every sample of a track."""
    chunks = _table(window, track, "stco", 8, ">u4") if "stco" in track else _table(window, track, "co64", 8, ">u8")
    begins = track["stsz"][0]
    fixed, count = window.number(begins + 4, 4), window.number(begins + 8, 4)
    sizes = np.full(count, fixed, np.int64) if fixed else _table(window, track, "stsz", 12, ">u4")
    runs = _table(window, track, "stsc", 8, ">u4").reshape(-1, 3)
    if not len(runs):
        require(not len(chunks) and not len(sizes), "samples in no chunk", begins)
        return np.zeros(0, np.int64), sizes
    firsts = runs[:, 0] - 1
    lengths = np.diff(np.append(firsts, len(chunks)))
    require(firsts[0] == 0 and bool((lengths > 0).all()), "chunks out of order", track["stsc"][0])
    each = np.repeat(runs[:, 1], lengths)
    require(int(each.sum()) == len(sizes), "samples in no chunk", begins)
    before = np.concatenate([[0], np.cumsum(sizes)])
    first_of_chunk = np.concatenate([[0], np.cumsum(each)])[:-1]
    within = before[:-1] - np.repeat(before[first_of_chunk], each)
    return np.repeat(chunks, each) + within, sizes


def _table(window: Window, track: Mapping[str, Bounds], name: str, skipped: int, kind: str) -> Integers:
    """The entries of a table of one box."""
    require(name in track, f"a track without {name}", 0)
    begins, end = track[name]
    return np.frombuffer(window.at(begins + skipped, end - begins - skipped), kind).astype(np.int64)
