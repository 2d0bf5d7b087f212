"""Frames on their way from the decoder to the encoder: checked, copied without anything but samples, digested."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from av.video.frame import VideoFrame

from render.encoder import VideoSpec
from render.planes import Plane, frame_planes, layout_of, plane_arrays
from schema.errors import BindingError, VeridactError
from schema.manifest import VideoStream
from schema.media import orientation


def check(frame: VideoFrame, record: VideoStream, number: int, pts: Sequence[int]) -> None:
    """Refuses a frame that is not what the manifest says of this stream."""
    if number >= len(pts) or frame.pts != pts[number]:
        raise BindingError(f"frame {number} of stream {record.index} is not at the manifest's time; run locate again")
    stored = (record.coded_width, record.coded_height, record.orientation)
    if (frame.width, frame.height, orientation(frame)) != stored:
        raise BindingError(f"frame {number} of stream {record.index} has another size or orientation than the manifest")


def copy(frame: VideoFrame, spec: VideoSpec) -> tuple[VideoFrame, list[Plane]]:
    """A frame of our own with the same samples and nothing else (no captions, no side data), and its planes.

    The planes are of the decoded size; what an odd side leaves free is filled by `widen` after painting.
    """
    layout = layout_of(frame.format.name)
    source = plane_arrays(frame, layout)
    fresh = VideoFrame(spec.width, spec.height, spec.pixel_format)
    fresh.pts, fresh.time_base = frame.pts, spec.time_base
    fresh.color_range, fresh.colorspace = spec.color_range, spec.colorspace
    planes = frame_planes(fresh, spec.color_range == 2)
    if layout.bits != layout_of(spec.pixel_format).bits or len(source) != len(planes):
        raise VeridactError("a frame has other planes than its encoded form")
    cut = [
        replace(plane, samples=plane.samples[: samples.shape[0], : samples.shape[1]])
        for plane, samples in zip(planes, source, strict=True)
    ]
    for plane, samples in zip(cut, source, strict=True):
        np.copyto(plane.samples, samples)
    return fresh, cut


def widen(frame: VideoFrame, planes: Sequence[Plane], spec: VideoSpec) -> None:
    """Repeats the last, already covered, column and row into what an odd side left free."""
    for whole, plane in zip(plane_arrays(frame, layout_of(spec.pixel_format)), planes, strict=True):
        rows, columns = plane.samples.shape
        whole[:rows, columns:] = whole[:rows, columns - 1 : columns]
        whole[rows:, :] = whole[rows - 1 : rows, :]


def digest(frame: VideoFrame) -> str:
    """SHA-256 over the samples of every plane, plane after plane, row after row."""
    found = hashlib.sha256()
    for samples in plane_arrays(frame, layout_of(frame.format.name)):
        found.update(np.ascontiguousarray(samples).data)
    return found.hexdigest()
