"""The field order of interlaced video: read from decoded frames and set on the frames to be encoded.

PyAV exposes only whether a frame is interlaced. FFmpeg's filters `select` and `setfield` read and write the field order
and change no sample.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Literal

from av.error import BlockingIOError as NoFrameYet
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from veridact.render.video.planes import Layout

FieldOrder = Literal["progressive", "top", "bottom"]

CODES: dict[FieldOrder, int] = {"progressive": 1, "top": 2, "bottom": 3}
"""FFmpeg's AVFieldOrder, for the headers of encoders and containers (libavcodec/defs.h)."""

_MODES: dict[FieldOrder, str] = {"progressive": "prog", "top": "tff", "bottom": "bff"}


def _filter(width: int, height: int, pixel_format: str, name: str, argument: str) -> Graph:
    """A filter graph with one filter between a buffer source and sink."""
    graph = Graph()
    shape = VideoFormat(pixel_format, width, height)
    source = graph.add_buffer(width=width, height=height, format=shape, time_base=Fraction(1, 1000))
    middle, sink = graph.add(name, argument), graph.add("buffersink")
    source.link_to(middle)
    middle.link_to(sink)
    graph.configure()
    return graph


def order_of(frame: VideoFrame) -> FieldOrder:
    """The field order of a decoded frame: which field is presented first, or progressive."""
    if not frame.interlaced_frame:
        return "progressive"
    graph = _filter(frame.width, frame.height, frame.format.name, "select", r"eq(interlace_type\,TOPFIRST)")
    graph.vpush(frame)
    try:
        graph.vpull()
    except NoFrameYet:
        return "bottom"
    return "top"


def marker(order: FieldOrder, width: int, height: int, pixel_format: str) -> Callable[[VideoFrame], VideoFrame]:
    """A function that returns frames marked with this field order; to be used by one thread."""
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
    """The size in pixels, (across, down), of the block that shares chroma samples; of both fields where interlaced.

    The chroma of a field is sampled within that field alone (ITU-T H.264 §6.2, figure 6-2), so a 4:2:0 chroma row of an
    interlaced frame spans four luma rows.
    """
    return layout.step_x, layout.step_y * (2 if interlaced and layout.step_y > 1 else 1)
