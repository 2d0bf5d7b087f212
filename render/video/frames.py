"""Frames on their way from the decoder to the encoder: checked, copied without anything but samples, digested."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from av.video.frame import VideoFrame

from veridact.errors import BindingError, VeridactError
from veridact.media.video import orientation
from veridact.render.video.encoder import VideoSpec
from veridact.render.video.planes import Plane, frame_planes, layout_of, plane_arrays
from veridact.schema.manifest import VideoStream


def check(frame: VideoFrame, record: VideoStream, number: int, pts: Sequence[int]) -> None:
    """Refuses a frame that is not what the manifest says of this stream."""
    if number >= len(pts) or frame.pts != pts[number]:
        raise BindingError(f"frame {number} of stream {record.index} is not at the manifest's time; run locate again")
    stored = (record.coded_width, record.coded_height, record.orientation)
    if (frame.width, frame.height, orientation(frame)) != stored:
        raise BindingError(f"frame {number} of stream {record.index} has another size or orientation than the manifest")


def copy(frame: VideoFrame, spec: VideoSpec) -> tuple[VideoFrame, list[Plane]]:
    """A frame of our own with the same samples and nothing else (no captions, no side data), and its planes.

    Components are matched by what they mean, since one format stores red first and another blue. The planes are of
    the decoded size; what an odd side leaves free is filled by `widen` after painting.
    """
    layout, wanted = layout_of(frame.format.name), layout_of(spec.pixel_format)
    source = dict(zip(layout.roles, plane_arrays(frame, layout), strict=True))
    if layout.bits != wanted.bits or {*layout.roles, "0"} != {*wanted.roles, "0"}:
        raise VeridactError("a frame has other components than its encoded form")
    fresh = VideoFrame(spec.width, spec.height, spec.pixel_format)
    fresh.pts, fresh.time_base = frame.pts, spec.time_base
    fresh.color_range, fresh.colorspace = spec.color_range, spec.colorspace
    planes = frame_planes(fresh, spec.color_range == 2)
    cut: list[Plane] = []
    for role, plane in zip(wanted.roles, planes, strict=True):
        samples = source[role] if role in source else np.zeros((frame.height, frame.width), plane.samples.dtype)
        cut.append(replace(plane, samples=plane.samples[: samples.shape[0], : samples.shape[1]]))
        np.copyto(cut[-1].samples, samples)
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
