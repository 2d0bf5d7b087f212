"""The side data of decoded frames: what is read of it, and what is removed or refused because PyAV has no name for it.

PyAV raises `ValueError` for a whole frame that carries one kind of data that it has no name for. FFmpeg's filter
`sidedata` finds and removes such data by its number in AVFrameSideDataType (libavutil/frame.h).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from av.error import BlockingIOError as NoFrameYet
from av.filter import Graph
from av.sidedata.sidedata import SideDataContainer
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from veridact.errors import MediaError
from veridact.schema.geometry import orientation_of_matrix

_SIDE_DATA: Any = SideDataContainer  # whose stub does not say that it takes a frame

LCEVC, VIEW_ID, REFERENCE_DISPLAYS, EXIF = 28, 29, 30, 31
"""The kinds of AVFrameSideDataType, in FFmpeg 8.1, that PyAV 18.1 does not name."""

_REFUSED = {
    LCEVC: "an enhancement layer (LCEVC), which is not decoded; encode it anew first: "
    "ffmpeg -i IN -c:v libx264 -qp 0 -c:a copy OUT.mkv",
    VIEW_ID: "a second view (stereo footage); keep one first: ffmpeg -i IN -c:v libx264 -qp 0 -c:a copy OUT.mkv",
    REFERENCE_DISPLAYS: "a second view (stereo footage); keep one first: "
    "ffmpeg -i IN -c:v libx264 -qp 0 -c:a copy OUT.mkv",
}
"""Kinds that say that a player may show another picture than the one decoded."""


def _filtered(frame: VideoFrame, mode: str, kind: int) -> VideoFrame | None:
    """A frame after FFmpeg's filter `sidedata`: the same picture and times; None where the filter drops it."""
    graph = Graph()
    shape = VideoFormat(frame.format.name, frame.width, frame.height)
    source = graph.add_buffer(width=frame.width, height=frame.height, format=shape, time_base=frame.time_base)
    middle, sink = graph.add("sidedata", f"mode={mode}:type={kind}"), graph.add("buffersink")
    source.link_to(middle)
    middle.link_to(sink)
    graph.configure()
    graph.vpush(frame)
    try:
        passed: VideoFrame = graph.vpull()
    except NoFrameYet:
        return None
    passed.pts, passed.time_base = frame.pts, frame.time_base
    return passed


def _read(frame: VideoFrame) -> Mapping[str, Any] | None:
    """The side data of a frame, None where a kind of it has no name.

    Not `frame.side_data`, whose reference cycle would keep frames in memory until a garbage collection.
    """
    try:
        data: Mapping[str, Any] = _SIDE_DATA(frame)
    except ValueError:
        return None
    return data


def without_exif(frame: VideoFrame) -> VideoFrame:
    """The frame without EXIF data, which names places and devices: the frame itself where all its data has a name.

    Raises `MediaError` for data of another kind without a name, which may belong to a further picture.
    """
    if _read(frame) is not None:
        return frame
    plain = _filtered(frame, "delete", EXIF)
    if plain is not None and _read(plain) is not None:
        return plain
    found = next((text for kind, text in _REFUSED.items() if _filtered(frame, "select", kind) is not None), None)
    raise MediaError(f"the frames carry {found or 'data of an unknown kind; convert the footage first'}")


def orientation(frame: VideoFrame) -> int:
    """The EXIF orientation of a decoded frame; raises `MediaError` for a display matrix that is no quarter turn."""
    side_data = (_read(without_exif(frame)) or {}).get("DISPLAYMATRIX")
    if side_data is None:
        return 1
    exif = orientation_of_matrix(tuple(int(v) for v in np.frombuffer(memoryview(side_data), np.int32)[:9]))
    if exif is None:
        raise MediaError("the display matrix is not a multiple of 90 degrees; encode the footage upright first")
    return exif


def has_captions(frame: VideoFrame) -> bool:
    """Whether a decoded frame carries closed captions."""
    return (_read(without_exif(frame)) or {}).get("A53_CC") is not None
