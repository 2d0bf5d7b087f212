"""Interlaced footage: which field of a frame is shown first, read from decoded frames and set on those to be encoded.

Frames only say that they are interlaced, not how; FFmpeg's filters `select` and `setfield` read and write the rest, and
touch no sample.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Literal

from av.error import BlockingIOError as NothingYet
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from veridact.render.video.planes import Layout

FieldOrder = Literal["progressive", "top", "bottom"]

CODES: dict[FieldOrder, int] = {"progressive": 1, "top": 2, "bottom": 3}
"""FFmpeg's AVFieldOrder, for the headers of encoders and containers (libavcodec/defs.h)."""

_MODES: dict[FieldOrder, str] = {"progressive": "prog", "top": "tff", "bottom": "bff"}


def _filter(width: int, height: int, pixel_format: str, name: str, argument: str) -> Graph:
    graph = Graph()
    shape = VideoFormat(pixel_format, width, height)
    source = graph.add_buffer(width=width, height=height, format=shape, time_base=Fraction(1, 1000))
    middle, sink = graph.add(name, argument), graph.add("buffersink")
    source.link_to(middle)
    middle.link_to(sink)
    graph.configure()
    return graph


def order_of(frame: VideoFrame) -> FieldOrder:
    """Which field of a decoded frame is shown first."""
    if not frame.interlaced_frame:
        return "progressive"
    graph = _filter(frame.width, frame.height, frame.format.name, "select", r"eq(interlace_type\,TOPFIRST)")
    graph.vpush(frame)
    try:
        graph.vpull()
    except NothingYet:
        return "bottom"
    return "top"


def marker(order: FieldOrder, width: int, height: int, pixel_format: str) -> Callable[[VideoFrame], VideoFrame]:
    """What marks frames as having their fields in this order; for one thread."""
    if order == "progressive":
        return lambda frame: frame
    graph = _filter(width, height, pixel_format, "setfield", _MODES[order])

    def mark(frame: VideoFrame) -> VideoFrame:
        graph.vpush(frame)
        marked = graph.vpull()
        marked.pts, marked.time_base = frame.pts, frame.time_base
        return marked

    return mark


def block_of(layout: Layout, interlaced: bool) -> tuple[int, int]:
    """The pixels, across and down, that share chroma samples: whole rows of blocks of both fields where interlaced.

    The chroma of a field lies between rows of that field alone (ITU-T H.264 §6.2, figure 6-2), so a row of 4:2:0 chroma
    reaches over four rows of the frame.
    """
    return layout.step_x, layout.step_y * (2 if interlaced and layout.step_y > 1 else 1)
