"""Frames between decoder and encoder: checked against the manifest, copied without side data, digested."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from av.video.frame import VideoFrame

from veridact.errors import BindingError, VeridactError
from veridact.media.frames.side_data import orientation
from veridact.render.video.encoder import VideoSpec
from veridact.render.video.planes import Plane, frame_planes, layout_of, plane_arrays
from veridact.schema.manifest import VideoStream


def check(frame: VideoFrame, record: VideoStream, number: int, pts: Sequence[int]) -> None:
    """Raises `BindingError` for a frame whose time, size or orientation is not the manifest's for this stream."""
    if number >= len(pts) or frame.pts != pts[number]:
        raise BindingError(f"frame {number} of stream {record.index} is not at the manifest's time; run locate again")
    stored = (record.coded_width, record.coded_height, record.orientation)
    if (frame.width, frame.height, orientation(frame)) != stored:
        raise BindingError(
            f"frame {number} of stream {record.index} has another size or orientation than in the manifest; "
            "run locate again"
        )


def copy(frame: VideoFrame, spec: VideoSpec) -> tuple[VideoFrame, list[Plane]]:
    """A writable frame in the encoded format with the same samples and no side data (captions), and its planes.

    Components are matched by role, since one format stores red first and another blue. The planes have the decoded
    size; where the encoded size is larger, `widen` fills the rest after painting. Raises `VeridactError` where the
    formats differ in depth or components.
    """
    layout, encoded = layout_of(frame.format.name), layout_of(spec.pixel_format)
    source = dict(zip(layout.roles, plane_arrays(frame, layout), strict=True))
    if layout.bits != encoded.bits or {*layout.roles, "0"} != {*encoded.roles, "0"}:
        raise VeridactError("a frame has other components than its encoded form")
    target = VideoFrame(spec.width, spec.height, spec.pixel_format)
    target.pts, target.time_base = frame.pts, spec.time_base
    target.color_range, target.colorspace = spec.color_range, spec.colorspace
    planes = frame_planes(target, spec.color_range == 2)
    visible: list[Plane] = []
    for role, plane in zip(encoded.roles, planes, strict=True):
        samples = source[role] if role in source else np.zeros((frame.height, frame.width), plane.samples.dtype)
        visible.append(replace(plane, samples=plane.samples[: samples.shape[0], : samples.shape[1]]))
        np.copyto(visible[-1].samples, samples)
    return target, visible


def widen(frame: VideoFrame, planes: Sequence[Plane], spec: VideoSpec) -> None:
    """Fills a frame beyond its `planes` by repeating their last, already covered, column and row."""
    for samples, plane in zip(plane_arrays(frame, layout_of(spec.pixel_format)), planes, strict=True):
        rows, columns = plane.samples.shape
        samples[:rows, columns:] = samples[:rows, columns - 1 : columns]
        samples[rows:, :] = samples[rows - 1 : rows, :]


def digest(frame: VideoFrame) -> str:
    """SHA-256 over the samples of every plane, plane after plane, row after row."""
    total = hashlib.sha256()
    for samples in plane_arrays(frame, layout_of(frame.format.name)):
        total.update(np.ascontiguousarray(samples).data)
    return total.hexdigest()
